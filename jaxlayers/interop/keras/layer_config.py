"""Reading and writing of the class and the arguments of a single layer in a config."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from jaxlayers import layers
from jaxlayers._text import short_repr
from jaxlayers.interop.keras import legacy_names, objects
from jaxlayers.interop.keras.values import as_json, plain
from jaxlayers.layer import Layer

# The module of the layers that Keras does not have.
OWN_MODULE = "jaxlayers.layers"
_NOT_IN_KERAS = ("SumPooling2D",)
# The base class, and the layers that are properties of other layers in Keras.
_EXCLUDED = ("Layer", "Frozen", "InBfloat16", "InferenceMode")
# The modules of the layers that are not in keras.layers.
KERAS_MODULES = {
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
    "LayerScale": "keras.src.applications.convnext",
}

_COMMON_ARGUMENTS = (
    "name",
    "trainable",
    "dtype",
    "batch_shape",
    "batch_input_shape",
    "input_shape",
    "input_dim",
)
# Layers whose constructors in Keras do not have the argument `trainable`.
WITHOUT_TRAINABLE = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")

_RANDOM = ("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", *WITHOUT_TRAINABLE)
# The random key replaces the seed. The input length of Keras 2 is part of the input shape.
_IGNORED = {**dict.fromkeys(_RANDOM, ("seed",)), "Embedding": ("input_length",)}

# Arguments that Keras 3.0 does not have; they are written only if they have an effect.
_NEWER = ("renorm", "renorm_clipping", "renorm_momentum")


def keras_classes() -> dict[str, Any]:
    """Returns the layers of this library that Keras has, by name."""
    others = (*_EXCLUDED, *_NOT_IN_KERAS)
    return {name: getattr(layers, name) for name in layers.__all__ if name not in others}


def own_classes() -> dict[str, Any]:
    """Returns the layers of this library that Keras does not have, by name."""
    return {name: getattr(layers, name) for name in _NOT_IN_KERAS}


def class_of(entry: Mapping[str, Any]) -> Any:
    """Returns the class of the layer that an entry of a config describes; `None` if unknown."""
    name = legacy_names.modern_class(entry["class_name"])
    if entry.get("module") == OWN_MODULE:
        return own_classes().get(name)
    return keras_classes().get(name) if objects.is_keras(entry) else None


def wraps_layer(cls: Any) -> bool:
    """Returns whether instances of a class have another layer as the argument `layer`."""
    return "layer" in cls.__dataclass_fields__


def read_layer(
    cls: Any,
    config: Mapping[str, Any],
    exact: Mapping[str, Any],
    report: Callable[[str], None],
    *,
    keras2: bool = False,
    wrapped: Layer | None = None,
) -> Layer | None:
    """Constructs a layer from its config.

    Args:
        cls: The class of the layer.
        config: The config in Keras's form, without that of a wrapped layer.
        exact: Arguments in the form of `write_exact`, which replace those of `config`.
        report: Called with each problem.
        keras2: Whether Keras 2 wrote the config.
        wrapped: The argument `layer`, if the class has one.

    Returns:
        The layer; `None` after a problem.
    """
    problems: list[str] = []
    arguments = _keras_arguments(cls, config, keras2, problems) | _exact_arguments(
        cls, exact, problems
    )
    problems = problems or [
        f"{name} is missing" for name in _required(cls) if name not in arguments
    ]
    if wrapped is not None:
        arguments["layer"] = wrapped
    if not problems:
        try:
            layer: Layer = cls(**arguments)
            return layer
        except (ValueError, TypeError, OverflowError) as error:
            problems.append(str(error).removeprefix(f"{cls.__name__}: "))
    for what in problems:
        report(what)
    return None


def write_layer(layer: Layer, report: Callable[[str], None]) -> dict[str, Any]:
    """Returns the arguments of a layer in Keras's form, except a wrapped layer.

    Args:
        layer: An instance of one of `keras_classes`.
        report: Called with each argument that Keras cannot read.
    """
    config = {}
    for name in _written(layer):
        try:
            config[name] = _json_round_trip(_keras_form(name, getattr(layer, name)))
        except (ValueError, TypeError) as error:
            report(f"{name}: {error}")
    return config


def write_layer_exactly(
    layer: Layer, report: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the arguments from which `read_layer` constructs an equal layer.

    A wrapped layer is not among them.

    Args:
        layer: An instance of one of `keras_classes` or `own_classes`.
        report: Called with each argument that a config cannot represent.

    Returns:
        The arguments in Keras's form, and the arguments that this form does not represent exactly,
        in the form of `write_exact`. An argument that has no form in Keras is only in the first.
    """
    exact: dict[str, Any] = {}
    for name in _arguments(layer):
        try:
            exact[name] = _json_round_trip(_exact_form(name, getattr(layer, name)))
        except (ValueError, TypeError) as error:
            report(f"{name}: {error}")
    if len(exact) < len(_arguments(layer)):
        return {}, {}
    config = {name: exact[name] for name in _written(layer)} | write_layer(layer, _ignore)
    wrapped = getattr(layer, "layer", None)
    made = read_layer(type(layer), config, {}, _ignore, wrapped=wrapped)
    exact = {
        name: form for name, form in exact.items() if not _is_equal_argument(layer, made, name)
    }
    made = read_layer(type(layer), config, exact, report, wrapped=wrapped)
    for name in exact:
        if made is not None and not _is_equal_argument(layer, made, name):
            report(f"{name}: a config cannot represent {short_repr(getattr(layer, name))}")
    return config, exact


