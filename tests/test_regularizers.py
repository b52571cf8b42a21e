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


def test_the_names_are_those_of_keras_regularizers() -> None:
    keras_regularizers = keras.src.regularizers.ALL_OBJECTS_DICT
    assert regularizers.BY_NAME.keys() == keras_regularizers.keys() - {"Regularizer", "regularizer"}
    for name, cls in regularizers.BY_NAME.items():
        assert cls.__name__ == keras_regularizers[name].__name__


@each
@pytest.mark.parametrize("shape", [(4, 6), (5, 2)])
def test_penalties_and_gradients_equal_keras(name, arguments, shape) -> None:
    x = jax.random.normal(jax.random.key(0), shape)
    regularizer = getattr(regularizers, name)(**arguments)
    keras_regularizer = getattr(keras.regularizers, name)(**arguments)
    (penalty, gradient), (expected, expected_gradient) = jax.jit(
        lambda x: (jax.value_and_grad(regularizer)(x), jax.value_and_grad(keras_regularizer)(x))
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


def test_the_orthogonal_penalty_of_a_single_row_is_zero() -> None:
    assert float(regularizers.OrthogonalRegularizer()(jnp.ones((1, 3)))) == 0


@each
def test_regularizers_are_equal_by_value_and_have_a_repr_that_constructs_them(
    name, arguments
) -> None:
    instance = getattr(regularizers, name)(**arguments)
    assert eval(repr(instance), vars(regularizers).copy()) == instance
    assert hash(instance) == hash(getattr(regularizers, name)(**arguments))


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
    if value is not None or argument == "factor":  # None is the default in Keras
        with pytest.raises(ValueError):
            getattr(keras.regularizers, name)(**{argument: value})


def test_the_orthogonal_regularizer_refuses_unknown_modes_and_other_ranks() -> None:
    with pytest.raises(ValueError, match="mode must be one of 'rows', 'columns', got 'diagonals'"):
        regularizers.OrthogonalRegularizer(mode="diagonals")
    with pytest.raises(ValueError, match=r"x must be a matrix, got an array of shape \(2, 3, 4\)"):
        regularizers.OrthogonalRegularizer()(jnp.ones((2, 3, 4)))


def test_callables_and_none_are_regularizers() -> None:
    assert regularizers.get(jnp.sum) is jnp.sum
    assert regularizers.get(None) is None
    for wrong, error in [("l3", ValueError), (3, TypeError)]:
        with pytest.raises(error, match="regularizer"):
            regularizers.get(wrong)
