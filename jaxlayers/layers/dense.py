"""The fully connected layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlayers import activations
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """`activation(x @ kernel + bias)` over the last axis; Keras's `Dense`.

    Args:
        units: size of the last axis of the output, a positive integer.
        activation: a name or a function; `None` for none.
        use_bias: whether a bias is added.
        kernel_initializer: a name or a function `(key, shape, dtype) -> array`.
        bias_initializer: likewise.
        kernel_regularizer: a name or a function from the kernel to a scalar penalty.
        bias_regularizer: likewise for the bias.
        activity_regularizer: likewise for the output; its penalty, divided by the batch size,
            is in the state as `activity_penalty`.
        kernel_constraint: a name or a function that projects the kernel.
        bias_constraint: likewise for the bias.

    Params:
        `kernel` [inputs, units], `bias` [units].

    Input shape:
        [batch, ..., inputs]; examples of one axis or more.

    Output shape:
        [batch, ..., units].

    Raises:
        ValueError: units that are not a positive integer, or an unknown name.
        TypeError: an object that is not callable where a function is expected.

    Example:
        >>> params, state = Dense(10).init(jax.random.key(0), (784,))
        >>> params["kernel"].shape
        (784, 10)
    """

    units: int
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def __post_init__(self) -> None:
        arguments.settle(self, units=arguments.positive(self, "units"))
        weights.check_identifiers(self)

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
        self.output_shape(arguments.shape_of_examples(self, x))
        weights.check(self, params, self._weights(x.shape))
        y = jnp.matmul(x, params["kernel"])
        if self.use_bias:
            y = weights.add_bias(y, params["bias"])
        y = activations.get(self.activation)(y)
        return y, weights.record_activity(self, state, y)

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        if not shape:
            raise ValueError(f"{self!r}: needs examples of at least one axis, got shape ()")
        return (*shape[:-1], self.units)

    penalty = weights.penalty
    constrain = weights.constrain
    logits = weights.logits

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        kernel = (input_shape[-1], self.units)
        return {"kernel": kernel} | ({"bias": (self.units,)} if self.use_bias else {})
