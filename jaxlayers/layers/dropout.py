"""Dropout."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers import arguments


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Sets a random fraction of the input to 0 in training mode; Keras's `Dropout`.

    Args:
        rate: Fraction of the input to drop, from 0 to 1; all other values are divided by
            `1 - rate`.
        noise_shape: Shape of the random mask, including the batch, which is broadcast to the input.
            `None` in place of an axis is the size of that axis of the input; `None` instead of a
            tuple is the shape of the input.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is out of range, or no key is passed in training mode.

    Reference:
        Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html

    Example:
        >>> y, _ = Dropout(0.5).apply({}, {}, jnp.ones((1, 4)), training=True,
        ...                           key=jax.random.key(0))
        >>> sorted(set(y.ravel().tolist()))
        [0.0, 2.0]
    """

    rate: fields.Number = fields.Number(at_least=0, at_most=1)
    noise_shape: fields.Optional[Sequence[int | None], tuple[int | None, ...]] = fields.Optional(
        fields.Tuple(
            fields.Optional(fields.PositiveInteger()), "a tuple of positive integers or None"
        )
    )

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
        if not arguments.is_training(self, training) or self.rate == 0:
            return x, state
        if self.rate == 1:
            return jnp.zeros_like(x), state
        if key is None:
            raise ValueError(
                f"{self!r}: key must be a JAX random key in training, got None; "
                "pass key=jax.random.key(...)"
            )
        fields.Key().check(self, "key", key)
        keep = jax.random.bernoulli(key, 1 - self.rate, self._mask_shape(x))
        return jnp.where(keep, x / (1 - self.rate), 0), state

    output_shape = arguments.same_shape

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        if self.noise_shape is None:
            return x.shape
        shape = tuple(
            extent if noise is None else noise
            for noise, extent in zip(self.noise_shape, x.shape, strict=False)
        )
        try:
            broadcast = jnp.broadcast_shapes(shape, x.shape)
        except ValueError:
            broadcast = None
        if broadcast != x.shape or len(shape) != len(self.noise_shape):
            raise ValueError(
                f"{self!r}: noise_shape must broadcast to the input, got {self.noise_shape} for "
                f"an input of shape {x.shape}"
            )
        return shape
