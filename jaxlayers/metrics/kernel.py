"""The kernel distance of two sets of features."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers._fields import Integer, Key, PositiveInteger
from jaxlayers.metrics._features import check_features, check_same_features
from jaxlayers.metrics._float64 import all_finite, in_float64, nan_unless


def kernel_distance(
    x: Array | np.ndarray,
    y: Array | np.ndarray,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    key: Array,
) -> tuple[Array, Array]:
    """Returns the squared maximum mean discrepancy of two sets of features with a cubic kernel.

    The kernel is `(x @ y / features + 1)**3`. The estimate is unbiased: its expectation does not
    depend on the number of samples, and it may be negative. It is averaged over random subsets of
    both sets, each drawn without replacement.

    The distance is called KID, kernel inception distance, only if the features are those of the
    published Inception network.

    Args:
        x: Features, [samples, features].
        y: Features of other samples, [samples, features].
        subsets: Number of subsets.
        subset_size: Number of samples of `x` and of `y` in each subset, at least two.
        key: A JAX random key, from which the subsets are drawn.

    Returns:
        Mean and standard deviation over the subsets, two scalars, computed in float64. They are NaN
        if a feature is NaN or infinite.

    Raises:
        ValueError: If an array is not of shape [samples, features], has fewer than `subset_size`
            samples, if the number of features is not the same, or if another argument has a value
            that is not allowed.
        TypeError: If it is differentiated.

    Reference:
        [Bińkowski et al., 2018](https://arxiv.org/abs/1801.01401): Demystifying MMD GANs.

    Example:
        >>> x = np.array([[1.0], [2.0]])
        >>> y = np.array([[0.0], [1.0]])
        >>> mean, std = kernel_distance(x, y, subset_size=2, key=jax.random.key(0))
        >>> mean.tolist(), std.tolist()  # 27 + 1 - 2 * (1 + 8 + 1 + 27) / 4
        (9.5, 0.0)
    """
    owner = "kernel_distance"
    subsets = PositiveInteger().check(owner, "subsets", subsets)
    subset_size = Integer(at_least=2).check(owner, "subset_size", subset_size)
    key = Key().check(owner, "key", key)
    x = check_features(owner, "x", x, samples=subset_size)
    y = check_features(owner, "y", y, samples=subset_size)
    check_same_features(owner, ("x", "y"), x.shape[1], y.shape[1])
    drawn = _draw(key, (x.shape[0], y.shape[0]), subsets, subset_size)
    mean, std = in_float64(owner, _distance, x, y, *drawn)
    return mean, std


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _draw(
    key: Array, samples: tuple[int, int], subsets: int, subset_size: int
) -> tuple[Array, Array]:
    """Returns the indices of the samples of `x` and of `y`, [subsets, subset_size] each."""

    def draw(subset: Array) -> tuple[Array, ...]:
        keys = jax.random.split(jax.random.fold_in(key, subset))
        return tuple(
            jax.random.permutation(keys[i], jnp.arange(n, dtype=jnp.int32))[:subset_size]
            for i, n in enumerate(samples)
        )

    x_indices, y_indices = jax.lax.map(draw, jnp.arange(subsets, dtype=jnp.int32))
    return x_indices, y_indices


@jax.jit
def _distance(x: Array, y: Array, x_indices: Array, y_indices: Array) -> tuple[Array, ...]:
    def of_subset(indices: tuple[Array, Array]) -> Array:
        return _unbiased(x[indices[0]].astype(jnp.float64), y[indices[1]].astype(jnp.float64))

    distances = jax.lax.map(of_subset, (x_indices, y_indices))
    return nan_unless(all_finite(x, y), distances.mean(), distances.std())


def _unbiased(x: Array, y: Array) -> Array:
    """Returns the unbiased estimate for two sets of equal size."""
    size = x.shape[0]
    return (
        (_kernel(x, x).sum() - _diagonal(x).sum() + _kernel(y, y).sum() - _diagonal(y).sum())
        / (size * (size - 1))
    ) - 2 * _kernel(x, y).mean()


def _kernel(x: Array, y: Array) -> Array:
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def _diagonal(x: Array) -> Array:
    return ((x * x).sum(1) / x.shape[1] + 1.0) ** 3
