"""Checks of the arguments of `init`, `apply` and `output_shape`."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from jax import Array, export

from jaxlayers import _fields as fields

T = TypeVar("T")


# The names of the spatial axes, by their number.
_SPATIAL_AXES = {
    1: ("steps",),
    2: ("height", "width"),
    3: ("depth", "height", "width"),
}


class ImageLayer(Protocol):
    """A layer whose input is `[batch, *spatial, channels]` or `[batch, channels, *spatial]`."""

    @property
    def data_format(self) -> str:
        """`"channels_last"` or `"channels_first"`."""
        ...

    @property
    def rank(self) -> int:
        """Number of spatial axes, 1 to 3."""
        ...


def as_tuple(value: Any) -> tuple[Any, ...] | None:
    """Returns an iterable as a tuple; `None` for strings and other values."""
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
    """Checks `input_shape` and returns it as a tuple.

    Args:
        layer: The layer, for the error message.
        input_shape: Shape of one example.
        axes: Names of the expected axes; if there are none, any number of axes is allowed.

    Raises:
        ValueError: If it is not a shape, or has another number of axes.
    """
    shape = _EXAMPLE_SHAPE.check(layer, "input_shape", input_shape)
    if axes and len(shape) != len(axes):
        batch = ", without the batch" if len(shape) == len(axes) + 1 else ""
        raise ValueError(f"{layer!r}: input_shape must be ({', '.join(axes)}){batch}, got {shape}")
    return shape


def shape_of_examples(layer: object, x: Array, *axes: str) -> tuple[int, ...]:
    """Checks that `x` has a batch axis and returns the shape of one example.

    Args:
        layer: The layer, for the error message.
        x: [batch, *axes].
        axes: Names of the expected axes after the batch; if there are none, any number of axes is
            allowed.

    Raises:
        TypeError: If `x` is not an array of numbers.
        ValueError: If it has no batch axis, or another number of axes.
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


def join_channels(layer: ImageLayer, spatial: Sequence[T], channels: T) -> tuple[T, ...]:
    """Returns what belongs to the spatial axes and the channels in the order of the data format."""
    return (*spatial, channels) if layer.data_format == "channels_last" else (channels, *spatial)


def image_axes(layer: ImageLayer) -> tuple[str, ...]:
    """Returns the names of the axes of one image."""
    return join_channels(layer, _SPATIAL_AXES[layer.rank], "channels")


def spatial_axes(layer: ImageLayer) -> tuple[int, ...]:
    """Returns the spatial axes of a batch of images."""
    first = 1 if layer.data_format == "channels_last" else 2
    return tuple(range(first, first + layer.rank))


def split_channels(layer: ImageLayer, input_shape: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Checks the shape of one image and returns its spatial extents, and its channels."""
    shape = example_shape(layer, input_shape, *image_axes(layer))
    return (
        (shape[:-1], shape[-1]) if layer.data_format == "channels_last" else (shape[1:], shape[0])
    )


def is_training(owner: object, training: bool) -> bool:
    """Checks that `training` is True or False and returns it."""
    return fields.Boolean().check(owner, "training", training)


def same_shape(layer: object, input_shape: Sequence[int]) -> tuple[int, ...]:
    """Implements `output_shape` for layers that do not change the shape."""
    return example_shape(layer, input_shape)
