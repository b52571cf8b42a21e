"""Upsampling in one to three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class UpSampling(Layer):
    """The base class of upsampling layers, which repeat each position.

    Subclasses define `rank`, the number of spatial axes, and `factors`.
    """

    rank: ClassVar[int]
    output_values = "mixed"

    @property
    def data_format(self) -> str:
        """`"channels_last"`, unless a subclass has the argument."""
        return "channels_last"

    @property
    def factors(self) -> tuple[int, ...]:
        """The number of times each position is repeated, one integer per spatial axis."""
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
        return self.resize(x), state

    @property
    def is_nearest(self) -> bool:
        """Whether positions are repeated, not interpolated."""
        return True

    def resize(self, x: Array) -> Array:
        """Returns the upsampled input."""
        return ops.repeat_pixels(x, self.factors, arguments.spatial_axes(self))

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, channels = arguments.split_channels(self, input_shape)
        extents = [extent * factor for extent, factor in zip(spatial, self.factors, strict=True)]
        return arguments.join_channels(self, extents, channels)


@dataclass(frozen=True, repr=False)
class UpSampling1D(UpSampling):
    """Repeats each step; Keras's `UpSampling1D`.

    Args:
        size: Number of times each step is repeated, a positive integer.

    Input shape:
        [batch, steps, channels].

    Output shape:
        [batch, size * steps, channels].

    Raises:
        ValueError: If `size` is not a positive integer.

    Example:
        >>> UpSampling1D(3).output_shape((10, 8))
        (30, 8)
    """

    size: fields.PositiveInteger = fields.PositiveInteger(default=2)

    rank = 1

    @property
    def factors(self) -> tuple[int, ...]:
        return (self.size,)


@dataclass(frozen=True, repr=False)
class UpSampling2D(UpSampling):
    """Upsamples images by integer factors; Keras's `UpSampling2D`.

    Args:
        size: Upsampling factors of height and width; one integer for both.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        interpolation: `"nearest"` repeats positions; `"bilinear"`, `"bicubic"`, `"lanczos3"` and
            `"lanczos5"` interpolate.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, size[0] * height, size[1] * width, channels], or
        [batch, channels, size[0] * height, size[1] * width] for channels_first.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> UpSampling2D().output_shape((7, 7, 256))
        (14, 14, 256)
    """

    size: fields.IntegerTuple = fields.IntegerTuple(2, default=(2, 2))
    data_format: fields.DataFormat = fields.DataFormat()
    interpolation: fields.Choice = fields.Choice(*INTERPOLATIONS, any_case=True, default="nearest")

    rank = 2

    @property
    def factors(self) -> tuple[int, ...]:
        return self.size

    @property
    def is_nearest(self) -> bool:
        return self.interpolation == "nearest"

    def resize(self, x: Array) -> Array:
        if self.is_nearest:
            return super().resize(x)
        return ops.resize_images(x, self.size, arguments.spatial_axes(self), self.interpolation)


@dataclass(frozen=True, repr=False)
class UpSampling3D(UpSampling):
    """Repeats each position along three axes; Keras's `UpSampling3D`.

    Args:
        size: Upsampling factors of depth, height and width; one integer for all.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        The same, with each axis enlarged by its factor.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> UpSampling3D((1, 2, 2)).output_shape((4, 7, 7, 16))
        (4, 14, 14, 16)
    """

    size: fields.IntegerTuple = fields.IntegerTuple(3, default=(2, 2, 2))
    data_format: fields.DataFormat = fields.DataFormat()

    rank = 3

    @property
    def factors(self) -> tuple[int, ...]:
        return self.size
