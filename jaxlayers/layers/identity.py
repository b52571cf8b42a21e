"""Layers that return their input."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import regularizers
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers import arguments, weights
from jaxlayers.layers.precision import floating


@dataclass(frozen=True, repr=False)
class Identity(Layer):
    """Returns its input; Keras's `Identity`.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Example:
        >>> Identity().apply({}, {}, jnp.array([[1.0, 2.0]]))[0].tolist()
        [[1.0, 2.0]]
    """

    output_values = "moved"

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
        return x, state

    output_shape = arguments.same_shape


@dataclass(frozen=True, repr=False)
class ActivityRegularization(Layer):
    """Returns its input and adds a penalty of it; Keras's `ActivityRegularization`.

    The penalty is `l1 * sum(|x|) + l2 * sum(x**2)`, divided by the batch size. It is in the state
    as `activity_penalty`, from which `penalty` returns it.

    Args:
        l1: Factor of the sum of absolute values; not negative.
        l2: Factor of the sum of squares; not negative.

    State:
        `activity_penalty`, a scalar.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If a factor is negative or not a number.

    Example:
        >>> layer = ActivityRegularization(l2=0.5)
        >>> params, state = layer.init(jax.random.key(0), (2,))
        >>> _, state = layer.apply(params, state, jnp.array([[1.0, 2.0]]))
        >>> layer.penalty(params, state).item()
        2.5
    """

    l1: fields.Number = fields.Number(at_least=0, default=0.0)
    l2: fields.Number = fields.Number(at_least=0, default=0.0)

    output_values = "moved"

    @property
    def activity_regularizer(self) -> regularizers.L1L2:
        """The penalty as a function of the input."""
        return regularizers.L1L2(self.l1, self.l2)

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        self.output_shape(input_shape)
        fields.Key().check(self, "key", key)
        return {}, weights.initial_activity(self)

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
        weights.check(self, "params", params, {})
        weights.check(self, "state", state, weights.activity_shapes(self))
        return x, weights.record_activity(self, state, floating(x))

    output_shape = arguments.same_shape
    penalty = weights.penalty
