"""The fully connected layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """Fully connected layer, `activation(x @ kernel + bias)`; Keras's `Dense`.

    Args:
        units: Size of the last axis of the output, a positive integer.
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
        `kernel` [inputs, units], `bias` [units].

    Input shape:
        [batch, ..., inputs], at least two axes.

    Output shape:
        [batch, ..., units].

    Raises:
        ValueError: If `units` is not a positive integer, or a name is unknown.
        TypeError: If an object is not callable where a function is expected.

    Example:
        >>> params, state = Dense(10).init(jax.random.key(0), (784,))
        >>> params["kernel"].shape
        (784, 10)
    """

    units: fields.PositiveInteger = fields.PositiveInteger()
    activation: fields.Identifier = weights.activation_field(default=None)
    use_bias: fields.Boolean = fields.Boolean(default=True)
    kernel_initializer: fields.Identifier = weights.initializer_field("glorot_uniform")
    bias_initializer: fields.Identifier = weights.initializer_field("zeros")
    kernel_regularizer: fields.Identifier = weights.regularizer_field()
    bias_regularizer: fields.Identifier = weights.regularizer_field()
    activity_regularizer: fields.Identifier = weights.regularizer_field()
    kernel_constraint: fields.Identifier = weights.constraint_field()
    bias_constraint: fields.Identifier = weights.constraint_field()

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
        weights.check(self, "params", params, self._weights(x.shape))
        weights.check(self, "state", state, weights.activity_shapes(self))
        y = jnp.matmul(x, params["kernel"])
        if self.use_bias:
            y = weights.add_bias(y, params["bias"])
        y = weights.activate(self, y)
        return y, weights.record_activity(self, state, y)

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        if not shape:
            raise ValueError(f"{self!r}: input_shape must have at least one axis, got ()")
        return (*shape[:-1], self.units)

    penalty = weights.penalty
    constrain = weights.constrain
    final_activation = weights.final_activation
    logits = weights.logits

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        kernel = (input_shape[-1], self.units)
        return {"kernel": kernel} | ({"bias": (self.units,)} if self.use_bias else {})
