"""The checks of what `init`, `apply` and `output_shape` of a layer are called with."""

from collections.abc import Iterable, Sequence
from typing import Any

from jax import Array

from jaxlayers import _fields as fields

IMAGE_AXES = {
    "channels_last": ("height", "width", "channels"),
    "channels_first": ("channels", "height", "width"),
}


def as_tuple(value: Any) -> tuple[Any, ...] | None:
    """Returns a list, tuple or other sequence as a tuple; `None` for what is none."""
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else None


def example_shape(layer: object, input_shape: Sequence[int], *axes: str) -> tuple[int, ...]:
    """Returns `input_shape` as a tuple, having checked it.

    Args:
        layer: for the error message.
        input_shape: shape of one example.
        axes: the names of the axes it must have; any number of axes where there are none.
    """
    shape = as_tuple(input_shape)
    if shape is None:
        raise ValueError(
            f"{layer!r}: input_shape must be a tuple of integers, the shape of one example, "
            f"got {input_shape!r}"
        )
    if axes and len(shape) != len(axes):
        batch = ", without the batch" if len(shape) == len(axes) + 1 else ""
        raise ValueError(f"{layer!r}: input_shape must be ({', '.join(axes)}){batch}, got {shape}")
    # Symbolic dimensions of jax.export are neither int nor comparable; they pass.
    if any(isinstance(d, str | float | None) or (isinstance(d, int) and d < 0) for d in shape):
        raise ValueError(
            f"{layer!r}: input_shape must hold integers that are not negative, got {shape}"
        )
    return shape


def shape_of_examples(layer: object, x: Array, *axes: str) -> tuple[int, ...]:
    """Returns the shape of one example of `x`, having checked that it has a batch axis.

    Args:
        layer: for the error message.
        x: [batch, *axes].
        axes: the names of the axes after the batch; any number where there are none.
    """
    if not hasattr(x, "ndim"):
        raise TypeError(f"{layer!r}: x must be an array, got {type(x).__name__}; use jnp.asarray")
    if x.ndim == 0 or (axes and x.ndim != len(axes) + 1):
        hint = "; for one example pass x[None]" if x.ndim == len(axes) else ""
        raise ValueError(
            f"{layer!r}: x must be [{', '.join(('batch', *(axes or ('...',))))}], "
            f"got an array of shape {x.shape}{hint}"
        )
    return tuple(x.shape[1:])


def is_training(layer: object, training: bool) -> bool:
    """Returns `training`, having checked that it is True or False."""
    return fields.Boolean().check(repr(layer), "training", training)


def same_shape(layer: object, input_shape: Sequence[int]) -> tuple[int, ...]:
    """The `output_shape` of layers that keep any shape."""
    return example_shape(layer, input_shape)
