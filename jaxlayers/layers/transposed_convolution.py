"""Transposed convolutions in one to three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Params, Shape
from jaxlayers.layers import arguments, weights
from jaxlayers.layers.convolution_layer import ConvolutionLayer
from jaxlayers.ops import windows


@dataclass(frozen=True, repr=False)
class TransposedConvolution(ConvolutionLayer):
    """The base class of the transposed convolutions, which define the number of dimensions."""

    filters: fields.PositiveInteger = fields.PositiveInteger()
    kernel_size: fields.IntegerTuple = fields.IntegerTuple()
    strides: fields.IntegerTuple = fields.IntegerTuple(default=1)
    padding: fields.Choice = fields.Choice("valid", "same", any_case=True, default="valid")
    output_padding: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(at_least=0))
    data_format: fields.DataFormat = fields.DataFormat()
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(default=1)
    activation: fields.Identifier = weights.activation_field(default=None)
    use_bias: fields.Boolean = fields.Boolean(default=True)
    kernel_initializer: fields.Identifier = weights.initializer_field("glorot_uniform")
    bias_initializer: fields.Identifier = weights.initializer_field("zeros")
    kernel_regularizer: fields.Identifier = weights.regularizer_field()
    bias_regularizer: fields.Identifier = weights.regularizer_field()
    activity_regularizer: fields.Identifier = weights.regularizer_field()
    kernel_constraint: fields.Identifier = weights.constraint_field()
    bias_constraint: fields.Identifier = weights.constraint_field()

    def __post_init__(self) -> None:
        self.check_dilation()
        output_padding = self.output_padding
        if output_padding is not None and any(
            added >= stride for added, stride in zip(output_padding, self.strides, strict=True)
        ):
            raise ValueError(
                f"{type(self).__name__}: output_padding must be less than strides, "
                f"got output_padding={output_padding}, strides={self.strides}"
            )

    def kernels(self, channels: int) -> dict[str, Shape]:
        return {"kernel": (*self.kernel_size, self.filters, channels)}

    def convolve(self, params: Params, x: Array) -> Array:
        return ops.convolution_transpose(
            x,
            params["kernel"],
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding or (None,) * self.rank,
            dilation=self.dilation_rate,
            data_format=self.data_format,
        )

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, _ = arguments.split_channels(self, input_shape)
        output_padding = self.output_padding or (None,) * self.rank
        axes = zip(
            spatial, self.kernel_size, self.strides, self.dilation_rate, output_padding, strict=True
        )
        extents = [
            windows.transposed_extent(
                extent,
                size,
                stride,
                rate,
                windows.transposed_padding(size, stride, rate, self.padding, added),
            )
            for extent, size, stride, rate, added in axes
        ]
        return arguments.join_channels(self, extents, self.filters)


@dataclass(frozen=True, repr=False)
class Conv1DTranspose(TransposedConvolution):
    """1D transposed convolution; Keras's `Conv1DTranspose`.

    Args:
        filters: Channels of the output, a positive integer.
        kernel_size: Length of the window, an integer or a tuple of one.
        strides: Factor by which the input is enlarged.
        padding: `"same"` for outputs that are `strides` times as long as the input, `"valid"` for
            outputs with all positions that the windows cover.
        output_padding: Positions added at the end of the smallest output, less than `strides`;
            `None` for the sizes described at `padding`.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window.
        activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
        bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: As in
            `Conv2DTranspose`.

    Params:
        `kernel` [length, filters, channels], `bias` [filters].

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, positions, filters], or [batch, filters, positions].

    Raises:
        ValueError: If an argument is out of range, or strides and dilation are both above 1.
        TypeError: If an object is not callable where a function is expected.

    Example:
        >>> Conv1DTranspose(32, 4, strides=2, padding="same").output_shape((64, 8))
        (128, 32)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(1)
    strides: fields.IntegerTuple = fields.IntegerTuple(1, default=(1,))
    output_padding: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(1, at_least=0))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(1, default=(1,))
    rank = 1


