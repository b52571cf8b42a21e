"""The checks of what `init`, `apply` and `output_shape` of a layer are called with."""

from collections.abc import Iterable, Sequence
from typing import Any

from jax import Array, export

from jaxlayers import _fields as fields

IMAGE_AXES = {
    "channels_last": ("height", "width", "channels"),
    "channels_first": ("channels", "height", "width"),
}


def as_tuple(value: Any) -> tuple[Any, ...] | None:
    """Returns a list, tuple or other sequence as a tuple; `None` for what is none."""
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else None


class _Dimension(fields.Integer):
    """An integer that is not negative, or a symbolic dimension of `jax.export`."""

    def convert(self, value: Any) -> Any:
        return value if export.is_symbolic_dim(value) else super().convert(value)


_EXAMPLE_SHAPE = fields.Tuple(
    _Dimension(at_least=0),
    "a tuple of integers that are not negative, the shape of one example",
)


def example_shape(layer: object, input_shape: Sequence[int], *axes: str) -> tuple[int, ...]:
    """Returns `input_shape` as a tuple, having checked it.

    Args:
        layer: for the error message.
        input_shape: shape of one example.
        axes: the names of the axes it must have; any number of axes where there are none.
    """
    shape = _EXAMPLE_SHAPE.check(layer, "input_shape", input_shape)
    if axes and len(shape) != len(axes):
        batch = ", without the batch" if len(shape) == len(axes) + 1 else ""
        raise ValueError(f"{layer!r}: input_shape must be ({', '.join(axes)}){batch}, got {shape}")
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
    if getattr(x.dtype, "kind", None) in ("U", "S", "O", "M", "m"):
        raise TypeError(f"{layer!r}: x must be an array of numbers, got one of dtype {x.dtype}")
    if x.ndim == 0 or (axes and x.ndim != len(axes) + 1):
        hint = "; for one example pass x[None]" if x.ndim == len(axes) else ""
        raise ValueError(
            f"{layer!r}: x must be [{', '.join(('batch', *(axes or ('...',))))}], "
            f"got an array of shape {x.shape}{hint}"
        )
    return tuple(x.shape[1:])


def is_training(owner: object, training: bool) -> bool:
    """Returns `training`, having checked that it is True or False."""
    return fields.Boolean().check(owner, "training", training)


def same_shape(layer: object, input_shape: Sequence[int]) -> tuple[int, ...]:
    """The `output_shape` of layers that keep any shape."""
    return example_shape(layer, input_shape)
