"""Convolutions in one to three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Params, Shape
from jaxlayers.layers import arguments, weights
from jaxlayers.layers.convolution_layer import ConvolutionLayer


@dataclass(frozen=True, repr=False)
class Convolution(ConvolutionLayer):
    """The base class of `Conv1D`, `Conv2D` and `Conv3D`, which define the number of dimensions."""

    filters: fields.PositiveInteger = fields.PositiveInteger()
    kernel_size: fields.IntegerTuple = fields.IntegerTuple()
    strides: fields.IntegerTuple = fields.IntegerTuple(default=1)
    padding: fields.Choice = fields.Choice("valid", "same", any_case=True, default="valid")
    data_format: fields.DataFormat = fields.DataFormat()
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(default=1)
    groups: fields.PositiveInteger = fields.PositiveInteger(default=1)
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
        if self.filters % self.groups:
            raise ValueError(
                f"{type(self).__name__}: filters must be a multiple of groups, "
                f"got filters={self.filters}, groups={self.groups}"
            )

    def kernels(self, channels: int) -> dict[str, Shape]:
        return {"kernel": (*self.kernel_size, channels // self.groups, self.filters)}

    def convolve(self, params: Params, x: Array) -> Array:
        return ops.convolution(
            x,
            params["kernel"],
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=self.groups,
            data_format=self.data_format,
        )

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        _, channels = arguments.split_channels(self, input_shape)
        if channels % self.groups:
            raise ValueError(
                f"{self!r}: input channels must be a multiple of groups={self.groups}, "
                f"got {channels} in {tuple(input_shape)}"
            )
        return arguments.join_channels(self, self.windows(input_shape), self.filters)


@dataclass(frozen=True, repr=False)
class Conv1D(Convolution):
    """1D convolution, `activation(convolution(x, kernel) + bias)`; Keras's `Conv1D`.

    Args:
        filters: Channels of the output, a positive integer.
        kernel_size: Length of the window, an integer or a tuple of one.
        strides: Stride of the window.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
            `"causal"` pads before the first step only, so that no output depends on a later step.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window.
        groups: Number of groups that channels and filters are divided into; must divide both.
        activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
        bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: As in
            `Conv2D`.

    Params:
        `kernel` [length, channels / groups, filters], `bias` [filters].

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, windows, filters], or [batch, filters, windows].

    Raises:
        ValueError: If an argument is out of range, strides and dilation are both above 1, or the
            input is shorter than the window without padding.
        TypeError: If an object is not callable where a function is expected.

    Reference:
        Causal padding: van den Oord et al., 2016, https://arxiv.org/abs/1609.03499

    Example:
        >>> Conv1D(32, 3, dilation_rate=2, padding="causal").output_shape((128, 8))
        (128, 32)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(1)
    strides: fields.IntegerTuple = fields.IntegerTuple(1, default=(1,))
    padding: fields.Choice = fields.Choice(
        "valid", "same", "causal", any_case=True, default="valid"
    )
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(1, default=(1,))
    rank = 1


@dataclass(frozen=True, repr=False)
class Conv2D(Convolution):
    """2D convolution, `activation(convolution(x, kernel) + bias)`; Keras's `Conv2D`.

    Args:
        filters: Channels of the output, a positive integer.
        kernel_size: Height and width of the window; one integer for both.
        strides: Strides of the window; one integer for both axes.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window; one integer for both axes.
        groups: Number of groups that channels and filters are divided into; must divide both.
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
        `kernel` [height, width, channels / groups, filters], `bias` [filters].

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, rows, columns, filters], or [batch, filters, rows, columns].

    Raises:
        ValueError: If an argument is out of range, strides and dilation are both above 1, or an
            image is smaller than the window without padding.
        TypeError: If an object is not callable where a function is expected.

    Example:
        >>> conv = Conv2D(64, 5, strides=2, padding="same", activation="leaky_relu")
        >>> conv.output_shape((28, 28, 1))
        (14, 14, 64)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(2)
    strides: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))
    rank = 2


@dataclass(frozen=True, repr=False)
class Conv3D(Convolution):
    """3D convolution, `activation(convolution(x, kernel) + bias)`; Keras's `Conv3D`.

    Args:
        filters: Channels of the output, a positive integer.
        kernel_size: Depth, height and width of the window; one integer for all.
        strides: Strides of the window; one integer for all axes.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        dilation_rate: Dilation of the window; one integer for all axes.
        groups: Number of groups that channels and filters are divided into; must divide both.
        activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
        bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: As in
            `Conv2D`.

    Params:
        `kernel` [depth, height, width, channels / groups, filters], `bias` [filters].

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        The same with the number of windows along each axis, and filters as channels.

    Raises:
        ValueError: If an argument is out of range, strides and dilation are both above 1, or the
            input is smaller than the window without padding.
        TypeError: If an object is not callable where a function is expected.

    Example:
        >>> Conv3D(16, 3, strides=2, padding="same").output_shape((8, 28, 28, 1))
        (4, 14, 14, 16)
    """

    kernel_size: fields.IntegerTuple = fields.IntegerTuple(3)
    strides: fields.IntegerTuple = fields.IntegerTuple(3, default=(1, 1, 1))
    dilation_rate: fields.IntegerTuple = fields.IntegerTuple(3, default=(1, 1, 1))
    rank = 3
