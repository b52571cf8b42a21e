"""The Fréchet distance of two sets of features."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers.metrics._features import check_features, check_same_features
from jaxlayers.metrics._float64 import all_finite, in_float64, nan_unless
from jaxlayers.metrics.feature_statistics import (
    FeatureStatistics,
    covariance,
    moments,
    moments_of,
)


def frechet_distance(
    x: Array | np.ndarray | FeatureStatistics, y: Array | np.ndarray | FeatureStatistics
) -> Array:
    """Returns the squared Fréchet distance of two normal distributions fitted to features.

    With the means m and the covariances S of the features, it is
    `|m_x - m_y|**2 + trace(S_x + S_y - 2 * sqrt(sqrt(S_x) @ S_y @ sqrt(S_x)))`. The covariances are
    those of samples, divided by `n - 1`; they may be singular, as they are with fewer samples than
    features.

    The distance is called FID, Fréchet inception distance, only if the features are those of the
    published Inception network. Distances in different features, or of different numbers of
    samples, cannot be compared with each other: the fewer samples, the larger the distance.

    Args:
        x: Features, [samples, features] with at least two samples; or their `FeatureStatistics`.
        y: Features of other samples, in the same form or in the other.

    Returns:
        A scalar in the squared unit of the features, computed in float64. It is 0 for equal
        features, and NaN if a feature is NaN or infinite, or if statistics are those of fewer than
        two samples.

    Raises:
        ValueError: If an array is not of shape [samples, features], has fewer than two samples, or
            if the number of features is not the same.
        TypeError: If it is differentiated.

    Reference:
        [Heusel et al., 2017](https://arxiv.org/abs/1706.08500): GANs trained by a two time-scale
        update rule converge to a local Nash equilibrium.

    Example:
        >>> x = np.array([[0.0], [2.0]])
        >>> y = 3 * x + 1  # mean 4 instead of 1, deviation 3 * sqrt(2) instead of sqrt(2)
        >>> frechet_distance(x, y).tolist()
        17.0
    """
    x, y = _check("x", x), _check("y", y)
    check_same_features("frechet_distance", ("x", "y"), _features(x), _features(y))
    distance: Array = in_float64("frechet_distance", _distance, x, y)
    return distance


def _check(
    name: str, value: Array | np.ndarray | FeatureStatistics
) -> Array | np.ndarray | FeatureStatistics:
    if isinstance(value, FeatureStatistics):
        return value
    return check_features("frechet_distance", name, value, samples=2)


def _features(value: Array | np.ndarray | FeatureStatistics) -> int:
    shape = value.mean.shape if isinstance(value, FeatureStatistics) else value.shape
    return int(shape[1])


@jax.jit
def _distance(x: Array | FeatureStatistics, y: Array | FeatureStatistics) -> Array:
    first = moments(x) if isinstance(x, FeatureStatistics) else moments_of(x)
    second = moments(y) if isinstance(y, FeatureStatistics) else moments_of(y)
    covariances = covariance(first), covariance(second)
    difference = first.mean - second.mean
    finite = all_finite(difference, *covariances)
    # The eigendecomposition of a matrix that contains NaN may not end.
    finite_covariances = [
        jnp.where(finite, matrix, jnp.zeros_like(matrix)) for matrix in covariances
    ]
    distance = difference @ difference + sum(map(jnp.trace, finite_covariances))
    distance -= 2 * _trace_of_root(*finite_covariances)
    # Rounding errors may be negative.
    (distance,) = nan_unless(finite, jnp.maximum(distance, jnp.zeros_like(distance)))
    return distance


def _trace_of_root(first: Array, second: Array) -> Array:
    """Returns the trace of the square root of the product of two positive semidefinite matrices."""
    values, vectors = jnp.linalg.eigh(first)
    root = (vectors * _root(values)) @ vectors.T
    return _root(jnp.linalg.eigvalsh(root @ second @ root)).sum()


def _root(eigenvalues: Array) -> Array:
    """Returns square roots; eigenvalues that are 0 may be negative after rounding."""
    return jnp.sqrt(jnp.maximum(eigenvalues, jnp.zeros_like(eigenvalues)))
