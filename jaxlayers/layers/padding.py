"""Zero padding in one to three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments


class _ZeroPadding(Layer):
    """The base class of zero padding layers.

    Subclasses define `data_format`, `rank`, the number of spatial axes, and `_sides`.
    """

    data_format: fields.DataFormat
    rank: ClassVar[int]
    output_values = "mixed"

    @property
    def _sides(self) -> tuple[tuple[int, ...], ...]:
        """The number of zeros before and after each spatial axis."""
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
        arguments.shape_of_examples(self, x, *arguments.image_axes(self))
        return jnp.pad(x, ((0, 0), *arguments.join_channels(self, self._sides, (0, 0)))), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, channels = arguments.split_channels(self, input_shape)
        extents = [extent + sum(side) for extent, side in zip(spatial, self._sides, strict=True)]
        return arguments.join_channels(self, extents, channels)


@dataclass(frozen=True, repr=False)
class ZeroPadding1D(_ZeroPadding):
    """Adds steps of zeros before and after sequences; Keras's `ZeroPadding1D`.

    Args:
        padding: `(before, after)`, or one integer for both.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, before + steps + after, channels], or [batch, channels, before + steps + after] for
        channels_first.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> ZeroPadding1D((2, 0)).output_shape((28, 8))
        (30, 8)
    """

    padding: fields.IntegerTuple = fields.IntegerTuple(2, at_least=0, default=(1, 1))
    data_format: fields.DataFormat = fields.DataFormat()

    rank = 1

    @property
    def _sides(self) -> tuple[tuple[int, ...], ...]:
        return (self.padding,)


@dataclass(frozen=True, repr=False)
class ZeroPadding2D(_ZeroPadding):
    """Adds rows and columns of zeros around images; Keras's `ZeroPadding2D`.

    Args:
        padding: `((top, bottom), (left, right))`, `(rows, columns)` for symmetric padding, or one
            integer for all sides.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, top + height + bottom, left + width + right, channels], or
        [batch, channels, top + height + bottom, left + width + right] for channels_first.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> ZeroPadding2D(((1, 0), (2, 2))).output_shape((28, 28, 1))
        (29, 32, 1)
    """

    padding: fields.Sides = fields.Sides(2, default=((1, 1), (1, 1)))
    data_format: fields.DataFormat = fields.DataFormat()

    rank = 2

    @property
    def _sides(self) -> tuple[tuple[int, ...], ...]:
        return self.padding


@dataclass(frozen=True, repr=False)
class ZeroPadding3D(_ZeroPadding):
    """Adds zeros around volumes; Keras's `ZeroPadding3D`.

    Args:
        padding: A pair `(before, after)` for each of depth, height and width; three integers for
            symmetric padding, or one integer for all sides.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        The same, with the padding added to each axis.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> ZeroPadding3D((0, 1, (2, 3))).output_shape((4, 28, 28, 1))
        (4, 30, 33, 1)
    """

    padding: fields.Sides = fields.Sides(3, default=((1, 1), (1, 1), (1, 1)))
    data_format: fields.DataFormat = fields.DataFormat()

    rank = 3

    @property
    def _sides(self) -> tuple[tuple[int, ...], ...]:
        return self.padding
