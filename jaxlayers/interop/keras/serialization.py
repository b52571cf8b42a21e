"""Configs of models: Keras's own, and complete ones that hold any model of this library."""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxlayers._text import short_repr
from jaxlayers.interop.keras import dtype_policies, graph
from jaxlayers.interop.keras.config_reader import (
    DEEPEST,
    EXACT,
    ConfigReader,
    Entry,
    InputShape,
    Path,
    is_model,
)
from jaxlayers.interop.keras.config_writer import ConfigWriter
from jaxlayers.interop.keras.dtype_policies import sequential_of, unwrapped
from jaxlayers.interop.keras.errors import Problems, about
from jaxlayers.interop.keras.layer_config import class_of
from jaxlayers.interop.keras.values import example_shape
from jaxlayers.layer import Layer
from jaxlayers.layers.mixed_precision import InBfloat16
from jaxlayers.sequential import Sequential, snake_case


class NotSerializableError(ValueError):
    """A model with layers or arguments that no config can hold, such as functions."""


def to_config(model: Layer, *, input_shape: Sequence[int | None] | None = None) -> dict[str, Any]:
    """Returns Keras's config of a model, as `keras.models.model_from_json` takes it.

    Args:
        model: A `Sequential`, or one in `InBfloat16`, whose dtype policy is `mixed_bfloat16`.
        input_shape: Shape of one example, `None` in it for any size; for a model that was
            constructed without. Without either, Keras's model is not built.

    Returns:
        A dictionary of JSON values with `class_name` and `config`.

    Raises:
        ValueError: If the model has anything that Keras does not have or cannot name: SumPooling2D,
            user-defined layers, functions, names with `/`; the message lists all of it.
        TypeError: If `model` is not a `Sequential`.

    Example:
        >>> from jaxlayers import layers
        >>> config = to_config(Sequential([layers.Dense(2)], input_shape=(4,)))
        >>> [layer["class_name"] for layer in config["config"]["layers"]]
        ['InputLayer', 'Dense']
    """
    return write(model, {}, input_shape, "to_config")


def serialize(model: Layer) -> dict[str, Any]:
    """Returns the complete config of a model: `from_config` makes an equal model of it.

    It is Keras's config of the model, with an additional key `"jaxlayers"`, which Keras ignores,
    for what that cannot express: `fuse`, the names of inner models, initializers as objects or
    classes. A model with layers or functions that Keras does not have is one that Keras
    refuses, but this library reads.

    Args:
        model: Built of the layers of this library: a `Sequential`, also of others, in
            `InBfloat16` or not, or a single layer.

    Returns:
        A dictionary of JSON values with `class_name` and `config`.

    Raises:
        NotSerializableError: If the model has anything that a config cannot hold: user-defined
            layers, functions that are not in `jaxlayers.activations` or `jax.nn`; the message lists
            all of it, by layer and argument.
        TypeError: If it is not a layer.

    Example:
        >>> from jaxlayers import layers
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
    sequential = isinstance(inside, Sequential)
    called = inside.name if isinstance(inside, Sequential) else snake_case(type(inside).__name__)
    writer = ConfigWriter(problems, {}, exact=True)
    shape = inside.input_shape if sequential else None
    entry = writer.entry(model, (), called, shape, mixed=False)
    title = f"serialize: {called} has what a config cannot hold:"
    problems.refuse(title, NotSerializableError)
    try:
        same = from_config(json.loads(json.dumps(entry, allow_nan=False))) == model
    except ValueError as error:
        raise NotSerializableError(f"{title}\n  {error}") from error
    if not same:
        raise NotSerializableError(f"{title}\n  the model that is read back is not equal to it")
    return entry


def from_config(config: Any) -> Layer:
    """Makes a model from its config.

    Everything but the model, such as the optimizer it was compiled with, is ignored. So is
    `trainable`: in this library the optimizer decides which params are trained.

    Args:
        config: What `serialize` returns here, or `json.loads(model.to_json())` and
            `model.get_config()` in Keras 3 or Keras 2: of a Sequential, of a Functional model
            that is a chain of layers, or of a single layer.

    Returns:
        A `Sequential` with Keras's names of the layers; in `InBfloat16` for the dtype policy
        `mixed_bfloat16`. From the config of `serialize` a model equal to the serialized one.

    Raises:
        ValueError: If it is not a config, or has anything that this library does not have; the
            message lists all of it, by layer and class.

    Example:
        >>> dense = {"class_name": "Dense", "config": {"name": "scores", "units": 2}}
        >>> model = from_config({"class_name": "Sequential", "config": {"layers": [dense]}})
        >>> model.names, model["scores"]
        (('scores',), Dense(units=2))
    """
    with about("from_config: config"):
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
        dtypes: The dtype of the weights of each layer; float32 for those that are not in it.
        input_shape: As there.
        caller: The name of the public function, for its errors.
    """
    sequential = sequential_of(model, caller)
    problems = Problems()
    given = sequential.input_shape if input_shape is None else input_shape
    shape = None if given is None else example_shape(given, caller)
    writer = ConfigWriter(problems, dtypes, exact=False)
    entry = writer.entry(model, (), sequential.name, shape, mixed=False)
    problems.refuse(f"{caller}: model {sequential.name!r} has what Keras does not have:")
    return entry


