"""What functions that make models do with their arguments."""

from collections.abc import Sequence

from jaxlayers.layers.arguments import as_tuple, is_integer


def image_shape(given: Sequence[int]) -> tuple[int, int, int]:
    """Returns (height, width, channels).

    Raises:
        ValueError: something else was given.
    """
    shape = as_tuple(given) or ()
    if len(shape) != 3 or not all(is_integer(extent) and extent > 0 for extent in shape):
        raise ValueError(
            f"image_shape must be (height, width, channels), positive integers, got {given!r}"
        )
    return shape


def check_size(model: str, name: str, size: int, multiple: int = 1) -> None:
    """Checks an argument that is a positive multiple of a number.

    Raises:
        ValueError: it is not.
    """
    if not is_integer(size) or size <= 0 or size % multiple:
        allowed = "integer" if multiple == 1 else f"multiple of {multiple}"
        raise ValueError(f"{model}: {name} must be a positive {allowed}, got {size!r}")