def _keras_arguments(
    cls: Any, config: Mapping[str, Any], keras2: bool, problems: list[str]
) -> dict[str, Any]:
    """Returns the arguments in Keras's form; appends the problems to `wrong`."""
    arguments = {}
    for key, value in legacy_names.modern_arguments(cls.__name__, dict(config)).items():
        is_argument = key in _arguments(cls)
        is_common = key in _COMMON_ARGUMENTS and not is_argument
        if is_common or key in _IGNORED.get(cls.__name__, ()):
            continue
        if is_argument:
            try:
                arguments[key] = _read_argument(cls, key, value, keras2)
            except (ValueError, TypeError) as error:
                problems.append(f"{key}: {error}")
        elif value is not None:
            problems.append(f"{key}={short_repr(value)} is not supported")
    return arguments


def _exact_arguments(cls: Any, exact: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Returns the arguments in exact form; appends the problems to `wrong`."""
    arguments = {}
    for key, value in exact.items():
        if key not in _arguments(cls):
            problems.append(f"{cls.__name__} has no argument {key}")
            continue
        try:
            arguments[key] = _read_exact(key, value)
        except (ValueError, TypeError) as error:
            problems.append(f"{key}: {error}")
    return arguments


def _arguments(cls: Any) -> list[str]:
    """Returns the names of the arguments, except that of a wrapped layer."""
    return [field.name for field in dataclasses.fields(cls) if field.init and field.name != "layer"]


def _required(cls: Any) -> list[str]:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    return [name for name in _arguments(cls) if fields[name].default is dataclasses.MISSING]


def _written(layer: Layer) -> list[str]:
    """Returns the names of the arguments that are written in Keras's form."""
    is_renorm = isinstance(layer, layers.BatchNormalization) and layer.renorm
    return [name for name in _arguments(layer) if name not in _NEWER or is_renorm]


def _read_argument(cls: Any, key: str, value: Any, keras2: bool) -> Any:
    kind = objects.kind_of(key)
    if kind is None:
        return plain(value)
    found = objects.read(kind, value)
    if keras2 and kind == "activation" and found in legacy_names.CHANGED_ACTIVATIONS:
        raise ValueError(f"{found} has a different definition in Keras 2 than in Keras 3 and here")
    default = cls.__dataclass_fields__[key].default
    if kind == "activation":
        # Keras writes "linear" for None.
        return default if default is None and found == "linear" else found
    return default if objects.are_equal(kind, found, default) else objects.short_name(kind, found)


def _read_exact(key: str, value: Any) -> Any:
    kind = objects.kind_of(key)
    return plain(value) if kind is None else objects.read(kind, value)


def _keras_form(name: str, value: Any) -> Any:
    kind = objects.kind_of(name)
    return _plain_form(name, value) if kind is None else objects.write(kind, value)


def _exact_form(name: str, value: Any) -> Any:
    kind = objects.kind_of(name)
    return _plain_form(name, value) if kind is None else objects.write_exact(kind, value)


def _plain_form(name: str, value: Any) -> Any:
    if name == "renorm_clipping" and value is not None:
        return dict(value)
    return as_json(value)


def _json_round_trip(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (ValueError, TypeError):
        raise ValueError(
            f"must be finite numbers, strings or lists of them, got {short_repr(value)}"
        ) from None


def _ignore(what: str) -> None:
    """Ignores a problem."""


def _is_equal_argument(layer: Layer, other: Any, name: str) -> bool:
    try:
        return bool(getattr(layer, name) == getattr(other, name))
    except Exception:  # `other` is None, or the values are arrays
        return False
