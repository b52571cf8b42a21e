"""Initializers, regularizers, constraints and activations in configs.

In Keras's config they are names, or dictionaries with a class name and arguments. Complete configs
of this library can also name functions of `jaxlayers.activations` and `jax.nn`, and classes instead
of instances. Anything else is code, which a config cannot represent.
"""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax

from jaxlayers import activations, constraints, initializers, regularizers
from jaxlayers._text import short_repr
from jaxlayers.interop.keras.values import as_json, is_number, plain

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# By the suffix of the argument: the module here, and the module in Keras's config.
KINDS: dict[str, tuple[Any, str]] = {
    "_initializer": (initializers, "keras.initializers"),
    "_regularizer": (regularizers, "keras.regularizers"),
    "_constraint": (constraints, "keras.constraints"),
}

# Functions that a config may name, by kind of argument and module.
FUNCTIONS: dict[str, dict[str, Mapping[str, Any]]] = {
    "activation": {
        "jaxlayers.activations": activations.BY_NAME,
        "jax.nn": {
            name: function
            for name, function in vars(jax.nn).items()
            if callable(function) and not name.startswith("_")
        },
    },
    "_initializer": {
        "jax.nn.initializers": {
            "ones": jax.nn.initializers.ones,
            "zeros": jax.nn.initializers.zeros,
        },
    },
}

# Keras's arguments without a counterpart: the random key replaces the seed, and the dtype is that
# of the weight.
_IGNORED = ("seed", "dtype")

_CODE = ("__lambda__", "Lambda")


def kind_of(argument: str) -> str | None:
    """Returns `"activation"` or the key of `KINDS` for the name of an argument.

    Returns `None` for arguments that are plain data.
    """
    kinds = ("activation", *KINDS)
    return next((kind for kind in kinds if argument.endswith(kind)), None)


def read(kind: str, value: Any) -> Any:
    """Returns the object that a config describes.

    Args:
        kind: `"activation"` or a key of `KINDS`.
        value: A name, a dictionary of class name and arguments, or `None`.

    Returns:
        The name, an instance, or the function or class that the config names.

    Raises:
        ValueError: If a name is unknown, or a class or function is user-defined or does not accept
            the arguments.
        TypeError: If an argument has the wrong type.
    """
    if value is None or (isinstance(value, str) and kind in KINDS):
        return value
    if isinstance(value, Mapping):
        class_name, name = value.get("class_name"), value.get("config")
        # Layers of Keras 3 write the code of a lambda activation without a class name.
        if class_name in _CODE or (class_name is None and "value" in value):
            raise ValueError("contains code (a lambda or a Lambda layer), which is never executed")
        named = _tables(kind, class_name).get(str(value.get("module")), {})
        if isinstance(name, str) and name in named:
            return named[name]
    if kind == "activation":
        return _activation_name(value)
    return _instance(kind, *class_and_config(value))


def short_name(kind: str, made: Any) -> Any:
    """Returns the lower-case name of an object if there is one, otherwise the object."""
    if kind not in KINDS:
        return made
    module, _ = KINDS[kind]
    for name, found in module.BY_NAME.items():
        if name.islower() and found is type(made) and found() == made:
            return name
    return made


def are_equal(kind: str, one: Any, other: Any) -> bool:
    """Returns whether two names or objects, such as `"uniform"` and `RandomUniform()`, are equal.

    Args:
        kind: A key of `KINDS`.
        one: A name, an object or `None`.
        other: Likewise.
    """
    if one is None or other is None:
        return one is other
    module, _ = KINDS[kind]
    return bool(module.get(one) == module.get(other))


def write(kind: str, value: Any) -> Any:
    """Returns Keras's config of an object.

    Raises:
        ValueError: If the function or object is not one of Keras's.
    """
    if kind == "activation":
        return _written_activation(value)
    if value is None:
        return None
    module, keras_module = KINDS[kind]
    made = module.get(value)
    name = type(made).__name__
    if module.BY_NAME.get(name) is not type(made):
        raise ValueError(
            f"must be one of Keras's names or an object of jaxlayers.{kind[1:]}s, got "
            f"{short_repr(value)}, which a config cannot represent"
        )
    # Arguments that are None are omitted, because older versions of Keras do not have them.
    config = {
        field.name: as_json(getattr(made, field.name))
        for field in dataclasses.fields(made)
        if field.init and getattr(made, field.name) is not None
    }
    return {
        "module": keras_module,
        "class_name": name,
        "config": config,
        "registered_name": None,
    }


