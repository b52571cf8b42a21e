"""Plain values in configs: numbers, strings and lists."""

import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlayers._structure import are_several_shapes, flatten, unflatten
from jaxlayers._text import short_repr

# Larger integers are not valid sizes, and would overflow when multiplied.
_INTEGER_LIMIT = 2**31


def example_shape(input_shape: Any, caller: str) -> tuple[int | None, ...]:
    """Checks the argument `input_shape` of a function and returns it as a tuple.

    Args:
        input_shape: The argument.
        caller: The name of the function, for the error message.

    Raises:
        ValueError: If it is not a sequence of non-negative integers or `None`.
    """
    try:
        shape = tuple(None if d is None else operator.index(d) for d in input_shape)
        if all(d is None or d >= 0 for d in shape):
            return shape
    except TypeError:
        pass
    raise ValueError(
        f"{caller}: input_shape must be the shape of one example, a tuple of integers that are "
        f"not negative, or None for any size, got {short_repr(input_shape)}"
    )


def example_shapes(input_shape: Any, caller: str) -> Any:
    """Checks one shape, or a tuple or dictionary of shapes, and returns it.

    Args:
        input_shape: As in `example_shape`.
        caller: As in `example_shape`.

    Raises:
        ValueError: As in `example_shape`.
    """
    if not are_several_shapes(input_shape):
        return example_shape(input_shape, caller)
    return unflatten(input_shape, [example_shape(s, caller) for s in flatten(input_shape)])


def plain(value: Any) -> Any:
    """Checks that a value of a config is plain data and returns it with lists as tuples.

    Raises:
        ValueError: If it is an object, or a number that is not finite or too large.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        if not is_number(value):
            raise ValueError(
                f"must be a finite number, an integer below 2**31, got {short_repr(value)}"
            )
        return value
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, Mapping):
        return _wrapped(value)
    raise ValueError(f"{short_repr(value)} is not a value of a config")


def as_json(value: Any) -> Any:
    """Converts tuples and arrays to lists, and NumPy scalars to Python numbers."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return list(map(as_json, value)) if isinstance(value, tuple | list) else value


def is_number(value: Any) -> bool:
    """Returns whether a value is a finite float or an integer below 2**31."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _INTEGER_LIMIT if isinstance(value, int) else math.isfinite(value)


def _wrapped(value: Mapping[str, Any]) -> Any:
    """Returns the values of dictionaries that Keras 2 writes for arrays, tuples and shapes."""
    if value.get("type") == "ndarray":
        return plain(value.get("value"))
    if value.get("class_name") in ("__tuple__", "TensorShape"):
        return plain(value.get("items"))
    if value.get("class_name") == "__numpy__" and isinstance(value.get("config"), Mapping):
        return plain(value["config"].get("value"))
    if "class_name" in value:
        raise ValueError(f"{short_repr(value)} is an object of an unsupported class")
    return {str(key): plain(item) for key, item in value.items()}
