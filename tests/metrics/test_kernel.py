import jax
import numpy as np

from jaxlayers.metrics import kernel, kernel_distance

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(14, 5)).astype(np.float32)
Y = (RANDOM.normal(size=(12, 5)) + 1).astype(np.float32)
KEY = jax.random.key(0)
ROUNDING = 1e-6  # distances are computed in float64 and rounded to float32


def reference(x, y):
    """The unbiased estimate of the paper, pair by pair, in float64."""

    def k(a, b):
        return (np.dot(a.astype(np.float64), b.astype(np.float64)) / len(a) + 1) ** 3

    n = len(x)
    pairs = [(i, j) for i in range(n) for j in range(n)]
    within = sum(k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs if i != j) / (n * (n - 1))
    return within - 2 * sum(k(x[i], y[j]) for i, j in pairs) / n**2


def test_mean_and_deviation_over_subsets_equal_the_formula_in_float64():
    mean, std = kernel_distance(X, Y, subsets=3, subset_size=6, key=KEY)
    subsets = zip(*kernel._draw(KEY, (14, 12), 3, 6), strict=True)
    expected = [reference(X[i], Y[j]) for i, j in subsets]
    np.testing.assert_allclose(mean, np.mean(expected), rtol=ROUNDING)
    np.testing.assert_allclose(std, np.std(expected), rtol=ROUNDING)


def test_a_subset_of_all_samples_gives_the_same_distance_for_every_key():
    for key in jax.random.split(KEY):
        mean, std = kernel_distance(X[:12], Y, subsets=3, subset_size=12, key=key)
        np.testing.assert_allclose(mean, reference(X[:12], Y), rtol=ROUNDING)
        assert std < 1e-12


def test_subsets_are_drawn_without_replacement_from_all_samples():
    x_indices, y_indices = np.asarray(kernel._draw(KEY, (10, 7), 50, 6))
    for indices, samples in ((x_indices, 10), (y_indices, 7)):
        assert all(len(set(subset)) == 6 for subset in indices.tolist())
        assert set(indices.flat) == set(range(samples))
    assert (x_indices != y_indices).any(1).all()


def test_the_distance_of_equal_distributions_may_be_negative():
    halves = np.split(RANDOM.normal(size=(400, 4)), 2)
    mean, _ = kernel_distance(*halves, subsets=40, subset_size=10, key=KEY)
    shifted, _ = kernel_distance(halves[0], halves[1] + 1, subsets=40, subset_size=10, key=KEY)
    assert abs(mean) < 0.2 < 2 < shifted


def test_subsets_do_not_depend_on_x64():
    expected = kernel_distance(X, Y, subsets=2, subset_size=4, key=KEY)
    with jax.enable_x64(True):
        scores = kernel_distance(X, Y, subsets=2, subset_size=4, key=KEY)
    assert scores[0].dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=ROUNDING)
