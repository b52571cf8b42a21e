"""Depthwise convolutions in one and two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Params, Shape
from jaxlayers.layers import arguments, weights
from jaxlayers.layers.convolution_layer import ConvolutionLayer


@dataclass(frozen=True, repr=False)
class DepthwiseConvolution(ConvolutionLayer):
    """The base class of depthwise convolutions, which define the number of dimensions.

    As in Keras on JAX, strides and dilation can both be above 1.
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple()
    strides: fields.IntegerTuple = fields.IntegerTuple(default=1)
    padding: fields.Choice = fields.Choice("valid", "same", any_case=True, default="valid")
    depth_multiplier: fields.PositiveInteger = fields.PositiveInteger(default=1)
    data_format: fields.DataFormat = fields.DataFormat()
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(default=1)
    activation: fields.Identifier = weights.activation_field(default=None)
    use_bias: fields.Boolean = fields.Boolean(default=True)
    depthwise_initializer: fields.Identifier = weights.initializer_field("glorot_uniform")
    bias_initializer: fields.Identifier = weights.initializer_field("zeros")
    depthwise_regularizer: fields.Identifier = weights.regularizer_field()
    bias_regularizer: fields.Identifier = weights.regularizer_field()
    activity_regularizer: fields.Identifier = weights.regularizer_field()
    depthwise_constraint: fields.Identifier = weights.constraint_field()
    bias_constraint: fields.Identifier = weights.constraint_field()

    def kernels(self, channels: int) -> dict[str, Shape]:
        return {"kernel": (*self.kernel_size, channels, self.depth_multiplier)}

    def convolve(self, params: Params, x: Array) -> Array:
        return ops.depthwise_convolution(
            x,
            params["kernel"],
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            data_format=self.data_format,
        )

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        _, channels = arguments.split_channels(self, input_shape)
        filters = channels * self.depth_multiplier
        return arguments.join_channels(self, self.windows(input_shape), filters)


@dataclass(frozen=True, repr=False)
class DepthwiseConv1D(DepthwiseConvolution):
    """1D convolution of each channel with its own kernels; Keras's `DepthwiseConv1D`.

    Args:
        kernel_size: Length of the window, an integer or a tuple of one.
        strides: Stride of the window.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
        depth_multiplier: Number of channels of the output per channel of the input.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window.
        activation, use_bias, depthwise_initializer, bias_initializer, depthwise_regularizer,
        bias_regularizer, activity_regularizer, depthwise_constraint, bias_constraint: As in
            `DepthwiseConv2D`.

    Params:
        `kernel` [length, channels, depth_multiplier], `bias` [channels * depth_multiplier].

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, windows, channels * depth_multiplier], or
        [batch, channels * depth_multiplier, windows].

    Raises:
        ValueError: If an argument is out of range, or the input is shorter than the window without
            padding.
        TypeError: If an object is not callable where a function is expected.

    Example:
        >>> DepthwiseConv1D(3, padding="same", depth_multiplier=2).output_shape((28, 16))
        (28, 32)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(1)
    strides: fields.IntegerTuple = fields.IntegerTuple(1, default=(1,))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(1, default=(1,))
    rank = 1


@dataclass(frozen=True, repr=False)
class DepthwiseConv2D(DepthwiseConvolution):
    """2D convolution of each channel with its own kernels; Keras's `DepthwiseConv2D`.

    Args:
        kernel_size: Height and width of the window; one integer for both.
        strides: Strides of the window; one integer for both axes.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
        depth_multiplier: Number of channels of the output per channel of the input.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window; one integer for both axes.
        activation: A name or a function; `None` for none.
        use_bias: Whether to add a bias.
        depthwise_initializer: A name or a function `(key, shape, dtype) -> array`, for the kernel.
        bias_initializer: Likewise for the bias.
        depthwise_regularizer: A name or a function from the kernel to a scalar penalty.
        bias_regularizer: Likewise for the bias.
        activity_regularizer: Likewise for the output; its penalty, divided by the batch size,
            is in the state as `activity_penalty`.
        depthwise_constraint: A name or a function that projects the kernel.
        bias_constraint: Likewise for the bias.

    Params:
        `kernel` [height, width, channels, depth_multiplier], `bias` [channels * depth_multiplier].

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, rows, columns, channels * depth_multiplier], or
        [batch, channels * depth_multiplier, rows, columns].

    Raises:
        ValueError: If an argument is out of range, or an image is smaller than the window without
            padding.
        TypeError: If an object is not callable where a function is expected.

    Reference:
        Howard et al., 2017, https://arxiv.org/abs/1704.04861

    Example:
        >>> DepthwiseConv2D(3, padding="same", depth_multiplier=2).output_shape((28, 28, 16))
        (28, 28, 32)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(2)
    strides: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))
    rank = 2
