"""Checks of the arguments of models."""

from collections.abc import Sequence
from typing import Any

from jaxlayers import _fields as fields
from jaxlayers.layers import weights

_IMAGE_SHAPE = fields.Tuple(
    fields.PositiveInteger(), "(height, width, channels), three positive integers", length=3
)
_ACTIVATION = weights.activation_field(default="softmax")


def image_shape(
    model: str, given: Sequence[int], name: str = "image_shape"
) -> tuple[int, int, int]:
    """Checks an image shape and returns (height, width, channels).

    Raises:
        ValueError: If the argument is not an image shape.
    """
    height, width, channels = _IMAGE_SHAPE.check(model, name, given)
    return height, width, channels


def positive(model: str, name: str, value: int, multiple_of: int = 1) -> int:
    """Checks that an argument is a positive multiple of a number and returns it.

    Raises:
        ValueError: If the argument is anything else.
    """
    return fields.PositiveInteger(multiple_of=multiple_of).check(model, name, value)


def not_negative(model: str, name: str, value: int) -> int:
    """Checks that an argument is an integer from 0 and returns it.

    Raises:
        ValueError: If the argument is anything else.
    """
    return fields.Integer(at_least=0).check(model, name, value)


def rate(model: str, value: float, name: str = "dropout") -> float:
    """Checks that an argument is a number from 0 to 1 and returns it.

    Raises:
        ValueError: If the argument is anything else.
    """
    return fields.Number(at_least=0, at_most=1).check(model, name, value)


def classes(model: str, count: int, activation: Any) -> int:
    """Checks `classes` and `classifier_activation`, and returns the number of classes.

    Raises:
        TypeError: If the activation is neither a name, a function nor `None`.
        ValueError: If the number is not positive, the activation is not known, or it is the softmax
            of a single class, which is always 1.
    """
    count = fields.PositiveInteger().check(model, "classes", count)
    if _ACTIVATION.check(model, "classifier_activation", activation) == "softmax" and count == 1:
        raise ValueError(
            f"{model}: classes must be at least 2 with classifier_activation='softmax', got 1; "
            "use classifier_activation='sigmoid' or None for a single output"
        )
    return count
