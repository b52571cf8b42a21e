"""Separable convolutions in one and two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Params, Shape
from jaxlayers.layers import arguments, weights
from jaxlayers.layers.convolution_layer import ConvolutionLayer


@dataclass(frozen=True, repr=False)
class SeparableConvolution(ConvolutionLayer):
    """The base class of separable convolutions, which define the number of dimensions.

    As in Keras on JAX, strides and dilation can both be above 1.
    """

    filters: fields.PositiveInteger = fields.PositiveInteger()
    kernel_size: fields.IntegerTuple = fields.IntegerTuple()
    strides: fields.IntegerTuple = fields.IntegerTuple(default=1)
    padding: fields.Choice = fields.Choice("valid", "same", any_case=True, default="valid")
    data_format: fields.DataFormat = fields.DataFormat()
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(default=1)
    depth_multiplier: fields.PositiveInteger = fields.PositiveInteger(default=1)
    activation: fields.Identifier = weights.activation_field(default=None)
    use_bias: fields.Boolean = fields.Boolean(default=True)
    depthwise_initializer: fields.Identifier = weights.initializer_field("glorot_uniform")
    pointwise_initializer: fields.Identifier = weights.initializer_field("glorot_uniform")
    bias_initializer: fields.Identifier = weights.initializer_field("zeros")
    depthwise_regularizer: fields.Identifier = weights.regularizer_field()
    pointwise_regularizer: fields.Identifier = weights.regularizer_field()
    bias_regularizer: fields.Identifier = weights.regularizer_field()
    activity_regularizer: fields.Identifier = weights.regularizer_field()
    depthwise_constraint: fields.Identifier = weights.constraint_field()
    pointwise_constraint: fields.Identifier = weights.constraint_field()
    bias_constraint: fields.Identifier = weights.constraint_field()

    def kernels(self, channels: int) -> dict[str, Shape]:
        ones, depth = (1,) * self.rank, self.depth_multiplier
        return {
            "depthwise_kernel": (*self.kernel_size, channels, depth),
            "pointwise_kernel": (*ones, channels * depth, self.filters),
        }

    def convolve(self, params: Params, x: Array) -> Array:
        y = ops.depthwise_convolution(
            x,
            params["depthwise_kernel"],
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            data_format=self.data_format,
        )
        ones = (1,) * self.rank
        return ops.convolution(
            y,
            params["pointwise_kernel"],
            strides=ones,
            padding="valid",
            dilation=ones,
            data_format=self.data_format,
        )

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        return arguments.join_channels(self, self.windows(input_shape), self.filters)


@dataclass(frozen=True, repr=False)
class SeparableConv1D(SeparableConvolution):
    """1D depthwise convolution followed by a pointwise one; Keras's `SeparableConv1D`.

    Args:
        filters: Channels of the output, a positive integer.
        kernel_size: Length of the window, an integer or a tuple of one.
        strides: Stride of the window.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window.
        depth_multiplier: Number of channels of the depthwise convolution per channel of the input.
        activation, use_bias, depthwise_initializer, pointwise_initializer, bias_initializer,
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer,
        depthwise_constraint, pointwise_constraint, bias_constraint: As in `SeparableConv2D`.

    Params:
        `depthwise_kernel` [length, channels, depth_multiplier],
        `pointwise_kernel` [1, channels * depth_multiplier, filters], `bias` [filters].

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, windows, filters], or [batch, filters, windows].

    Raises:
        ValueError: If an argument is out of range, or the input is shorter than the window without
            padding.
        TypeError: If an object is not callable where a function is expected.

    Example:
        >>> SeparableConv1D(32, 3, padding="same").output_shape((28, 16))
        (28, 32)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(1)
    strides: fields.IntegerTuple = fields.IntegerTuple(1, default=(1,))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(1, default=(1,))
    rank = 1


@dataclass(frozen=True, repr=False)
class SeparableConv2D(SeparableConvolution):
    """2D depthwise convolution followed by a pointwise one; Keras's `SeparableConv2D`.

    Args:
        filters: Channels of the output, a positive integer.
        kernel_size: Height and width of the window; one integer for both.
        strides: Strides of the window; one integer for both axes.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window; one integer for both axes.
        depth_multiplier: Number of channels of the depthwise convolution per channel of the input.
        activation: A name or a function; `None` for none.
        use_bias: Whether to add a bias.
        depthwise_initializer: A name or a function `(key, shape, dtype) -> array`.
        pointwise_initializer: Likewise for the pointwise kernel.
        bias_initializer: Likewise for the bias.
        depthwise_regularizer: A name or a function from the depthwise kernel to a scalar penalty.
        pointwise_regularizer: Likewise for the pointwise kernel.
        bias_regularizer: Likewise for the bias.
        activity_regularizer: Likewise for the output; its penalty, divided by the batch size,
            is in the state as `activity_penalty`.
        depthwise_constraint: A name or a function that projects the depthwise kernel.
        pointwise_constraint: Likewise for the pointwise kernel.
        bias_constraint: Likewise for the bias.

    Params:
        `depthwise_kernel` [height, width, channels, depth_multiplier],
        `pointwise_kernel` [1, 1, channels * depth_multiplier, filters], `bias` [filters].

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, rows, columns, filters], or [batch, filters, rows, columns].

    Raises:
        ValueError: If an argument is out of range, or an image is smaller than the window without
            padding.
        TypeError: If an object is not callable where a function is expected.

    Reference:
        Chollet, 2017, https://arxiv.org/abs/1610.02357

    Example:
        >>> SeparableConv2D(32, 3, padding="same").output_shape((28, 28, 16))
        (28, 28, 32)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(2)
    strides: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))
    rank = 2