@dataclass(frozen=True, repr=False)
class Conv2DTranspose(TransposedConvolution):
    """2D transposed convolution; Keras's `Conv2DTranspose`.

    Args:
        filters: Channels of the output, a positive integer.
        kernel_size: Height and width of the window; one integer for both.
        strides: Factors by which the image is enlarged; one integer for both axes.
        padding: `"same"` for outputs that are `strides` times as large as the input, `"valid"` for
            outputs with all positions that the windows cover.
        output_padding: Rows and columns added at the bottom and the right of the smallest output,
            less than `strides`; one integer for both; `None` for the sizes described at `padding`.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window; one integer for both axes.
        activation: A name or a function; `None` for none.
        use_bias: Whether to add a bias.
        kernel_initializer: A name or a function `(key, shape, dtype) -> array`.
        bias_initializer: Likewise for the bias.
        kernel_regularizer: A name or a function from the kernel to a scalar penalty.
        bias_regularizer: Likewise for the bias.
        activity_regularizer: Likewise for the output; its penalty, divided by the batch size,
            is in the state as `activity_penalty`.
        kernel_constraint: A name or a function that projects the kernel.
        bias_constraint: Likewise for the bias.

    Params:
        `kernel` [height, width, filters, channels], `bias` [filters].

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, rows, columns, filters], or [batch, filters, rows, columns].

    Raises:
        ValueError: If an argument is out of range, or strides and dilation are both above 1.
        TypeError: If an object is not callable where a function is expected.

    Reference:
        Dumoulin and Visin, 2016, https://arxiv.org/abs/1603.07285

    Example:
        >>> Conv2DTranspose(64, 4, strides=2, padding="same").output_shape((7, 7, 128))
        (14, 14, 64)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(2)
    strides: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))
    output_padding: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(2, at_least=0))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))
    rank = 2


@dataclass(frozen=True, repr=False)
class _DataFormatFirst(ConvolutionLayer):
    """The first arguments of `Conv3DTranspose`, in Keras's order."""

    filters: fields.PositiveInteger = fields.PositiveInteger()
    kernel_size: fields.IntegerTuple = fields.IntegerTuple()
    strides: fields.IntegerTuple = fields.IntegerTuple(default=1)
    padding: fields.Choice = fields.Choice("valid", "same", any_case=True, default="valid")
    data_format: fields.DataFormat = fields.DataFormat()


@dataclass(frozen=True, repr=False)
class Conv3DTranspose(TransposedConvolution, _DataFormatFirst):
    """3D transposed convolution; Keras's `Conv3DTranspose`.

    Args:
        filters: Channels of the output, a positive integer.
        kernel_size: Depth, height and width of the window; one integer for all.
        strides: Factors by which the input is enlarged; one integer for all axes.
        padding: `"same"` for outputs that are `strides` times as large as the input, `"valid"` for
            outputs with all positions that the windows cover.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        output_padding: Positions added at the end of each axis of the smallest output, less than
            `strides`; one integer for all; `None` for the sizes described at `padding`.
        dilation_rate: Dilation of the window; one integer for all axes.
        activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
        bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: As in
            `Conv2DTranspose`.

    Params:
        `kernel` [depth, height, width, filters, channels], `bias` [filters].

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        The same with enlarged axes, and filters as channels.

    Raises:
        ValueError: If an argument is out of range, or strides and dilation are both above 1.
        TypeError: If an object is not callable where a function is expected.

    Example:
        >>> Conv3DTranspose(16, 4, strides=2, padding="same").output_shape((4, 7, 7, 8))
        (8, 14, 14, 16)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(3)
    strides: fields.IntegerTuple = fields.IntegerTuple(3, default=(1, 1, 1))
    output_padding: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(3, at_least=0))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(3, default=(1, 1, 1))
    rank = 3
