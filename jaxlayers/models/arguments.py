"""The arguments that several functions which make models have."""

from collections.abc import Sequence

from jaxlayers import _fields as fields

_IMAGE_SHAPE = fields.Tuple(
    fields.PositiveInteger(), "(height, width, channels), three positive integers", length=3
)


def image_shape(model: str, given: Sequence[int]) -> tuple[int, int, int]:
    """Returns (height, width, channels).

    Raises:
        ValueError: If the argument is anything else.
    """
    height, width, channels = _IMAGE_SHAPE.check(model, "image_shape", given)
    return height, width, channels


def positive(model: str, name: str, value: int, multiple_of: int = 1) -> int:
    """Returns the argument `name`, a positive multiple of a number.

    Raises:
        ValueError: If the argument is anything else.
    """
    return fields.PositiveInteger(multiple_of=multiple_of).check(model, name, value)


def rate(model: str, dropout: float) -> float:
    """Returns the argument `dropout`, a number from 0 to 1.

    Raises:
        ValueError: If the argument is anything else.
    """
    return fields.Number(at_least=0, at_most=1).check(model, "dropout", dropout)
