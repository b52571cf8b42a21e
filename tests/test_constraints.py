"""Keras's constraints."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import constraints

ARGUMENTS = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": 1}),
    ("MaxNorm", {"max_value": 1.0, "axis": (0, 1)}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": [0, 1]}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.7, "max_value": 0.9, "rate": 0.3, "axis": -1}),
]
each = pytest.mark.parametrize(("name", "arguments"), ARGUMENTS)


def test_the_names_are_those_of_keras_constraints() -> None:
    keras_constraints = keras.src.constraints.ALL_OBJECTS_DICT
    base = {"Constraint", "constraint"}
    assert constraints.BY_NAME.keys() == keras_constraints.keys() - base
    for name, constraint in constraints.BY_NAME.items():
        assert constraint.__name__ == keras_constraints[name].__name__


@each
@pytest.mark.parametrize("shape", [(4, 6), (3, 2, 2, 5)])
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_projections_equal_keras(name, arguments, shape, scale) -> None:
    w = scale * jax.random.normal(jax.random.key(0), shape)
    both = getattr(constraints, name)(**arguments), getattr(keras.constraints, name)(**arguments)
    actual, expected = jax.jit(lambda w: [constraint(w) for constraint in both])(w)
    assert actual.shape == w.shape
    # Norms of at most 24 numbers in float32.
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@each
def test_zero_weights_are_unchanged_and_have_finite_gradients(name, arguments) -> None:
    constraint = getattr(constraints, name)(**arguments)
    zeros = jnp.zeros((3, 4))
    np.testing.assert_array_equal(constraint(zeros), zeros)
    gradient = jax.jit(jax.grad(lambda w: jnp.sum(constraint(w) * jnp.arange(4.0))))
    assert np.all(np.isfinite(gradient(zeros)))
    assert np.all(np.isfinite(gradient(zeros.at[0].set(1.0))))


def test_norms_are_within_their_bounds() -> None:
    w = jax.random.normal(jax.random.key(0), (50, 20)) * jnp.logspace(-3, 1, 20)

    def norms(constraint):
        return np.linalg.norm(constraint(w), axis=0)

    assert np.all(norms(constraints.MaxNorm(1.5)) < 1.5 + 1e-5)
    np.testing.assert_allclose(norms(constraints.UnitNorm()), 1, atol=1e-4)
    min_max_norms = norms(constraints.MinMaxNorm(0.5, 0.8))
    assert np.all((min_max_norms > 0.5 - 1e-4) & (min_max_norms < 0.8 + 1e-4))
    assert np.all(constraints.NonNeg()(w) >= 0)


@each
def test_constraints_are_equal_by_value_and_have_a_repr_that_constructs_them(
    name, arguments
) -> None:
    constraint = getattr(constraints, name)(**arguments)
    assert eval(repr(constraint), vars(constraints).copy()) == constraint
    assert hash(constraint) == hash(getattr(constraints, name)(**arguments))


@each
def test_constraints_keep_the_dtype(name, arguments) -> None:
    constraint = getattr(constraints, name)(**arguments)
    assert constraint(jnp.ones((3, 4), jnp.bfloat16)).dtype == jnp.bfloat16


def test_callables_and_none_are_constraints() -> None:
    assert constraints.get(jnp.abs) is jnp.abs
    assert constraints.get(None) is None
    for wrong, error in [("norm", ValueError), (3, TypeError)]:
        with pytest.raises(error, match="constraint"):
            constraints.get(wrong)
