"""The base class of convolution layers."""

from collections.abc import Sequence
from typing import ClassVar

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights
from jaxlayers.ops import windows


class ConvolutionLayer(Layer):
    """The base class of convolution layers, `activation(convolve(params, x) + bias)`.

    Subclasses are dataclasses with these fields. They define `rank`, the number of spatial axes,
    and `kernels`, `convolve` and `output_shape`.
    """

    kernel_size: fields.IntegerTuple
    strides: fields.IntegerTuple
    padding: fields.Choice
    data_format: fields.DataFormat
    dilation_rate: fields.IntegerTuple
    activation: fields.Identifier
    use_bias: fields.Boolean
    activity_regularizer: fields.Identifier

    rank: ClassVar[int]

    def kernels(self, channels: int) -> dict[str, Shape]:
        """Returns the names and shapes of the kernels for the number of channels of the input."""
        raise NotImplementedError

    def convolve(self, params: Params, x: Array) -> Array:
        """Returns the convolution of `x`, without the bias and the activation."""
        raise NotImplementedError

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
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
        self.check_input(params, state, x)
        return self.add_bias_and_activate(params, state, self.convolve(params, x))

    penalty = weights.penalty
    constrain = weights.constrain
    final_activation = weights.final_activation
    logits = weights.logits

    def check_input(self, params: Params, state: State, x: Array) -> None:
        """Checks the input and the weights."""
        shape = arguments.shape_of_examples(self, x, *arguments.image_axes(self))
        weights.check(self, "params", params, self._weights(shape))
        weights.check(self, "state", state, weights.activity_shapes(self))

    def add_bias_and_activate(self, params: Params, state: State, y: Array) -> tuple[Array, State]:
        """Adds the bias, applies the activation and stores the activity penalty in the state."""
        if self.use_bias:
            axis = 1 + arguments.image_axes(self).index("channels")
            y = weights.add_bias(y, params["bias"], axis)
        y = weights.activate(self, y)
        return y, weights.record_activity(self, state, y)

    def check_dilation(self) -> None:
        """Checks that strides and dilation_rate are not both above 1."""
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{type(self).__name__}: strides must be 1 if dilation_rate is above 1, "
                f"got strides={self.strides}, dilation_rate={self.dilation_rate}"
            )

    def windows(self, input_shape: Sequence[int]) -> list[int]:
        """Returns the number of windows along each spatial axis.

        Raises:
            ValueError: If the input is smaller than the window.
        """
        spatial, _ = arguments.split_channels(self, input_shape)
        extents = [
            windows.output_extent(*axis, self.padding)
            for axis in zip(
                spatial, self.kernel_size, self.strides, self.dilation_rate, strict=True
            )
        ]
        if min(extents) <= 0:
            raise ValueError(
                f"{self!r}: input_shape must be at least as large as the window, "
                f"got {tuple(input_shape)}; use padding='same', a smaller kernel_size or "
                "dilation_rate, or a larger input"
            )
        return extents

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        _, channels = arguments.split_channels(self, input_shape)
        _, filters = arguments.split_channels(self, self.output_shape(input_shape))
        return self.kernels(channels) | ({"bias": (filters,)} if self.use_bias else {})
