import jax
import numpy as np
import pytest
import scipy.linalg

from jaxlayers.metrics import FeatureStatistics, frechet_distance

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 6)).astype(np.float32)
Y = (RANDOM.normal(size=(40, 6)) @ RANDOM.normal(size=(6, 6)) + 0.5).astype(np.float32)
ROUNDING = 1e-6  # distances are computed in float64 and rounded to float32


def reference(x, y):
    """The formula of the paper in float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    covariances = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    difference = x.mean(0) - y.mean(0)
    return difference @ difference + np.trace(covariances[0] + covariances[1] - 2 * root)


@pytest.mark.parametrize("offset", [0, 1000])
def test_distances_equal_the_formula_in_float64(offset):
    x, y = X + np.float32(offset), Y + np.float32(offset)
    np.testing.assert_allclose(frechet_distance(x, y), reference(x, y), rtol=ROUNDING)


def test_distances_with_fewer_samples_than_features_are_those_of_singular_covariances():
    x, y = RANDOM.normal(size=(5, 40)), RANDOM.normal(size=(5, 40))
    # The trace of the square root of the product of two covariances is the sum of the singular
    # values of the product of their factors.
    factors = [(samples - samples.mean(0)) / 2 for samples in (x, y)]
    expected = sum((factor**2).sum() for factor in factors)
    expected -= 2 * np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    expected += ((x.mean(0) - y.mean(0)) ** 2).sum()
    np.testing.assert_allclose(frechet_distance(x, y), expected, rtol=ROUNDING)


def test_the_distance_from_scaled_and_shifted_features_has_a_closed_form():
    x = X.astype(np.float64)
    shift = 3 * x.mean(0) - x.mean(0) + 2
    expected = shift @ shift + (3 - 1) ** 2 * np.trace(np.cov(x, rowvar=False))
    np.testing.assert_allclose(frechet_distance(x, 3 * x + 2), expected, rtol=ROUNDING)


def test_distances_are_symmetric_and_invariant_to_rotations_and_shifts():
    distance = frechet_distance(X, Y)
    rotation = np.linalg.qr(RANDOM.normal(size=(6, 6)))[0]
    np.testing.assert_allclose(frechet_distance(Y, X), distance, rtol=ROUNDING)
    rotated = frechet_distance(X @ rotation + 7, Y @ rotation + 7)
    np.testing.assert_allclose(rotated, distance, rtol=ROUNDING)


def test_the_distance_of_equal_features_is_zero():
    distance = frechet_distance(X, X)
    assert 0 <= distance < 1e-7 * X.var(0).sum()  # the square root of the precision of float64


def test_arrays_and_statistics_give_the_same_distance():
    expected = frechet_distance(X, Y)
    x, y = (FeatureStatistics.init(6).update(features) for features in (X, Y))
    for pair in ((x, y), (x, Y)):
        np.testing.assert_allclose(frechet_distance(*pair), expected, rtol=ROUNDING)


def test_distances_with_x64_are_float64():
    with jax.enable_x64(True):
        distance = frechet_distance(X, Y)
    assert distance.dtype == np.float64
    np.testing.assert_allclose(distance, reference(X, Y), rtol=1e-12)


def test_statistics_of_one_sample_have_a_distance_of_nan():
    assert np.isnan(frechet_distance(FeatureStatistics.init(6).update(X[:1]), Y))
