"""Upsampling of images."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


@dataclass(frozen=True, repr=False)
class UpSampling2D(Layer):
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

    size: fields.IntegerPair = fields.IntegerPair(default=(2, 2))
    data_format: fields.DataFormat = fields.DataFormat()
    interpolation: fields.Choice = fields.Choice(*INTERPOLATIONS, any_case=True, default="nearest")

    output_values = "mixed"

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
        spatial = arguments.spatial_axes(self)
        if self.interpolation == "nearest":
            return ops.repeat_pixels(x, self.size, spatial), state
        return ops.resize_images(x, self.size, spatial, self.interpolation), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        (height, width), channels = arguments.split_channels(self, input_shape)
        rows, columns = self.size
        return arguments.join_channels(self, (height * rows, width * columns), channels)
