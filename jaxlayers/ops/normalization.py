"""Normalization of arrays, and the power iteration for the spectral norm of a matrix."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax


def standardize(x: Array, axes: Sequence[int], epsilon: float) -> Array:
    """Returns `(x - mean) / sqrt(variance + epsilon)`.

    Args:
        x: An array of floats.
        axes: The axes over which the mean and the variance are computed.
        epsilon: Constant added to the variance.
    """
    centered = x - jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(jnp.square(centered), axes, keepdims=True)
    return centered * lax.rsqrt(variance + epsilon)


def unit_norm(x: Array, axes: Sequence[int] | None = None, epsilon: float = 1e-7) -> Array:
    """Divides `x` by its L2 norm, as `keras.ops.normalize`.

    Args:
        x: An array of floats.
        axes: The axes over which the norm is computed; `None` for all.
        epsilon: Lower bound of the norm.
    """
    squared = jnp.sum(jnp.square(x), axes, keepdims=True)
    # Without the bound inside, the derivative at 0 would be NaN.
    is_small = squared < epsilon**2
    return x * jnp.where(is_small, 1 / epsilon, lax.rsqrt(jnp.where(is_small, 1, squared)))


def spectral_norm(matrix: Array, vector: Array, iterations: int) -> tuple[Array, Array]:
    """Estimates the largest singular value of a matrix by power iteration.

    Args:
        matrix: [rows, columns].
        vector: [1, columns], the estimate of the right singular vector.
        iterations: Number of iterations, at least 1.

    Returns:
        The singular value, a scalar, and the new estimate of the vector. The vectors are constants
        for differentiation.
    """
    constant = lax.stop_gradient(matrix)
    right, left = vector, vector
    for _ in range(iterations):
        left = unit_norm(right @ constant.T)
        right = unit_norm(left @ constant)
    left, right = lax.stop_gradient((left, right))
    return jnp.reshape(left @ matrix @ right.T, ()), right