@dataclasses.dataclass(frozen=True)
class Read:
    """A model, and the description of its weights in its config.

    Attributes:
        model: A layer; of most configs a `Sequential`, or one in `InBfloat16`.
        input_shape: Shape of one example, `None` in it for any size; `None` if the config has
            none.
        dtypes: The dtype of the weights of each layer; `None` for any float dtype.
        frozen: The layers with `trainable=False`.
        functional: The inner models that are Functional in Keras; `None` if unknown.
    """

    model: Layer
    input_shape: InputShape
    dtypes: dict[Path, str] | None
    frozen: list[Path]
    functional: set[Path] | None


def read(config: Any, keras: Any = None) -> Read:
    """Makes a model from its config; see `from_config`.

    Args:
        config: As there.
        keras: The version of Keras that wrote it, unless the config says so.
    """
    if isinstance(config, Mapping):
        keras = config.get("keras_version", keras)
    try:
        return _read(_entry(config), keras if isinstance(keras, str) else "3")
    except RecursionError:
        raise ValueError("holds a config that is nested too deeply") from None


def parse(text: str | bytes) -> Any:
    """Returns the value of JSON text.

    Raises:
        ValueError: If it is not JSON, or holds numbers that are not finite.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"holds a config that is not JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _read(entry: Entry, keras: str) -> Read:
    problems = Problems()
    kinds = set(itertools.islice(_policies(entry, 0), graph.MOST_LAYERS))
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
    problems.refuse("holds what this library does not have, or computes differently from Keras:")
    if kinds == {dtype_policies.MIXED} and not reader.exact:
        model = InBfloat16(model)
    return Read(model, shape, reader.dtypes, reader.frozen, reader.functional)


def _entry(config: Any) -> Entry:
    """Returns the class name and the config of a model, from any form that Keras gives it."""
    if isinstance(config, list):  # a Sequential in early versions of Keras 2
        return {"class_name": "Sequential", "config": config}
    if not isinstance(config, Mapping):
        hint = "; apply json.loads to it" if isinstance(config, str | bytes) else ""
        raise ValueError(
            "holds no config of a model or a layer, a dictionary with class_name and config, "
            f"but {short_repr(config)}{hint}"
        )
    if "class_name" not in config and isinstance(config.get("layers"), list):
        kind = "Functional" if "input_layers" in config else "Sequential"
        return {"class_name": kind, "config": config}
    if not isinstance(config.get("class_name"), str):
        raise ValueError(
            "holds no class_name: a config of a model or a layer is a dictionary with class_name "
            f"and config, got {short_repr(dict(config))}"
        )
    if not is_model(config) and class_of(config) is None:
        raise ValueError(
            f"holds a model of class {short_repr(config['class_name'])}; only Sequential and "
            "Functional models of Keras's own are supported, since those of other classes are "
            "code, and single layers of this library"
        )
    return config


def _policies(entry: Any, depth: int) -> Iterator[str]:
    """Yields the dtype policy of each layer; `""` for an unknown one, which is reported later."""
    config = entry.get("config")
    if entry.get("class_name") in graph.MODELS:
        entries = config.get("layers") if isinstance(config, Mapping) else config
        for inner in entries if isinstance(entries, list) and depth <= DEEPEST else ():
            if isinstance(inner, Mapping):
                yield from _policies(inner, depth + 1)
    elif entry.get("class_name") not in graph.INPUTS and isinstance(config, Mapping):
        try:
            yield dtype_policies.read_policy(config.get("dtype"))
        except ValueError:
            yield ""
