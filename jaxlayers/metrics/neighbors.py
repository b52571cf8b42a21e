"""Scores that compare samples by their nearest neighbors in a space of features."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers._fields import PositiveInteger
from jaxlayers.metrics._features import check_features, check_same_features
from jaxlayers.metrics._float64 import all_finite, in_float64, nan_unless

# Distances that are in memory at a time, 32 MiB.
_DISTANCES = 2**22
# Squared distances below this fraction of the squared norms are rounding errors. Features in
# float32 have errors of the same size.
_RESOLUTION = 1e-13


def precision_recall(
    real: Array | np.ndarray, fake: Array | np.ndarray, *, k: int = 3
) -> tuple[Array, Array]:
    """Returns the improved precision and recall of generated samples.

    Each sample has a ball, whose radius is the distance to its k-th nearest neighbor among the
    samples of its own set. Precision is the fraction of generated samples within the ball of a real
    sample: how many of them look real. Recall is the fraction of real samples within the ball of a
    generated sample: how much of the variation of real samples is generated. The balls contain
    their boundary, as in the implementation of the authors.

    Args:
        real: Features of real samples, [samples, features], at least `k + 1` samples.
        fake: Features of generated samples, [samples, features], at least `k + 1` samples.
        k: Number of neighbors.

    Returns:
        Precision and recall, two scalars from 0 to 1. Distances are computed in float64. The scores
        are NaN if a feature is NaN or infinite.

    Raises:
        ValueError: If an array is not of shape [samples, features], has fewer than `k + 1` samples,
            if the number of features is not the same, or if `k` is not a positive integer.
        TypeError: If it is differentiated.

    Reference:
        [Kynkäänniemi et al., 2019](https://arxiv.org/abs/1904.06991): Improved precision and recall
        metric for assessing generative models.

    Example:
        >>> real = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> fake = np.array([[0.0], [0.5], [1.0], [5.0]])
        >>> precision, recall = precision_recall(real, fake, k=1)
        >>> precision.tolist(), recall.tolist()
        (0.75, 0.5)
    """
    owner = "precision_recall"
    k = PositiveInteger().check(owner, "k", k)
    real = check_features(owner, "real", real, samples=k + 1)
    fake = check_features(owner, "fake", fake, samples=k + 1)
    check_same_features(owner, ("real", "fake"), real.shape[1], fake.shape[1])
    precision, recall = in_float64(owner, functools.partial(_precision_recall, k=k), real, fake)
    return precision, recall


def density_coverage(
    real: Array | np.ndarray, fake: Array | np.ndarray, *, k: int = 5
) -> tuple[Array, Array]:
    """Returns density and coverage of generated samples.

    Each real sample has a ball, whose radius is the distance to its k-th nearest neighbor among the
    real samples. Density is the mean number of balls that a generated sample is in, divided by `k`.
    Coverage is the fraction of balls that contain a generated sample. Unlike precision and recall,
    they are not raised by single outliers. The balls do not contain their boundary, as in the
    implementation of the authors.

    Args:
        real: Features of real samples, [samples, features], at least `k + 1` samples.
        fake: Features of generated samples, [samples, features].
        k: Number of neighbors.

    Returns:
        Density, which is 1 in expectation if both sets have the same distribution and may be
        larger, and coverage, from 0 to 1: two scalars. Distances are computed in float64. The
        scores are NaN if a feature is NaN or infinite.

    Raises:
        ValueError: If an array is not of shape [samples, features], `real` has fewer than `k + 1`
            samples, if the number of features is not the same, or if `k` is not a positive integer.
        TypeError: If it is differentiated.

    Reference:
        [Naeem et al., 2020](https://arxiv.org/abs/2002.09797): Reliable fidelity and diversity
        metrics for generative models.

    Example:
        >>> real = np.array([[0.0], [1.0], [10.0], [12.0]])
        >>> fake = np.array([[0.0], [0.5], [0.75], [5.0]])
        >>> density, coverage = density_coverage(real, fake, k=1)
        >>> density.tolist(), coverage.tolist()
        (1.25, 0.5)
    """
    owner = "density_coverage"
    k = PositiveInteger().check(owner, "k", k)
    real = check_features(owner, "real", real, samples=k + 1)
    fake = check_features(owner, "fake", fake)
    check_same_features(owner, ("real", "fake"), real.shape[1], fake.shape[1])
    density, coverage = in_float64(owner, functools.partial(_density_coverage, k=k), real, fake)
    return density, coverage


@functools.partial(jax.jit, static_argnames="k")
def _precision_recall(real: Array, fake: Array, *, k: int) -> tuple[Array, ...]:
    origin = real.mean(0, dtype=jnp.float64)
    precision = _covered(fake, real, origin, k)
    recall = _covered(real, fake, origin, k)
    return nan_unless(all_finite(real, fake), precision, recall)


@functools.partial(jax.jit, static_argnames="k")
def _density_coverage(real: Array, fake: Array, *, k: int) -> tuple[Array, ...]:
    origin = real.mean(0, dtype=jnp.float64)
    radii = _radii(real, origin, k)

    def balls(distances: Array) -> Array:
        return (distances < radii).sum(dtype=jnp.int32)

    density = _map_distances(balls, fake, real, origin).mean(dtype=jnp.float64) / k
    nearest = _map_distances(jnp.min, real, fake, origin)
    coverage = (nearest < radii).mean(dtype=jnp.float64)
    return nan_unless(all_finite(real, fake), density, coverage)


def _covered(points: Array, centers: Array, origin: Array, k: int) -> Array:
    """Returns the fraction of points that are within the ball of a center."""
    radii = _radii(centers, origin, k)

    def is_covered(distances: Array) -> Array:
        return (distances <= radii).any()

    return _map_distances(is_covered, points, centers, origin).mean(dtype=jnp.float64)


def _radii(points: Array, origin: Array, k: int) -> Array:
    """Returns the squared distance of each point to its k-th nearest neighbor in the same set."""
    # The smallest distance is that of the point to itself.
    return _map_distances(functools.partial(_smallest, k=k + 1), points, points, origin)


def _map_distances(
    function: Callable[[Array], Array], rows: Array, columns: Array, origin: Array
) -> Array:
    """Calls a function with the squared distances of each row to all columns, in float64.

    Args:
        function: A function of the distances of one row, [columns].
        rows: Points, [rows, features].
        columns: Points, [columns, features].
        origin: A point that is subtracted from all others, so that their squared norms are not
            large compared with their distances.

    Returns:
        The outputs of all rows. Distances of a limited number of rows are in memory at a time.
    """
    columns = columns.astype(jnp.float64) - origin
    norms = (columns * columns).sum(1)

    def of_row(row: Array) -> Array:
        row = row.astype(jnp.float64) - origin
        sizes = jnp.inner(row, row) + norms
        distances = sizes - 2.0 * jnp.inner(row, columns)
        return function(jnp.where(distances > _RESOLUTION * sizes, distances, 0.0))

    batch_size = max(1, _DISTANCES // columns.shape[0])
    outputs: Array = jax.lax.map(of_row, rows, batch_size=batch_size)
    return outputs


def _smallest(values: Array, k: int) -> Array:
    """Returns the k-th smallest value; equal values are counted separately."""
    # XLA on the CPU computes top_k in float64 by sorting all values.

    def next_value(_: int, value: Array) -> Array:
        reached = (values <= value).sum(dtype=jnp.int32) >= k
        return jnp.where(reached, value, jnp.where(values > value, values, jnp.inf).min())

    below_all = jnp.full((), -np.inf, values.dtype)
    smallest: Array = jax.lax.fori_loop(0, k, next_value, below_all)
    return smallest
