"""Checks of the arguments of models."""

from collections.abc import Sequence

from jaxlayers import _fields as fields

_IMAGE_SHAPE = fields.Tuple(
    fields.PositiveInteger(), "(height, width, channels), three positive integers", length=3
)


def image_shape(model: str, given: Sequence[int]) -> tuple[int, int, int]:
    """Checks an image shape and returns (height, width, channels).

    Raises:
        ValueError: If the argument is not an image shape.
    """
    height, width, channels = _IMAGE_SHAPE.check(model, "image_shape", given)
    return height, width, channels


def positive(model: str, name: str, value: int, multiple_of: int = 1) -> int:
    """Checks that an argument is a positive multiple of a number and returns it.

    Raises:
        ValueError: If the argument is anything else.
    """
    return fields.PositiveInteger(multiple_of=multiple_of).check(model, name, value)


def rate(model: str, dropout: float) -> float:
    """Checks that `dropout` is a number from 0 to 1 and returns it.

    Raises:
        ValueError: If the argument is anything else.
    """
    return fields.Number(at_least=0, at_most=1).check(model, "dropout", dropout)
