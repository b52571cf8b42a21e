"""Initializers, regularizers, constraints and activations between this library and Keras's config.

In a config they are names, or dictionaries of a class name and arguments.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlayers import activations, constraints, initializers, regularizers

# By the end of the name of the argument that holds them: where they are, and what Keras calls
# their module.
KINDS: dict[str, tuple[Any, str]] = {
    "_initializer": (initializers, "keras.initializers"),
    "_regularizer": (regularizers, "keras.regularizers"),
    "_constraint": (constraints, "keras.constraints"),
}

# The key takes the place of a seed; the dtype is that of the weight.
_IGNORED = ("seed", "dtype")

# Larger numbers are no sizes or rates of anything, and make trouble where they are multiplied.
_LARGEST = 2**31


def kind_of(argument: str) -> str | None:
    """Returns the ending in `KINDS` of the name of an argument, `None` where it has another."""
    return next((ending for ending in KINDS if argument.endswith(ending)), None)


def read_object(ending: str, value: Any) -> Any:
    """Returns the initializer, regularizer or constraint that a config describes.

    Where Keras has a name for exactly this, it is that name.

    Args:
        ending: a key of `KINDS`.
        value: a name, a dictionary of class name and arguments, or `None`.

    Raises:
        ValueError: an unknown name, a class or a function of somebody's own, or arguments that it
            does not take.
        TypeError: arguments of another type.
    """
    if value is None or isinstance(value, str):
        return value
    module, _ = KINDS[ending]
    name, arguments = class_and_config(value)
    made_by = module.BY_NAME.get(name)
    if made_by is None:
        raise ValueError(f"{ending[1:]} {name!r} is not one of Keras's")
    given = {key: plain(argument) for key, argument in arguments.items() if key not in _IGNORED}
    fields = {field.name: field for field in dataclasses.fields(made_by) if field.init}
    for key, argument in dict(given).items():
        if key not in fields:
            if argument is not None:
                raise ValueError(f"{ending[1:]} {name} has no argument {key}={argument!r}")
            del given[key]
        elif isinstance(fields[key].default, float) and not _is_number(argument):
            raise TypeError(f"{ending[1:]} {name}: {key} must be a number, got {argument!r}")
    return _shortest(module, made_by(**given))


def write_object(ending: str, value: Any) -> dict[str, Any] | None:
    """Returns what Keras's config holds for an initializer, regularizer or constraint.

    Raises:
        ValueError: a function, which has no name that Keras would know.
    """
    if value is None:
        return None
    module, keras_module = KINDS[ending]
    made = module.get(value)
    name = type(made).__name__
    if module.BY_NAME.get(name) is not type(made):
        raise ValueError(f"{made!r} is a function; Keras reads only its own by name")
    # Arguments at None are newer than some versions of Keras that can read the rest.
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


def read_activation(value: Any) -> str | None:
    """Returns the name of the activation that a config describes.

    Raises:
        ValueError: somebody's own function, or a layer.
    """
    if isinstance(value, Mapping):
        name, config = value.get("class_name"), value.get("config")
        if name != "function" or not isinstance(config, str) or not is_of_keras(value):
            raise ValueError(f"activation {config if name == 'function' else name!r} is not a name")
        value = config
    if value is not None and value not in activations.BY_NAME:
        raise ValueError(f"activation {value!r} is not one of Keras's")
    return value


def write_activation(value: Any) -> str:
    """Returns the name of an activation.

    Raises:
        ValueError: a function that none of Keras's names stands for.
    """
    if value is None:
        return "linear"
    if isinstance(value, str):
        return value
    for name, function in activations.BY_NAME.items():
        if function is value:
            return name
    raise ValueError(f"{value!r} is a function; Keras reads only its own by name")


def class_and_config(value: Any) -> tuple[str, dict[str, Any]]:
    """Returns the class name and the arguments of a serialized object of Keras's own.

    Raises:
        ValueError: something else.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("class_name"), str):
        raise ValueError(f"{short(value)} is neither a name nor a class name with arguments")
    name, config = value["class_name"], value.get("config", {})
    if not is_of_keras(value) or not isinstance(config, Mapping):
        raise ValueError(f"{name} of {value.get('module')!r} is not one of Keras's")
    return name, dict(config)


def is_of_keras(value: Mapping[str, Any]) -> bool:
    """Whether a serialized object says that it comes from Keras and not from somebody's code."""
    module, registered = value.get("module"), value.get("registered_name")
    own = module in (None, "builtins") or (
        isinstance(module, str) and module.partition(".")[0] in ("keras", "tf_keras", "tensorflow")
    )
    return own and registered in (None, "function", value.get("class_name"), value.get("config"))


def plain(value: Any) -> Any:
    """Returns a value of a config with lists as tuples, having checked that it is only data.

    Raises:
        ValueError: an object, or a number beyond any size or rate.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        if not _is_number(value):
            raise ValueError(f"{short(value)} is no size or rate")
        return value
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, Mapping):
        return _wrapped(value)
    raise ValueError(f"{short(value)} is no value of a config")


def as_json(value: Any) -> Any:
    """Returns a value as JSON has it: tuples as lists, and numbers of NumPy as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return list(map(as_json, value)) if isinstance(value, tuple | list) else value


def short(value: Any) -> str:
    """Returns the beginning of what a value looks like; a file's may be long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _wrapped(value: Mapping[str, Any]) -> Any:
    """Returns what Keras 2 wrapped to get it into JSON: numbers of NumPy, tuples and shapes."""
    if value.get("type") == "ndarray":
        return plain(value.get("value"))
    if value.get("class_name") in ("__tuple__", "TensorShape"):
        return plain(value.get("items"))
    if value.get("class_name") == "__numpy__" and isinstance(value.get("config"), Mapping):
        return plain(value["config"].get("value"))
    if "class_name" in value:
        raise ValueError(f"{short(value)} is an object of a kind that is not supported here")
    return {str(key): plain(item) for key, item in value.items()}


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and abs(value) < _LARGEST


def _shortest(module: Any, made: Any) -> Any:
    """Returns the lower-case name that means exactly this, if there is one."""
    for name, found in module.BY_NAME.items():
        if name.islower() and found is type(made) and found() == made:
            return name
    return made