def write_exact(kind: str, value: Any) -> Any:
    """Returns the config from which `read` returns the same name, instance, class or function.

    Raises:
        ValueError: If a config cannot represent the function or object.
    """
    if value is None or isinstance(value, str):
        return value
    for class_name in ("function", "class"):
        for module, table in _tables(kind, class_name).items():
            for name, found in table.items():
                if found is value:
                    return {
                        "module": module,
                        "class_name": class_name,
                        "config": name,
                        "registered_name": None,
                    }
    return write(kind, value)


def class_and_config(value: Any) -> tuple[str, dict[str, Any]]:
    """Returns the class name and the arguments of a serialized object of Keras.

    Raises:
        ValueError: If it is not one of Keras's own objects.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("class_name"), str):
        raise ValueError(
            f"must be a name or a dictionary with class_name and config, got {short_repr(value)}"
        )
    name, config = value["class_name"], value.get("config", {})
    if not is_keras(value) or not isinstance(config, Mapping):
        raise ValueError(f"{name} of {short_repr(value.get('module'))} is not one of Keras's")
    return name, dict(config)


def is_keras(value: Mapping[str, Any]) -> bool:
    """Returns whether a serialized object is one of Keras's own, not user-defined."""
    module, registered = value.get("module"), value.get("registered_name")
    own = module in (None, "builtins") or (
        isinstance(module, str) and module.partition(".")[0] in ("keras", "tf_keras", "tensorflow")
    )
    return own and registered in (None, "function", value.get("class_name"), value.get("config"))


def _tables(kind: str, class_name: Any) -> Mapping[str, Mapping[str, Any]]:
    """Returns the functions or classes that a config may name, by module and name."""
    if class_name == "function":
        return FUNCTIONS.get(kind, {})
    if class_name != "class" or kind not in KINDS:
        return {}
    module, _ = KINDS[kind]
    classes = {found.__name__: found for found in module.BY_NAME.values() if inspect.isclass(found)}
    return {module.__name__: classes}


def _instance(kind: str, name: str, arguments: Mapping[str, Any]) -> Any:
    made_by: type[DataclassInstance] | None = KINDS[kind][0].BY_NAME.get(name)
    if made_by is None:
        raise ValueError(f"{kind[1:]} {short_repr(name)} is not one of Keras's")
    given = {key: plain(argument) for key, argument in arguments.items() if key not in _IGNORED}
    fields = {field.name: field for field in dataclasses.fields(made_by) if field.init}
    for key, argument in dict(given).items():
        if key not in fields:
            if argument is not None:
                raise ValueError(
                    f"{kind[1:]} {name} has no argument {key}={short_repr(argument)}, only "
                    f"{', '.join(fields) or 'none'}"
                )
            del given[key]
        elif isinstance(fields[key].default, float) and not is_number(argument):
            raise TypeError(
                f"{kind[1:]} {name}: {key} must be a number, got {short_repr(argument)}"
            )
    return made_by(**given)


def _activation_name(value: Any) -> str:
    if isinstance(value, Mapping):
        name, config = value.get("class_name"), value.get("config")
        if name != "function" or not isinstance(config, str) or not is_keras(value):
            found = config if name == "function" else name
            raise ValueError(
                f"must be the name of one of Keras's activations, got {short_repr(found)}; "
                "user-defined functions and layers are not supported"
            )
        value = config
    if not isinstance(value, str) or value not in activations.BY_NAME:
        raise ValueError(
            f"must be one of Keras's activations ({', '.join(activations.BY_NAME)}), "
            f"got {short_repr(value)}"
        )
    return value


def _written_activation(value: Any) -> str:
    if value is None:
        return "linear"
    if isinstance(value, str):
        return value
    # jaxlayers.activations.relu with default arguments is jax.nn.relu.
    for name, function in (*activations.BY_NAME.items(), ("relu", jax.nn.relu)):
        if function is value:
            return name
    raise ValueError(
        f"must be one of Keras's names or functions, got {short_repr(value)}, which a config "
        "cannot represent"
    )
