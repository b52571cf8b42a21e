"""Activations compared with Keras's."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import activations, layers
from jaxlayers.layers import Dense

X = jnp.asarray(np.random.default_rng(0).uniform(-4, 4, (6, 8)), jnp.float32)
# Boundaries of piecewise definitions, for values and derivatives.
KINKS = jnp.array([-6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0])


def test_the_names_are_those_of_keras() -> None:
    assert activations.BY_NAME.keys() == keras.src.activations.ALL_OBJECTS_DICT.keys()


@pytest.mark.parametrize("name", sorted(activations.BY_NAME.keys() - {"threshold"}))
def test_values_and_derivatives_equal_keras(name) -> None:
    activation, keras_activation = activations.get(name), keras.activations.get(name)
    x = jnp.concatenate([X, KINKS[:, None] * jnp.ones(8)])

    @jax.jit
    def results(x):
        def value_and_grad(f):
            return f(x), jax.grad(lambda x: jnp.sum(jnp.sin(f(x))))(x)

        return value_and_grad(activation), value_and_grad(keras_activation)

    for a, b in zip(*results(x), strict=True):
        # Elementwise functions: a few roundings of float32.
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(activations.BY_NAME.keys() - {"threshold"}))
def test_every_name_is_an_attribute_of_the_module(name) -> None:
    assert getattr(activations, name) is activations.BY_NAME[name]


def test_arguments_of_activations_are_those_of_keras() -> None:
    for name, arguments in [
        ("threshold", {"threshold": 0.5, "default_value": -2.0}),
        ("soft_shrink", {"threshold": 1.5}),
        ("hard_shrink", {"threshold": 1.5}),
        ("leaky_relu", {"negative_slope": 0.4}),
        ("relu", {"negative_slope": 0.4, "max_value": 2.0, "threshold": 0.3}),
        ("gelu", {"approximate": True}),
        ("elu", {"alpha": 0.7}),
        ("celu", {"alpha": 0.7}),
        ("squareplus", {"b": 2.0}),
        ("softmax", {"axis": 0}),
        ("log_softmax", {"axis": 0}),
        ("sparsemax", {"axis": 0}),
        ("glu", {"axis": 0}),
    ]:
        actual = activations.BY_NAME[name](X, **arguments)
        expected = getattr(keras.activations, name)(X, **arguments)
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6, err_msg=name)


def test_callables_are_activations() -> None:
    assert activations.get(jnp.sin) is jnp.sin
    assert activations.get(None) is activations.linear
    y, _ = layers.Activation(jnp.sin).apply({}, {}, X)
    np.testing.assert_array_equal(y, jnp.sin(X))
    assert Dense(2, activation=jnp.sin) == Dense(2, activation=jnp.sin)


@pytest.mark.parametrize(("wrong", "error"), [("rellu", ValueError), (3, TypeError)])
def test_unknown_names_and_other_types_are_refused(wrong, error) -> None:
    with pytest.raises(error, match="activation"):
        activations.get(wrong)
