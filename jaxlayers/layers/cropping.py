"""Cropping in one to three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jax import Array, lax

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments


class _Cropping(Layer):
    """The base class of cropping layers.

    Subclasses define `rank`, the number of spatial axes, and `_sides`.
    """

    rank: ClassVar[int]
    output_values = "moved"

    @property
    def data_format(self) -> str:
        """`"channels_last"`, unless a subclass has the argument."""
        return "channels_last"

    @property
    def _sides(self) -> tuple[tuple[int, ...], ...]:
        """The number of positions to remove from both sides of each spatial axis."""
        raise NotImplementedError

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        self.output_shape(arguments.shape_of_examples(self, x, *arguments.image_axes(self)))
        for axis, (before, after) in zip(arguments.spatial_axes(self), self._sides, strict=True):
            x = lax.slice_in_dim(x, before, x.shape[axis] - after, axis=axis)
        return x, state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, channels = arguments.split_channels(self, input_shape)
        extents = [extent - sum(side) for extent, side in zip(spatial, self._sides, strict=True)]
        if min(extents) <= 0:
            raise ValueError(
                f"{self!r}: input_shape must be larger than the sum of cropping along each axis, "
                f"got {tuple(input_shape)}"
            )
        return arguments.join_channels(self, extents, channels)


@dataclass(frozen=True, repr=False)
class Cropping1D(_Cropping):
    """Removes the first and last steps of sequences; Keras's `Cropping1D`.

    Args:
        cropping: `(first, last)`, the number of steps to remove; one integer for both.

    Input shape:
        [batch, steps, channels].

    Output shape:
        [batch, steps - first - last, channels].

    Raises:
        ValueError: If an argument is out of range, or no steps remain.

    Example:
        >>> Cropping1D((2, 0)).output_shape((28, 8))
        (26, 8)
    """

    cropping: fields.IntegerTuple = fields.IntegerTuple(2, at_least=0, default=(1, 1))

    rank = 1

    @property
    def _sides(self) -> tuple[tuple[int, ...], ...]:
        return (self.cropping,)


@dataclass(frozen=True, repr=False)
class Cropping2D(_Cropping):
    """Removes rows and columns at the sides of images; Keras's `Cropping2D`.

    Args:
        cropping: `((top, bottom), (left, right))`, `(rows, columns)` for symmetric cropping, or one
            integer for all sides.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, height - top - bottom, width - left - right, channels], or
        [batch, channels, height - top - bottom, width - left - right] for channels_first.

    Raises:
        ValueError: If an argument is out of range, or no rows or no columns remain.

    Example:
        >>> Cropping2D(((1, 0), (2, 2))).output_shape((28, 28, 1))
        (27, 24, 1)
    """

    cropping: fields.Sides = fields.Sides(2, default=((0, 0), (0, 0)))
    data_format: fields.DataFormat = fields.DataFormat()

    rank = 2

    @property
    def _sides(self) -> tuple[tuple[int, ...], ...]:
        return self.cropping


@dataclass(frozen=True, repr=False)
class Cropping3D(_Cropping):
    """Removes positions at the sides of volumes; Keras's `Cropping3D`.

    Args:
        cropping: A pair `(first, last)` for each of depth, height and width; three integers for
            symmetric cropping, or one integer for all sides.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        The same, with the cropping subtracted from each axis.

    Raises:
        ValueError: If an argument is out of range, or no positions remain along an axis.

    Example:
        >>> Cropping3D((0, 1, (2, 3))).output_shape((4, 28, 28, 1))
        (4, 26, 23, 1)
    """

    cropping: fields.Sides = fields.Sides(3, default=((1, 1), (1, 1), (1, 1)))
    data_format: fields.DataFormat = fields.DataFormat()

    rank = 3

    @property
    def _sides(self) -> tuple[tuple[int, ...], ...]:
        return self.cropping
