"""Batch normalization and batch renormalization."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, axes, weights
from jaxlayers.layers.precision import at_least_float32

Bounds = Mapping[str, float | None] | Sequence[tuple[str, float]]


class _Clipping(fields.Field[Bounds | None, tuple[tuple[str, float], ...] | None]):
    """Bounds for the correction of batch renormalization, as a tuple of (name, number)."""

    allowed = (
        "a dictionary from any of 'rmin', 'rmax' and 'dmax' to numbers, such that rmin <= rmax "
        "and 0 <= dmax"
    )

    def convert(self, value: Any) -> tuple[tuple[str, float], ...] | None:
        if value is None:
            return None
        number = fields.Number(at_most=math.inf)
        bounds = {
            name: number.check("renorm_clipping", name, bound)
            for name, bound in dict(value).items()
            if bound is not None
        }
        if not (
            bounds.keys() <= {"rmin", "rmax", "dmax"}
            and bounds.get("rmin", -math.inf) <= bounds.get("rmax", math.inf)
            and bounds.get("dmax", 0) >= 0
        ):
            raise ValueError
        return tuple(sorted(bounds.items()))


@dataclass(frozen=True, repr=False)
class BatchNormalization(Layer):
    """Batch normalization; Keras's `BatchNormalization`.

    The output is `gamma * (x - mean) / sqrt(variance + epsilon) + beta`. In training mode, the mean
    and the variance are those of the batch, and the moving statistics in the state are updated:
    `moving * momentum + batch * (1 - momentum)`. In inference mode, they are the moving statistics.
    The computation uses at least float32 for any dtype of the input.

    Under `jax.jit` on several devices, the statistics are those of the global batch.

    Args:
        axis: The axis to be normalized separately, counting the batch; usually the channel axis.
        momentum: Momentum of the moving mean and variance, from 0 to 1.
        epsilon: Constant added to the variance; not negative.
        center: Whether to add beta.
        scale: Whether to multiply by gamma.
        beta_initializer: A name or a function `(key, shape, dtype) -> array`.
        gamma_initializer: Likewise for gamma.
        moving_mean_initializer: Likewise for the moving mean.
        moving_variance_initializer: Likewise for the moving variance.
        beta_regularizer: A name or a function from beta to a scalar penalty.
        gamma_regularizer: Likewise for gamma.
        beta_constraint: A name or a function that projects beta.
        gamma_constraint: Likewise for gamma.
        renorm: Whether to use batch renormalization, which corrects the statistics of the batch in
            training mode towards moving averages.
        renorm_clipping: Bounds of this correction, a dictionary with any of the keys `"rmin"`,
            `"rmax"` and `"dmax"`.
        renorm_momentum: Momentum of these moving averages, from 0 to 1.
        synchronized: Keras's argument for TensorFlow; must be False, as in Keras on JAX.

    Params:
        `gamma` and `beta`, [axis size].

    State:
        `moving_mean` and `moving_variance`, [axis size]; with `renorm` also `moving_stddev`,
        `renorm_mean` and `renorm_stddev`.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is out of range, or the input does not have the axis.

    Reference:
        Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167;
        Ioffe, 2017, https://arxiv.org/abs/1702.03275

    Example:
        >>> params, state = BatchNormalization().init(jax.random.key(0), (7, 7, 256))
        >>> params["gamma"].shape, state["moving_mean"].shape
        ((256,), (256,))
    """

    axis: fields.Integer = fields.Integer(default=-1)
    momentum: fields.Number = fields.Number(at_least=0, at_most=1, default=0.99)
    epsilon: fields.Number = fields.Number(at_least=0, default=1e-3)
    center: fields.Boolean = fields.Boolean(default=True)
    scale: fields.Boolean = fields.Boolean(default=True)
    beta_initializer: fields.Identifier = weights.initializer_field("zeros")
    gamma_initializer: fields.Identifier = weights.initializer_field("ones")
    moving_mean_initializer: fields.Identifier = weights.initializer_field("zeros")
    moving_variance_initializer: fields.Identifier = weights.initializer_field("ones")
    beta_regularizer: fields.Identifier = weights.regularizer_field()
    gamma_regularizer: fields.Identifier = weights.regularizer_field()
    beta_constraint: fields.Identifier = weights.constraint_field()
    gamma_constraint: fields.Identifier = weights.constraint_field()
    renorm: fields.Boolean = fields.Boolean(default=False)
    renorm_clipping: _Clipping = _Clipping(default=None)
    renorm_momentum: fields.Number = fields.Number(at_least=0, at_most=1, default=0.99)
    synchronized: fields.Boolean = fields.Boolean(default=False)

    def __post_init__(self) -> None:
        if self.synchronized:
            raise ValueError(
                "BatchNormalization: synchronized must be False, got True; under jax.jit on "
                "several devices, the statistics are always those of the global batch"
            )

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        extent = (self._extent(input_shape),)
        moving = {"moving_mean": extent, "moving_variance": extent}
        initialized = weights.initialize(self, key, self._weights(input_shape) | moving)
        params = {name: initialized[name] for name in initialized if name not in moving}
        state = {name: initialized[name] for name in moving}
        if self.renorm:
            stddev = jnp.sqrt(state["moving_variance"])
            state |= {
                "moving_stddev": stddev,
                "renorm_mean": state["moving_mean"],
                "renorm_stddev": stddev,
            }
        return params, state

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
        training = arguments.is_training(self, training)
        weights.check(self, "params", params, self._weights(shape))
        weights.check(self, "state", state, self._statistics(shape))
        axis = self._axis(shape)
        others = tuple(a for a in range(x.ndim) if a != axis)
        x, out_dtype = at_least_float32(x)
        dtype = x.dtype
        moving = {name: value.astype(dtype) for name, value in state.items()}
        new_state = moving
        # An empty batch has no statistics; in Keras, the moving statistics become NaN.
        if training and x.size != 0:
            mean, variance = jnp.mean(x, others), jnp.var(x, others)
            new_state = self._update_moving(moving, mean, variance)
        else:
            mean, variance = moving["moving_mean"], moving["moving_variance"]

        def along_axis(vector: Array) -> Array:
            return jnp.expand_dims(vector, others)

        y = (x - along_axis(mean)) * along_axis(lax.rsqrt(variance + self.epsilon))
        if self.renorm and training and x.size != 0:
            r, d = self._correction(moving, mean, variance)
            y = y * along_axis(r) + along_axis(d)
        if self.scale:
            y = y * along_axis(params["gamma"].astype(dtype))
        if self.center:
            y = y + along_axis(params["beta"].astype(dtype))
        cast_state = {name: new_state[name].astype(value.dtype) for name, value in state.items()}
        return y.astype(out_dtype), cast_state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        self._axis(shape)
        return shape

    penalty = weights.penalty
    constrain = weights.constrain

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        shape: Shape = (self._extent(input_shape),)
        return ({"gamma": shape} if self.scale else {}) | ({"beta": shape} if self.center else {})

    def _statistics(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        names = ["moving_mean", "moving_variance"]
        if self.renorm:
            names += ["moving_stddev", "renorm_mean", "renorm_stddev"]
        return dict.fromkeys(names, (self._extent(input_shape),))

    def _axis(self, shape: Sequence[int]) -> int:
        """Returns `axis` as a positive integer, counting the batch."""
        return axes.positive_axes(self, shape)[0]

    def _extent(self, input_shape: Sequence[int]) -> int:
        shape = arguments.example_shape(self, input_shape)
        return shape[self._axis(shape) - 1]

    def _update_moving(self, moving: State, mean: Array, variance: Array) -> State:
        """Returns the updated moving statistics."""

        def moving_average(name: str, value: Array, momentum: float) -> Array:
            old: Array = moving[name]
            return old * momentum + value * (1 - momentum)

        moving_mean = moving_average("moving_mean", mean, self.momentum)
        if not self.renorm:
            moving_variance = moving_average("moving_variance", variance, self.momentum)
            return {"moving_mean": moving_mean, "moving_variance": moving_variance}
        stddev = jnp.sqrt(variance + self.epsilon)
        moving_stddev = moving_average("moving_stddev", stddev, self.momentum)
        return {
            "moving_mean": moving_mean,
            "moving_variance": jnp.maximum(moving_stddev**2 - self.epsilon, 0),
            "moving_stddev": moving_stddev,
            "renorm_mean": moving_average("renorm_mean", mean, self.renorm_momentum),
            "renorm_stddev": moving_average("renorm_stddev", stddev, self.renorm_momentum),
        }

    def _correction(self, moving: State, mean: Array, variance: Array) -> tuple[Array, Array]:
        """Returns the factor r and the offset d of batch renormalization, without gradients."""
        bounds = dict(self.renorm_clipping or ())
        floor = jnp.sqrt(jnp.asarray(self.epsilon, mean.dtype))
        renorm_stddev = jnp.maximum(moving["renorm_stddev"], floor)
        r = jnp.sqrt(variance + self.epsilon) / renorm_stddev
        d = (mean - moving["renorm_mean"]) / renorm_stddev
        r = jnp.clip(r, bounds.get("rmin"), bounds.get("rmax"))
        limit = bounds.get("dmax")
        d = d if limit is None else jnp.clip(d, -limit, limit)
        return lax.stop_gradient(r), lax.stop_gradient(d)
