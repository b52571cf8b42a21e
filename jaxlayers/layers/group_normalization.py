"""Normalization of groups of channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, axes, weights
from jaxlayers.layers.precision import at_least_float32


class _Groups(fields.Integer):
    """A positive integer, or -1."""

    def __init__(self, default: int) -> None:
        super().__init__(default=default)
        self.allowed = "a positive integer, or -1 for one group per channel"

    def convert(self, value: Any) -> int:
        groups = super().convert(value)
        if groups < 1 and groups != -1:
            raise ValueError
        return groups


@dataclass(frozen=True, repr=False)
class GroupNormalization(Layer):
    """Group normalization; Keras's `GroupNormalization`.

    The channels are divided into groups of consecutive channels. The output is
    `gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with the mean and the variance of each
    example over the channels of a group and all other axes. The computation uses at least float32
    for any dtype of the input.

    Args:
        groups: Number of groups, which divides the number of channels; -1 for one group per
            channel, which is instance normalization.
        axis: The channel axis, counting the batch.
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
        `gamma` and `beta`, [channels].

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is out of range, the input does not have the axis, or the number
            of channels is not a multiple of `groups`.

    Reference:
        Wu and He, 2018, https://arxiv.org/abs/1803.08494

    Example:
        >>> params, state = GroupNormalization().init(jax.random.key(0), (7, 7, 256))
        >>> params["gamma"].shape
        (256,)
    """

    groups: _Groups = _Groups(default=32)
    axis: fields.Integer = fields.Integer(default=-1)
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
        (axis,) = axes.positive_axes(self, shape)
        channels = x.shape[axis]
        groups = channels if self.groups == -1 else self.groups
        x, dtype = at_least_float32(x)
        grouped = jnp.reshape(
            x, (*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :])
        )
        over = [other for other in range(1, grouped.ndim) if other != axis]
        y = jnp.reshape(ops.standardize(grouped, over, self.epsilon), x.shape)
        if self.scale:
            y = y * axes.along((axis,), params["gamma"].astype(x.dtype), x)
        if self.center:
            y = y + axes.along((axis,), params["beta"].astype(x.dtype), x)
        return y.astype(dtype), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        (axis,) = axes.positive_axes(self, shape)
        channels = shape[axis - 1]
        if channels < 1 or channels % (channels if self.groups == -1 else self.groups):
            raise ValueError(
                f"{self!r}: groups must divide the number of channels, which is {channels} for "
                f"examples of shape {shape}, got {self.groups}"
            )
        return shape

    penalty = weights.penalty
    constrain = weights.constrain

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        shape = self.output_shape(input_shape)
        (axis,) = axes.positive_axes(self, shape)
        channels: Shape = (shape[axis - 1],)
        return ({"gamma": channels} if self.scale else {}) | (
            {"beta": channels} if self.center else {}
        )
