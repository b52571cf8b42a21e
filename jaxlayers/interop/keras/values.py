"""Plain values in configs: numbers, strings and lists."""

import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlayers._text import short_repr

# Larger integers are not sizes of anything, and overflow where they are multiplied.
_LARGEST = 2**31


def example_shape(input_shape: Any, caller: str) -> tuple[int | None, ...]:
    """Returns the argument `input_shape` of a function as a tuple.

    Args:
        input_shape: The argument to check.
        caller: The name of the function, for the error message.

    Raises:
        ValueError: If it is neither a sequence of non-negative integers nor `None`.
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


def plain(value: Any) -> Any:
    """Returns a value of a config with lists as tuples, after checking that it is only data.

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
    """Returns a value for JSON: tuples as lists, NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return list(map(as_json, value)) if isinstance(value, tuple | list) else value


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, and an integer is below 2**31."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LARGEST if isinstance(value, int) else math.isfinite(value)


def _wrapped(value: Mapping[str, Any]) -> Any:
    """Returns the values that Keras 2 wrapped for JSON: NumPy numbers, tuples and shapes."""
    if value.get("type") == "ndarray":
        return plain(value.get("value"))
    if value.get("class_name") in ("__tuple__", "TensorShape"):
        return plain(value.get("items"))
    if value.get("class_name") == "__numpy__" and isinstance(value.get("config"), Mapping):
        return plain(value["config"].get("value"))
    if "class_name" in value:
        raise ValueError(f"{short_repr(value)} is an object of a kind that is not supported here")
    return {str(key): plain(item) for key, item in value.items()}
