"""Random arrays that compile fast, and random masks for dropout."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

# Two numbers of 16 bits are drawn from the 32 that JAX's generators compute at a time, where they
# give the probability up to this relative error: generating bits takes nearly all of the time of
# dropout on the CPU (128 x 14 x 14 x 64: 21 ms with 32 bits per number, 12 with 16).
_RELATIVE_ERROR = 1e-4
_VALUES = 2**16


# Numbers of elements of the arrays that smaller ones are the beginning of.
_SIZES = (2**10, 2**14, 2**18)


def draw(
    sampler: Callable[[tuple[int, ...]], Array], shape: Sequence[int], key: Array | None
) -> Array:
    """Returns a random array that is drawn with few axes and in few sizes.

    The values are the same as those of `sampler(shape)`.

    Outside `jit`, arrays of up to 2**18 elements are the beginning of a longer one, so that the
    generator is compiled for three sizes and not for each shape: JAX's partitionable Threefry
    numbers depend on the position in the array, but not on its size. `init` of MobileNetV2 takes
    2 s on the CPU instead of 5.

    Otherwise, the array is drawn with at most two axes. XLA compiles random numbers of four axes
    many times slower, because it repeats the computation of their positions in every round of the
    generator (kernel of 3 x 3 x 8 x 17: 9.3 s instead of 0.8).

    Args:
        sampler: A function from a shape to an array whose elements are computed one by one, such as
            `partial(jax.random.normal, key)`.
        shape: Shape of the array. The first axis is one of the two, so that arrays that are divided
            among devices by their batch remain so.
        key: The key of `sampler`.
    """
    shape = tuple(shape)
    if _depends_on_positions_only(key) and all(isinstance(size, int) for size in shape):
        sizes = [size for size in _SIZES if math.prod(shape) <= size]
        drawn = sampler((sizes[0],)) if sizes else None
        if drawn is not None and not isinstance(drawn, jax.core.Tracer):
            beginning: Array = _beginning(drawn, shape)
            return beginning
    if len(shape) <= 2:
        return sampler(shape)
    return sampler((shape[0], math.prod(shape[1:]))).reshape(shape)


def _depends_on_positions_only(key: Array | None) -> bool:
    """Whether the random numbers of a key are those of a prefix of any longer array."""
    if key is None or isinstance(key, jax.core.Tracer):
        return False
    partitionable: bool = getattr(jax.config, "jax_threefry_partitionable", False)
    return partitionable and str(jax.random.key_impl(key)) == "threefry2x32"


@partial(jax.jit, static_argnames="shape")
def _beginning(array: Array, shape: tuple[int, ...]) -> Array:
    beginning: Array = array[: math.prod(shape)].reshape(shape)
    return beginning


def bernoulli(key: Array, probability: float, shape: tuple[int, ...]) -> Array:
    """Returns an array of random booleans, as `jax.random.bernoulli` with fewer random bits.

    Args:
        key: A JAX random key.
        probability: Probability of `True`, from 0 to 1.
        shape: Shape of the array.
    """
    threshold = round(probability * _VALUES)
    error = abs(threshold - probability * _VALUES)
    # Probabilities of both values have to be right.
    rare = min(probability, 1 - probability) * _VALUES
    even = bool(shape) and isinstance(shape[-1], int) and shape[-1] % 2 == 0
    if not even or threshold == _VALUES or error > _RELATIVE_ERROR * rare:
        return draw(lambda shape: jax.random.bernoulli(key, probability, shape), shape, key)
    # Halves along the last axis: arrays divided among devices by their batch remain so.
    half = (*shape[:-1], shape[-1] // 2)
    bits = draw(lambda shape: jax.random.bits(key, shape, jnp.uint32), half, key)
    halves = jnp.concatenate([bits >> 16, bits & (_VALUES - 1)], -1)
    drawn: Array = halves < jnp.uint32(threshold)
    return drawn
