"""Configs of models: Keras's configs, and complete configs for any model of this library."""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxlayers._text import short_repr
from jaxlayers.composition import Composition, snake_case
from jaxlayers.interop.errors import Problems, prefix_errors
from jaxlayers.interop.keras import dtype_policies, graph
from jaxlayers.interop.keras.config_reader import (
    EXACT,
    MAX_DEPTH,
    ConfigReader,
    Entry,
    InputShape,
    Path,
    is_model,
)
from jaxlayers.interop.keras.config_writer import ConfigWriter
from jaxlayers.interop.keras.dtype_policies import model_of
from jaxlayers.interop.keras.layer_config import class_of
from jaxlayers.interop.keras.values import example_shapes
from jaxlayers.layer import Layer
from jaxlayers.layers.mixed_precision import InBfloat16
from jaxlayers.layers.wrapper import unwrapped


class NotSerializableError(ValueError):
    """Raised for models with layers or arguments that a config cannot represent."""


def to_config(model: Layer, *, input_shape: Sequence[int | None] | None = None) -> dict[str, Any]:
    """Returns Keras's config of a model, for `keras.models.model_from_json`.

    Args:
        model: A `Sequential` or `Functional`, also in `InBfloat16`, whose dtype policy is
            `mixed_bfloat16`, and with layers in `Frozen`, which are not trainable in Keras.
        input_shape: Shape of one example, in which `None` is any size; for models that were
            constructed without one. If neither is given, Keras does not build the model.

    Returns:
        A dictionary of JSON values with `class_name` and `config`.

    Raises:
        ValueError: If the model has anything that Keras does not have: `SumPooling2D`, user-defined
            layers and functions, names with `/`. The message lists all problems.
        TypeError: If `model` is not a `Sequential` or `Functional`.

    Example:
        >>> from jaxlayers import Sequential, layers
        >>> config = to_config(Sequential([layers.Dense(2)], input_shape=(4,)))
        >>> [layer["class_name"] for layer in config["config"]["layers"]]
        ['InputLayer', 'Dense']
    """
    return write(model, {}, input_shape, "to_config")


def serialize(model: Layer) -> dict[str, Any]:
    """Returns a complete config, from which `from_config` constructs an equal model.

    It is Keras's config with an additional key `"jaxlayers"`, which Keras ignores, for arguments
    that Keras's config cannot express: `fuse`, the names of nested models, initializers as objects
    or classes. Keras refuses the config if the model has layers or functions that Keras does not
    have.

    Args:
        model: A `Sequential` or `Functional`, nested or not, or a single layer; also in
            `InBfloat16` and other wrappers. All layers must be those of this library.

    Returns:
        A dictionary of JSON values with `class_name` and `config`.

    Raises:
        NotSerializableError: If the model has anything that a config cannot represent: user-defined
            layers, or functions that are not in `jaxlayers.activations` or `jax.nn`. The message
            lists all problems by layer and argument.
        TypeError: If it is not a layer.

    Example:
        >>> from jaxlayers import Sequential, layers
        >>> model = Sequential([layers.SumPooling2D(), layers.Flatten()], fuse=False)
        >>> from_config(serialize(model)) == model
        True
    """
    if not isinstance(model, Layer):
        raise TypeError(
            f"serialize: model must be a jaxlayers.Layer, got {short_repr(model)} "
            f"({type(model).__name__})"
        )
    problems = Problems()
    inside = unwrapped(model)
    is_model = isinstance(inside, Composition)
    called = inside.name if isinstance(inside, Composition) else snake_case(type(inside).__name__)
    writer = ConfigWriter(problems, {}, exact=True)
    shape = inside.input_shape if is_model else None
    entry = writer.entry(model, (), called, shape)
    title = f"serialize: {called} cannot be represented by a config:"
    problems.raise_if_any(title, NotSerializableError)
    try:
        same = from_config(json.loads(json.dumps(entry, allow_nan=False))) == model
    except ValueError as error:
        raise NotSerializableError(f"{title}\n  {error}") from error
    if not same:
        raise NotSerializableError(f"{title}\n  the model that is read back is not equal to it")
    return entry


def from_config(config: Any) -> Layer:
    """Constructs a model from its config.

    Everything except the model, such as its optimizer, is ignored.

    Args:
        config: The result of `serialize`, or of `json.loads(model.to_json())` or
            `model.get_config()` in Keras 3 or Keras 2, for a Sequential, a Functional model, or
            a single layer.

    Returns:
        A `Sequential` or a `Functional` with the layer names of the config, in `InBfloat16` if the
        dtype policy is `mixed_bfloat16`; layers that are not trainable are in `Frozen`. For the
        config of `serialize`, a model that is equal to the original.

    Raises:
        ValueError: If it is not a config, or has anything that this library does not support. The
            message lists all problems by layer and class.

    Example:
        >>> dense = {"class_name": "Dense", "config": {"name": "scores", "units": 2}}
        >>> model = from_config({"class_name": "Sequential", "config": {"layers": [dense]}})
        >>> model.names, model["scores"]
        (('scores',), Dense(units=2))
    """
    with prefix_errors("from_config: config"):
        return read(config).model


