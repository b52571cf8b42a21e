"""Layers that add noise in training mode, or multiply by it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers import arguments
from jaxlayers.layers.precision import at_least_float32, floating
from jaxlayers.layers.randomness import noise_shape_field, noise_shape_for, required_key
from jaxlayers.ops.random import bernoulli, draw


@dataclass(frozen=True, repr=False)
class GaussianNoise(Layer):
    """Adds normally distributed noise in training mode; Keras's `GaussianNoise`.

    The noise has at least the precision of float32, for any dtype of the input.

    Args:
        stddev: Standard deviation of the noise, from 0 to 1. Its mean is 0.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `stddev` is out of range, or no key is passed in training mode.

    Example:
        >>> y, _ = GaussianNoise(0.1).apply({}, {}, jnp.zeros((100, 100)), training=True,
        ...                                 key=jax.random.key(0))
        >>> round(y.std().item(), 2)
        0.1
    """

    stddev: fields.Number = fields.Number(at_least=0, at_most=1)

    # Noise on probabilities is not the same as noise on logits.
    output_values = "mixed"

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
        if not arguments.is_training(self, training) or self.stddev == 0:
            return x, state
        x, dtype = at_least_float32(x)
        return (x + self.stddev * _normal(self, key, x)).astype(dtype), state

    output_shape = arguments.same_shape


@dataclass(frozen=True, repr=False)
class GaussianDropout(Layer):
    """Multiplies by normally distributed noise in training mode; Keras's `GaussianDropout`.

    The noise has the mean 1 and the standard deviation `sqrt(rate / (1 - rate))`, as that of
    `Dropout`, and at least the precision of float32, for any dtype of the input.

    Args:
        rate: Fraction that `Dropout` with the same standard deviation drops, from 0 to below 1.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `rate` is out of range, or no key is passed in training mode.

    Reference:
        Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html

    Example:
        >>> y, _ = GaussianDropout(0.5).apply({}, {}, jnp.ones((100, 100)), training=True,
        ...                                   key=jax.random.key(0))
        >>> round(y.mean().item(), 1), round(y.std().item(), 1)
        (1.0, 1.0)
    """

    rate: fields.Number = fields.Number(at_least=0, below=1)

    output_values = "mixed"

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
        x, dtype = at_least_float32(x)
        stddev = math.sqrt(self.rate / (1 - self.rate))
        return (x * (1 + stddev * _normal(self, key, x))).astype(dtype), state

    output_shape = arguments.same_shape


@dataclass(frozen=True, repr=False)
class AlphaDropout(Layer):
    """Dropout that preserves mean and variance in SELU networks; Keras's `AlphaDropout`.

    In training mode, a random fraction of the input is set to the limit of `selu` for large
    negative inputs. An affine function then restores mean 0 and variance 1.

    Args:
        rate: Fraction of the input to drop, from 0 to below 1.
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
        Klambauer et al., 2017, https://arxiv.org/abs/1706.02515

    Example:
        >>> y, _ = AlphaDropout(0.5).apply({}, {}, jnp.zeros((1, 100)), training=True,
        ...                                key=jax.random.key(0))
        >>> [round(value, 3) for value in sorted(set(y.ravel().tolist()))]
        [-0.779, 0.779]
    """

    rate: fields.Number = fields.Number(at_least=0, below=1)
    noise_shape: fields.Optional[Sequence[int | None], tuple[int | None, ...]] = noise_shape_field()

    output_values = "mixed"

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
        x, rate = floating(x), self.rate
        shape = noise_shape_for(self, x)
        keep = bernoulli(required_key(self, key), 1 - rate, shape)
        factor = ((1 - rate) * (1 + rate * _SELU_LIMIT**2)) ** -0.5
        return factor * (jnp.where(keep, x, _SELU_LIMIT) - _SELU_LIMIT * rate), state

    output_shape = arguments.same_shape


# -alpha * scale of selu.
_SELU_LIMIT = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946


def _normal(layer: Layer, key: Array | None, x: Array) -> Array:
    """Returns noise with the shape and the dtype of `x`."""
    key = required_key(layer, key)
    return draw(lambda shape: jax.random.normal(key, shape, x.dtype), x.shape, key)
