"""What all scores of generated images have in common."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.metrics import (
    density_coverage,
    frechet_distance,
    inception_score,
    kernel_distance,
    precision_recall,
)
from tests.wrong_values import COUNTS, assert_informative_error

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)
KEY = jax.random.key(0)
SCORES = {
    "frechet_distance": frechet_distance,
    "kernel_distance": functools.partial(kernel_distance, subsets=2, subset_size=4, key=KEY),
    "precision_recall": precision_recall,
    "density_coverage": density_coverage,
    "inception_score": lambda x, y: inception_score(x, splits=2),
}
PAIRS = {
    "frechet_distance": ("x", "y"),
    "kernel_distance": ("x", "y"),
    "precision_recall": ("real", "fake"),
    "density_coverage": ("real", "fake"),
}


def test_scores_can_be_compiled_without_x64():
    def scores(x, y):
        return {name: score(x, y) for name, score in SCORES.items()}

    compiled = jax.jit(scores)(X, Y)
    assert {score.dtype for score in jax.tree.leaves(compiled)} == {jnp.dtype("float32")}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9), compiled, scores(X, Y)
    )


def test_distances_can_be_vectorized():
    distances = jax.vmap(frechet_distance, in_axes=(0, None))(np.stack([X, X + 1]), Y)
    expected = [frechet_distance(x, Y) for x in (X, X + 1)]
    np.testing.assert_allclose(distances, expected, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", SCORES)
def test_features_that_are_not_finite_give_nan(name, value):
    x = X.copy()
    x[7, 1] = value
    assert all(np.isnan(score) for score in jax.tree.leaves(SCORES[name](x, Y)))
    if name in PAIRS:
        assert all(np.isnan(score) for score in jax.tree.leaves(SCORES[name](Y, x)))


@pytest.mark.parametrize("name", SCORES)
def test_derivatives_are_refused(name):
    def first(x):
        return jax.tree.leaves(SCORES[name](x, Y))[0]

    with pytest.raises(TypeError, match=f"{name} cannot be differentiated"):
        jax.grad(first)(X)


def test_scores_of_constants_can_be_part_of_a_differentiated_function():
    def loss(x):
        return (x**2).sum(), frechet_distance(jax.lax.stop_gradient(x), Y)

    gradient, distance = jax.grad(loss, has_aux=True)(X)
    np.testing.assert_allclose(gradient, 2 * X)
    np.testing.assert_allclose(distance, frechet_distance(X, Y))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "uint8"])
def test_features_of_other_dtypes_are_converted(dtype):
    x, y = (jnp.asarray(4 * np.abs(features)).astype(dtype) for features in (X, Y))
    expected = frechet_distance(np.asarray(x, np.float64), np.asarray(y, np.float64))
    np.testing.assert_allclose(frechet_distance(x, y), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [X[0], X[None], X[:, :0], X[:1], X.astype(complex), X > 0, np.full((12, 3), "x"), None],
    ids=["rank 1", "rank 3", "no features", "one sample", "complex", "bool", "text", "None"],
)
@pytest.mark.parametrize("name", PAIRS)
def test_features_of_another_shape_or_dtype_are_refused(name, wrong):
    first, second = PAIRS[name]
    got = str(np.asarray(wrong).shape)
    assert_informative_error(lambda: SCORES[name](wrong, Y), name, first, got)
    if name != "density_coverage" or np.shape(wrong) != (1, 3):
        assert_informative_error(lambda: SCORES[name](Y, wrong), name, second, got)


@pytest.mark.parametrize("name", PAIRS)
def test_different_numbers_of_features_are_refused(name):
    message = f"{name}: {PAIRS[name][0]} and {PAIRS[name][1]} must have the same .* got 3 and 2"
    with pytest.raises(ValueError, match=message):
        SCORES[name](X, Y[:, :2])


def test_fewer_samples_than_needed_are_refused():
    for call, message in (
        (lambda: frechet_distance(X, Y[:1]), r"frechet_distance: y must .* at least 2 samples"),
        (
            lambda: kernel_distance(X, Y[:5], subset_size=6, key=KEY),
            r"kernel_distance: y must .* at least 6 samples, got float32 of shape \(5, 3\)",
        ),
        (lambda: precision_recall(X, Y[:3]), r"precision_recall: fake must .* at least 4 samples"),
        (lambda: density_coverage(X[:5], Y), r"density_coverage: real must .* at least 6 samples"),
        (lambda: density_coverage(X, Y[:0]), r"density_coverage: fake must .* at least 1 samples"),
        (lambda: inception_score(X[:9]), r"inception_score: logits must .* at least 10 samples"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("value", COUNTS)
def test_counts_are_positive_integers(value):
    for call, owner, argument in (
        (lambda: precision_recall(X, Y, k=value), "precision_recall", "k"),
        (lambda: density_coverage(X, Y, k=value), "density_coverage", "k"),
        (lambda: inception_score(X, splits=value), "inception_score", "splits"),
        (lambda: kernel_distance(X, Y, subsets=value, key=KEY), "kernel_distance", "subsets"),
        (
            lambda: kernel_distance(X, Y, subset_size=value, key=KEY),
            "kernel_distance",
            "subset_size",
        ),
    ):
        assert_informative_error(call, owner, argument, repr(value))


def test_a_subset_of_one_sample_and_other_keys_are_refused():
    with pytest.raises(ValueError, match="subset_size must be an integer of at least 2, got 1"):
        kernel_distance(X, Y, subset_size=1, key=KEY)
    with pytest.raises(ValueError, match="key must be a JAX random key"):
        kernel_distance(X, Y, subset_size=4, key=0)