def write(
    model: Layer,
    dtypes: Mapping[Path, str],
    input_shape: Sequence[int | None] | None,
    caller: str,
) -> dict[str, Any]:
    """Returns Keras's config of a model; see `to_config`.

    Args:
        model: As in `serialize`.
        dtypes: The dtype of the weights by layer; float32 if missing.
        input_shape: As in `to_config`.
        caller: The name of the public function, for the error message.
    """
    inside = model_of(model, caller)
    problems = Problems()
    given = inside.input_shape if input_shape is None else input_shape
    shape = None if given is None else example_shapes(given, caller)
    writer = ConfigWriter(problems, dtypes, exact=False)
    entry = writer.entry(model, (), inside.name, shape)
    problems.raise_if_any(f"{caller}: model {inside.name!r} cannot be represented in Keras:")
    return entry


@dataclasses.dataclass(frozen=True)
class ParsedModel:
    """A model, and the properties of its weights in its config.

    Attributes:
        model: The model; for most configs a `Sequential` or `Functional`, also in `InBfloat16`.
        input_shape: Shape of one example, in which `None` is any size; `None` if the config has no
            input shape.
        dtypes: The dtype of the weights by layer; `None` for any float dtype.
    """

    model: Layer
    input_shape: InputShape
    dtypes: dict[Path, str] | None


def read(config: Any, keras: Any = None) -> ParsedModel:
    """Constructs a model from its config; see `from_config`.

    Args:
        config: As in `from_config`.
        keras: The version of Keras that wrote the config, if the config does not contain it.
    """
    if isinstance(config, Mapping):
        keras = config.get("keras_version", keras)
    try:
        return _read(_entry(config), keras if isinstance(keras, str) else "3")
    except RecursionError:
        raise ValueError("contains a config that is nested too deeply") from None


def parse(text: str | bytes) -> Any:
    """Returns the value of JSON text.

    Raises:
        ValueError: If it is not JSON, or a number is not finite.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"contains a config that is not JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _read(entry: Entry, keras: str) -> ParsedModel:
    problems = Problems()
    kinds = set(itertools.islice(_policies(entry, 0), graph.MAX_LAYERS))
    reader = ConfigReader(
        problems,
        exact=isinstance(entry.get(EXACT), Mapping),
        mixed_in_part=dtype_policies.MIXED in kinds and len(kinds) > 1,
        keras2=keras.startswith(("1", "2")),
    )
    if is_model(entry):
        model, shape = reader.model(entry, ())
    else:
        _, model, shape = reader.layer(entry, ())
    problems.raise_if_any(
        "contains features that this library does not have or computes differently:"
    )
    if kinds == {dtype_policies.MIXED} and not reader.exact:
        model = InBfloat16(model)
    return ParsedModel(model, shape, reader.dtypes)


def _entry(config: Any) -> Entry:
    """Returns the class name and the config of a model, for any format of configs in Keras."""
    if isinstance(config, list):  # a Sequential in early versions of Keras 2
        return {"class_name": "Sequential", "config": config}
    if not isinstance(config, Mapping):
        hint = "; apply json.loads to it" if isinstance(config, str | bytes) else ""
        raise ValueError(
            "contains no config of a model or a layer, which is a dictionary with class_name and "
            f"config, got {short_repr(config)}{hint}"
        )
    if "class_name" not in config and isinstance(config.get("layers"), list):
        kind = "Functional" if "input_layers" in config else "Sequential"
        return {"class_name": kind, "config": config}
    if not isinstance(config.get("class_name"), str):
        raise ValueError(
            "contains no class_name: a config of a model or a layer is a dictionary with "
            f"class_name and config, got {short_repr(dict(config))}"
        )
    if not is_model(config) and class_of(config) is None:
        raise ValueError(
            f"contains a model of class {short_repr(config['class_name'])}; only Sequential and "
            "Functional models of Keras and single layers of this library are supported, because "
            "other classes are code"
        )
    return config


def _policies(entry: Any, depth: int) -> Iterator[str]:
    """Yields the dtype policy of each layer; `""` for an unknown one, which is reported later."""
    config = entry.get("config")
    if entry.get("class_name") in graph.MODELS:
        entries = config.get("layers") if isinstance(config, Mapping) else config
        for inner in entries if isinstance(entries, list) and depth <= MAX_DEPTH else ():
            if isinstance(inner, Mapping):
                yield from _policies(inner, depth + 1)
    elif entry.get("class_name") not in graph.INPUTS and isinstance(config, Mapping):
        try:
            yield dtype_policies.read_policy(config.get("dtype"))
        except ValueError:
            yield ""
