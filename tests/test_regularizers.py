"""Keras's regularizers."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import regularizers

ARGUMENTS = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.3, "l2": 0.7}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "rows"}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
each = pytest.mark.parametrize(("name", "arguments"), ARGUMENTS)


def test_the_names_are_those_of_keras() -> None:
    theirs = keras.src.regularizers.ALL_OBJECTS_DICT
    assert regularizers.BY_NAME.keys() == theirs.keys() - {"Regularizer", "regularizer"}
    for name, found in regularizers.BY_NAME.items():
        assert found.__name__ == theirs[name].__name__


@each
@pytest.mark.parametrize("shape", [(4, 6), (5, 2)])
def test_penalties_and_gradients_are_those_of_keras(name, arguments, shape) -> None:
    x = jax.random.normal(jax.random.key(0), shape)
    ours = getattr(regularizers, name)(**arguments)
    theirs = getattr(keras.regularizers, name)(**arguments)
    (penalty, gradient), (expected, expected_gradient) = jax.jit(
        lambda x: (jax.value_and_grad(ours)(x), jax.value_and_grad(theirs)(x))
    )(x)
    assert penalty.shape == ()
    # Sums of some hundred products in float32.
    np.testing.assert_allclose(penalty, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-6)


@each
def test_gradients_at_zero_are_finite(name, arguments) -> None:
    regularizer = getattr(regularizers, name)(**arguments)
    half = jnp.zeros((3, 4)).at[0].set(1.0)
    for x in (jnp.zeros((3, 4)), half, half.at[:, 0].set(0.0)):
        assert np.all(np.isfinite(jax.jit(jax.grad(regularizer))(x)))


def test_a_single_row_is_orthogonal_to_nothing() -> None:
    assert float(regularizers.OrthogonalRegularizer()(jnp.ones((1, 3)))) == 0


@each
def test_they_are_values_that_print_as_the_call_that_makes_them(name, arguments) -> None:
    made = getattr(regularizers, name)(**arguments)
    assert eval(repr(made), vars(regularizers).copy()) == made
    assert hash(made) == hash(getattr(regularizers, name)(**arguments))


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("L1", "l1"),
        ("L2", "l2"),
        ("L1L2", "l1"),
        ("L1L2", "l2"),
        ("OrthogonalRegularizer", "factor"),
    ],
)
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "a", None])
def test_wrong_factors_are_refused_as_in_keras(name, argument, value) -> None:
    with pytest.raises(ValueError, match=f"{name}: {argument} must be .* got {value!r}"):
        getattr(regularizers, name)(**{argument: value})
    if value is not None or argument == "factor":  # which Keras takes for the default
        with pytest.raises(ValueError):
            getattr(keras.regularizers, name)(**{argument: value})


def test_the_orthogonal_one_refuses_other_modes_and_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match="mode must be one of 'rows', 'columns', got 'diagonals'"):
        regularizers.OrthogonalRegularizer(mode="diagonals")
    with pytest.raises(ValueError, match=r"x must be a matrix, got an array of shape \(2, 3, 4\)"):
        regularizers.OrthogonalRegularizer()(jnp.ones((2, 3, 4)))


def test_anything_callable_is_a_regularizer_and_none_is_none() -> None:
    assert regularizers.get(jnp.sum) is jnp.sum
    assert regularizers.get(None) is None
    for wrong, error in [("l3", ValueError), (3, TypeError)]:
        with pytest.raises(error, match="regularizer"):
            regularizers.get(wrong)
