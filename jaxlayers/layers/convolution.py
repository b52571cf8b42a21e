"""Convolutions and transposed convolutions of images."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights
from jaxlayers.ops import windows


def _padding() -> fields.Choice:
    return fields.Choice("valid", "same", any_case=True, default="valid")


@dataclass(frozen=True, repr=False)
class Conv2D(Layer):
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

    filters: fields.PositiveInteger = fields.PositiveInteger()
    kernel_size: fields.IntegerPair = fields.IntegerPair()
    strides: fields.IntegerPair = fields.IntegerPair(default=(1, 1))
    padding: fields.Choice = _padding()
    data_format: fields.DataFormat = fields.DataFormat()
    dilation_rate: fields.IntegerPair = fields.IntegerPair(default=(1, 1))
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
        _check_window(self)
        if self.filters % self.groups:
            raise ValueError(
                f"Conv2D: filters must be a multiple of groups, "
                f"got filters={self.filters}, groups={self.groups}"
            )

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        self.output_shape(input_shape)
        params = weights.initialize(self, key, self._weights(input_shape))
        return params, weights.initial_activity(self)

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        check_input(self, params, state, x)
        y = ops.convolution(
            x,
            params["kernel"],
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=self.groups,
            data_format=self.data_format,
        )
        return add_bias_and_activate(self, params, state, y)

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, channels = arguments.split_channels(self, input_shape)
        if channels % self.groups:
            raise ValueError(
                f"{self!r}: input channels must be a multiple of groups={self.groups}, "
                f"got {channels} in {tuple(input_shape)}"
            )
        extents = [
            windows.output_extent(*axis, self.padding)
            for axis in zip(
                spatial, self.kernel_size, self.strides, self.dilation_rate, strict=True
            )
        ]
        if min(extents) <= 0:
            raise ValueError(
                f"{self!r}: input_shape must be an image at least as large as the window, "
                f"got {tuple(input_shape)}; use padding='same', a smaller kernel_size or "
                "dilation_rate, or a larger image"
            )
        return arguments.join_channels(self, extents, self.filters)

    penalty = weights.penalty
    constrain = weights.constrain
    final_activation = weights.final_activation
    logits = weights.logits

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        _, channels = arguments.split_channels(self, input_shape)
        kernel = (*self.kernel_size, channels // self.groups, self.filters)
        return {"kernel": kernel} | ({"bias": (self.filters,)} if self.use_bias else {})


@dataclass(frozen=True, repr=False)
class Conv2DTranspose(Layer):
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

    filters: fields.PositiveInteger = fields.PositiveInteger()
    kernel_size: fields.IntegerPair = fields.IntegerPair()
    strides: fields.IntegerPair = fields.IntegerPair(default=(1, 1))
    padding: fields.Choice = _padding()
    output_padding: fields.Optional[int | Sequence[int], tuple[int, int]] = fields.Optional(
        fields.IntegerPair(at_least=0)
    )
    data_format: fields.DataFormat = fields.DataFormat()
    dilation_rate: fields.IntegerPair = fields.IntegerPair(default=(1, 1))
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
        _check_window(self)
        output_padding = self.output_padding
        if output_padding is not None and any(
            rows >= stride for rows, stride in zip(output_padding, self.strides, strict=True)
        ):
            raise ValueError(
                f"Conv2DTranspose: output_padding must be less than strides, "
                f"got output_padding={output_padding}, strides={self.strides}"
            )

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        self.output_shape(input_shape)
        params = weights.initialize(self, key, self._weights(input_shape))
        return params, weights.initial_activity(self)

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        check_input(self, params, state, x)
        y = ops.convolution_transpose(
            x,
            params["kernel"],
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding or (None, None),
            dilation=self.dilation_rate,
            data_format=self.data_format,
        )
        return add_bias_and_activate(self, params, state, y)

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, _ = arguments.split_channels(self, input_shape)
        output_padding = self.output_padding or (None, None)
        axes = zip(
            spatial, self.kernel_size, self.strides, self.dilation_rate, output_padding, strict=True
        )
        extents = [
            windows.transposed_extent(
                extent,
                size,
                stride,
                rate,
                windows.transposed_padding(size, stride, rate, self.padding, rows),
            )
            for extent, size, stride, rate, rows in axes
        ]
        return arguments.join_channels(self, extents, self.filters)

    penalty = weights.penalty
    constrain = weights.constrain
    final_activation = weights.final_activation
    logits = weights.logits

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        _, channels = arguments.split_channels(self, input_shape)
        kernel = (*self.kernel_size, self.filters, channels)
        return {"kernel": kernel} | ({"bias": (self.filters,)} if self.use_bias else {})


def _check_window(layer: "Conv2D | Conv2DTranspose") -> None:
    """Checks that strides and dilation_rate are not both above 1."""
    if max(layer.strides) > 1 and max(layer.dilation_rate) > 1:
        raise ValueError(
            f"{type(layer).__name__}: strides must be 1 if dilation_rate is above 1, "
            f"got strides={layer.strides}, dilation_rate={layer.dilation_rate}"
        )


def check_input(layer: "Conv2D | Conv2DTranspose", params: Params, state: State, x: Array) -> None:
    """Checks the input and the weights of a layer."""
    shape = arguments.shape_of_examples(layer, x, *arguments.image_axes(layer))
    layer.output_shape(shape)
    weights.check(layer, "params", params, layer._weights(shape))
    weights.check(layer, "state", state, weights.activity_shapes(layer))


def add_bias_and_activate(
    layer: "Conv2D | Conv2DTranspose", params: Params, state: State, y: Array
) -> tuple[Array, State]:
    """Adds the bias, applies the activation and stores the activity penalty in the state."""
    if layer.use_bias:
        axis = 1 + arguments.image_axes(layer).index("channels")
        y = weights.add_bias(y, params["bias"], axis)
    y = weights.activate(layer, y)
    return y, weights.record_activity(layer, state, y)
