"""Activations as layers."""

import math
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import Literal

import jax
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import activations
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights
from jaxlayers.layers.precision import floating


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """Applies an activation function; Keras's `Activation`.

    Args:
        activation: One of Keras's names, or a function from an array to an array.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input, except for activations that change it (`glu`).

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is neither a name nor a function.

    Example:
        >>> Activation("relu").apply({}, {}, jnp.array([[-1.0, 2.0]]))[0].tolist()
        [[0.0, 2.0]]
    """

    activation: fields.Identifier = weights.activation_field()

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        arguments.shape_of_examples(self, x)
        return weights.activate(self, floating(x)), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        found = self.final_activation()
        is_elementwise = found is not None and not found.axes
        # Tracing the function takes several milliseconds.
        return shape if is_elementwise else super().output_shape(shape)

    @property
    def output_values(self) -> Literal["computed", "moved"]:
        return "moved" if self.final_activation() == FinalActivation("linear") else "computed"

    final_activation = weights.final_activation
    logits = weights.logits


@dataclass(frozen=True, repr=False)
class ReLU(Layer):
    """Rectified linear unit; Keras's `ReLU`.

    Args:
        max_value: Largest value of the output, not negative; `None` for no limit.
        negative_slope: Slope below `threshold`, not negative.
        threshold: Value below which the output is `negative_slope * (x - threshold)`; not negative.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is negative or not a number.

    Example:
        >>> ReLU(max_value=1.0).apply({}, {}, jnp.array([[-1.0, 2.0]]))[0].tolist()
        [[0.0, 1.0]]
    """

    max_value: fields.Optional[float, float] = fields.Optional(
        fields.Number(at_least=0, at_most=math.inf)
    )
    negative_slope: fields.Number = fields.Number(at_least=0, default=0.0)
    threshold: fields.Number = fields.Number(at_least=0, default=0.0)

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        arguments.shape_of_examples(self, x)
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold), state

    output_shape = arguments.same_shape

    def final_activation(self) -> FinalActivation:
        return FinalActivation("relu")


@dataclass(frozen=True, repr=False)
class LeakyReLU(Layer):
    """Leaky rectified linear unit; Keras's `LeakyReLU`.

    The output is `x` where `x` is positive and `negative_slope * x` elsewhere.

    Args:
        negative_slope: Slope for negative inputs; not negative.
        alpha: Keras 2's name of `negative_slope`.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If the slope is negative or not a number.

    Example:
        >>> LeakyReLU(0.5).apply({}, {}, jnp.array([[-1.0, 2.0]]))[0].tolist()
        [[-0.5, 2.0]]
    """

    negative_slope: fields.Number = fields.Number(at_least=0, default=0.3)
    alpha: InitVar[float | None] = None

    def __post_init__(self, alpha: float | None) -> None:
        if alpha is not None:
            slope = fields.Number(at_least=0).check("LeakyReLU", "alpha", alpha)
            fields.set_fields(self, negative_slope=slope)

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        arguments.shape_of_examples(self, x)
        return activations.leaky_relu(x, self.negative_slope), state

    output_shape = arguments.same_shape

    def final_activation(self) -> FinalActivation:
        return FinalActivation("leaky_relu")


@dataclass(frozen=True, repr=False)
class ELU(Layer):
    """Exponential linear unit; Keras's `ELU`.

    The output is `x` where `x` is positive and `alpha * (exp(x) - 1)` elsewhere.

    Args:
        alpha: Factor for negative inputs.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `alpha` is not a finite number.

    Reference:
        Clevert et al., 2015, https://arxiv.org/abs/1511.07289

    Example:
        >>> ELU(2.0).apply({}, {}, jnp.array([[-100.0, 3.0]]))[0].tolist()
        [[-2.0, 3.0]]
    """

    alpha: fields.Number = fields.Number(default=1.0)

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        arguments.shape_of_examples(self, x)
        return activations.elu(floating(x), self.alpha), state

    output_shape = arguments.same_shape

    def final_activation(self) -> FinalActivation:
        return FinalActivation("elu")


@dataclass(frozen=True, repr=False)
class Softmax(Layer):
    """Softmax over one or more axes; Keras's `Softmax`.

    Args:
        axis: The axis or axes to normalize over, counting the batch axis.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an axis is not an integer, or the input does not have it.

    Example:
        >>> Softmax().apply({}, {}, jnp.zeros((1, 4)))[0].tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """

    axis: fields.Axes = fields.Axes(default=-1)

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        self.output_shape(arguments.shape_of_examples(self, x))
        return jax.nn.softmax(floating(x), self.axis), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis
        if not all(-len(shape) - 1 <= axis <= len(shape) for axis in axes):
            raise ValueError(
                f"{self!r}: axis must be from {-len(shape) - 1} to {len(shape)} for inputs of "
                f"{len(shape) + 1} axes, the batch and examples of shape {shape}"
            )
        return shape

    def final_activation(self) -> FinalActivation:
        axes = (self.axis,) if isinstance(self.axis, int) else tuple(self.axis)
        return FinalActivation("softmax", axes)

    def logits(self) -> Layer:
        return Activation("linear")
