"""Mean and covariance of features, accumulated over batches."""

import dataclasses
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers._fields import PositiveInteger
from jaxlayers.metrics._features import check_features, check_same_features
from jaxlayers.metrics._float64 import in_float64

# Samples that are converted to float64 at a time.
_CHUNK = 4096


class Moments(NamedTuple):
    """Statistics in float64, as they are computed with."""

    samples: Array  # number of samples
    mean: Array  # [features]
    scatter: Array  # [features, features], the sum of products of deviations from the mean


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Number of samples, mean and covariance of features, for `frechet_distance`.

    The statistics are an immutable value and a pytree of arrays. `init`, `update` and `merge` are
    pure functions, which can be used in `jit`, `scan`, `vmap` and `shard_map`. Statistics of
    batches that are computed separately, for example on several devices, are merged at the end.

    Everything is computed in float64 with the formulas of Chan et al., which do not subtract large
    numbers from each other if the mean of a feature is large compared with its deviation. Each
    number in float64 is stored as a pair in float32, the rounded number and the rounding error,
    because a program without x64 cannot have arrays in float64. `mean.sum(0)` is the mean in
    float32.

    Args:
        count: Number of samples, int32.
        mean: Mean of each feature, float32 [2, features].
        scatter: Sum of the products of deviations from the mean, float32 [2, features, features].
            The covariance is the scatter divided by `count - 1`.

    Reference:
        [Chan et al., 1983](https://doi.org/10.1080/00031305.1983.10483115): Algorithms for
        computing the sample variance.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(100, 3))
        >>> statistics = FeatureStatistics.init(3)
        >>> for batch in np.split(features, 4):
        ...     statistics = statistics.update(batch)
        >>> bool(np.allclose(statistics.covariance(), np.cov(features, rowvar=False)))
        True
    """

    count: Array
    mean: Array
    scatter: Array

    @classmethod
    def init(cls, features: int) -> Self:
        """Returns the statistics of no samples.

        Args:
            features: Number of features.

        Raises:
            ValueError: If it is not a positive integer.
        """
        size = PositiveInteger().check("FeatureStatistics", "features", features)
        return cls(
            jnp.zeros((), jnp.int32),
            jnp.zeros((2, size), jnp.float32),
            jnp.zeros((2, size, size), jnp.float32),
        )

    def update(self, features: Array | np.ndarray) -> Self:
        """Returns the statistics after more samples.

        Args:
            features: Real numbers, [samples, features].

        Raises:
            ValueError: If the features have another shape.
        """
        owner = "FeatureStatistics.update"
        features = check_features(owner, "features", features, samples=0)
        names = ("features", "the statistics")
        check_same_features(owner, names, features.shape[1], self.mean.shape[1])
        updated: Self = in_float64(owner, _update, self, features)
        return updated

    def merge(self, other: Self) -> Self:
        """Returns the statistics of the samples of both.

        Args:
            other: The statistics of other samples.

        Raises:
            ValueError: If the number of features is not the same.
        """
        owner = "FeatureStatistics.merge"
        names = ("other", "the statistics")
        check_same_features(owner, names, other.mean.shape[1], self.mean.shape[1])
        merged: Self = in_float64(owner, _merge, self, other)
        return merged

    def covariance(self) -> Array:
        """Returns the covariance, [features, features]; NaN for fewer than two samples."""
        covariance: Array = in_float64("FeatureStatistics.covariance", _covariance, self)
        return covariance


def moments(statistics: FeatureStatistics) -> Moments:
    """Returns statistics in float64. x64 must be enabled."""
    return Moments(
        statistics.count.astype(jnp.float64),
        statistics.mean.astype(jnp.float64).sum(0),
        statistics.scatter.astype(jnp.float64).sum(0),
    )


def moments_of(features: Array) -> Moments:
    """Returns the statistics of an array of features in float64. x64 must be enabled."""
    chunks = features.shape[0] // _CHUNK
    total = _moments_of_chunk(features[chunks * _CHUNK :])
    if chunks:
        stacked = features[: chunks * _CHUNK].reshape(chunks, _CHUNK, -1)
        total, _ = jax.lax.scan(
            lambda sums, chunk: (merged(sums, _moments_of_chunk(chunk)), None), total, stacked
        )
    return total


def covariance(statistics: Moments) -> Array:
    """Returns the covariance; NaN for fewer than two samples."""
    enough = statistics.samples >= 2
    return statistics.scatter / jnp.where(enough, statistics.samples - 1, jnp.nan)


def merged(first: Moments, second: Moments) -> Moments:
    """Returns the statistics of the samples of both."""
    samples = first.samples + second.samples
    difference = second.mean - first.mean
    fraction = second.samples / jnp.maximum(samples, 1)
    return Moments(
        samples,
        first.mean + fraction * difference,
        first.scatter
        + second.scatter
        + first.samples * fraction * jnp.outer(difference, difference),
    )


def _moments_of_chunk(features: Array) -> Moments:
    features = features.astype(jnp.float64)
    samples = jnp.full((), features.shape[0], jnp.float64)
    mean = features.sum(0) / jnp.maximum(samples, 1)
    deviations = features - mean
    return Moments(samples, mean, deviations.T @ deviations)


def _stored(statistics: Moments) -> FeatureStatistics:
    return FeatureStatistics(
        statistics.samples.astype(jnp.int32), _pair(statistics.mean), _pair(statistics.scatter)
    )


def _pair(values: Array) -> Array:
    """Returns float64 values rounded to float32, and the rounding errors."""
    # XLA may remove a conversion to float32 and back, but not this operation.
    rounded = jax.lax.reduce_precision(values, exponent_bits=8, mantissa_bits=23)
    return jnp.stack([rounded, values - rounded]).astype(jnp.float32)


@jax.jit
def _update(statistics: FeatureStatistics, features: Array) -> FeatureStatistics:
    return _stored(merged(moments(statistics), moments_of(features)))


@jax.jit
def _merge(first: FeatureStatistics, second: FeatureStatistics) -> FeatureStatistics:
    return _stored(merged(moments(first), moments(second)))


@jax.jit
def _covariance(statistics: FeatureStatistics) -> Array:
    return covariance(moments(statistics))
