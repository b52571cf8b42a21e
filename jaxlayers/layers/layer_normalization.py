"""Layers that normalize each example on its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, axes, weights
from jaxlayers.layers.precision import at_least_float32


def _output_shape(layer: Layer, input_shape: Sequence[int]) -> Shape:
    """Implements `output_shape` for layers with an `axis`."""
    shape = arguments.example_shape(layer, input_shape)
    axes.positive_axes(layer, shape)
    return shape


def _weight_shape(axis: int | Sequence[int], input_shape: Sequence[int]) -> Shape:
    """Returns the shape of a weight with the given axes, in increasing order as in Keras."""
    return tuple((0, *input_shape)[a] for a in sorted(axes.as_tuple(axis)))


@dataclass(frozen=True, repr=False)
class LayerNormalization(Layer):
    """Layer normalization; Keras's `LayerNormalization`.

    The output is `gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with the mean and the
    variance of each example over `axis`. The computation uses at least float32 for any dtype of the
    input.

    Args:
        axis: The axis or axes to normalize over, counting the batch.
        epsilon: Constant added to the variance; not negative.
        center: Whether to add beta.
        scale: Whether to multiply by gamma.
        beta_initializer: A name or a function `(key, shape, dtype) -> array`.
        gamma_initializer: Likewise for gamma.
        beta_regularizer: A name or a function from beta to a scalar penalty.
        gamma_regularizer: Likewise for gamma.
        beta_constraint: A name or a function that projects beta.
        gamma_constraint: Likewise for gamma.

    Params:
        `gamma` and `beta`, the sizes of the input along `axis`.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is out of range, or the input does not have an axis.

    Reference:
        Ba et al., 2016, https://arxiv.org/abs/1607.06450

    Example:
        >>> layer = LayerNormalization(axis=(1, 2))
        >>> params, state = layer.init(jax.random.key(0), (7, 5, 3))
        >>> params["gamma"].shape
        (7, 5)
    """

    axis: fields.Axes = fields.Axes(default=-1)
    epsilon: fields.Number = fields.Number(at_least=0, default=1e-3)
    center: fields.Boolean = fields.Boolean(default=True)
    scale: fields.Boolean = fields.Boolean(default=True)
    beta_initializer: fields.Identifier = weights.initializer_field("zeros")
    gamma_initializer: fields.Identifier = weights.initializer_field("ones")
    beta_regularizer: fields.Identifier = weights.regularizer_field()
    gamma_regularizer: fields.Identifier = weights.regularizer_field()
    beta_constraint: fields.Identifier = weights.constraint_field()
    gamma_constraint: fields.Identifier = weights.constraint_field()

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        return weights.initialize(self, key, self._weights(input_shape)), {}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        shape = arguments.shape_of_examples(self, x)
        weights.check(self, "params", params, self._weights(shape))
        weights.check(self, "state", state, {})
        over = axes.positive_axes(self, shape)
        x, dtype = at_least_float32(x)
        y = ops.standardize(x, over, self.epsilon)
        if self.scale:
            y = y * axes.along(over, params["gamma"].astype(x.dtype), x)
        if self.center:
            y = y + axes.along(over, params["beta"].astype(x.dtype), x)
        return y.astype(dtype), state

    output_shape = _output_shape
    penalty = weights.penalty
    constrain = weights.constrain

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        shape = _weight_shape(self.axis, self.output_shape(input_shape))
        return ({"gamma": shape} if self.scale else {}) | ({"beta": shape} if self.center else {})


@dataclass(frozen=True, repr=False)
class RMSNormalization(Layer):
    """Root mean square normalization; Keras's `RMSNormalization`.

    The output is `scale * x / sqrt(mean(x**2) + epsilon)`, with the mean of each example over
    `axis`. The computation uses at least float32 for any dtype of the input.

    `scale` has the axes that `axis` names. Keras multiplies by it along the last axes instead,
    which is an error if these have other sizes.

    Args:
        axis: The axis or axes to normalize over, counting the batch.
        epsilon: Constant added to the mean square; not negative.

    Params:
        `scale`, the sizes of the input along `axis`.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is out of range, or the input does not have an axis.

    Reference:
        Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467

    Example:
        >>> layer = RMSNormalization()
        >>> params, state = layer.init(jax.random.key(0), (2,))
        >>> layer.apply(params, state, jnp.array([[2.0, 2.0]]))[0].round(3).tolist()
        [[1.0, 1.0]]
    """

    axis: fields.Axes = fields.Axes(default=-1)
    epsilon: fields.Number = fields.Number(at_least=0, default=1e-6)

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        fields.Key().check(self, "key", key)
        return {name: jnp.ones(shape) for name, shape in self._weights(input_shape).items()}, {}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        shape = arguments.shape_of_examples(self, x)
        weights.check(self, "params", params, self._weights(shape))
        weights.check(self, "state", state, {})
        over = axes.positive_axes(self, shape)
        x, dtype = at_least_float32(x)
        mean_square = jnp.mean(jnp.square(x), over, keepdims=True)
        y = x * lax.rsqrt(mean_square + self.epsilon)
        y = y * axes.along(over, params["scale"].astype(x.dtype), x)
        return y.astype(dtype), state

    output_shape = _output_shape

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        return {"scale": _weight_shape(self.axis, self.output_shape(input_shape))}


@dataclass(frozen=True, repr=False)
class UnitNormalization(Layer):
    """Divides by the L2 norm over one or more axes; Keras's `UnitNormalization`.

    The norm is at least 1e-12. The computation uses at least float32 for any dtype of the input.

    Args:
        axis: The axis or axes to compute the norm over, counting the batch.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an axis is not an integer, or the input does not have it.

    Example:
        >>> UnitNormalization().apply({}, {}, jnp.array([[6.0, 8.0]]))[0].round(3).tolist()
        [[0.6000000238418579, 0.800000011920929]]
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
        shape = arguments.shape_of_examples(self, x)
        over = axes.positive_axes(self, shape, with_batch=True)
        x, dtype = at_least_float32(x)
        return ops.unit_norm(x, over, 1e-12).astype(dtype), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        axes.positive_axes(self, shape, with_batch=True)
        return shape
