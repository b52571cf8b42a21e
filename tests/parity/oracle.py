"""Compares a layer with the layer of Keras, on the same weights and the same input."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from jaxlayers import layers

# Relative to the norm of Keras's result. The precision of float32 is 6e-8; a sum of a few hundred
# products in another order loses at most three digits.
TOLERANCE = {"float32": 1e-4, "float64": 1e-9, "bfloat16": 2e-2}


@dataclass
class Results:
    """All results of a layer for one input."""

    y: Any
    state: dict[str, Any]
    penalty: Any
    params_gradient: dict[str, Any]
    input_gradient: Any


def both(name: str, **arguments: Any) -> tuple[Any, Any]:
    """Returns the layer `name` of this library and of Keras."""
    return getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)


def assert_close(actual: Any, expected: Any, dtype: str, name: str) -> None:
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, (
        f"{name}: shape {actual.shape}, Keras has {expected.shape}"
    )
    error = np.linalg.norm(actual - expected)
    # The lower bound is for gradients that are zero except for rounding.
    scale = max(np.linalg.norm(expected), 1e-3 * np.sqrt(expected.size))
    assert error <= TOLERANCE[dtype] * scale, f"{name}: relative error {error / scale:.2e}"


def weights_by_name(keras_layer: Any, trainable: bool) -> dict[str, Any]:
    variables = (
        keras_layer.trainable_variables if trainable else keras_layer.non_trainable_variables
    )
    return {v.name: v for v in variables if "seed_generator" not in v.path}


def compare(
    layer: Any,
    keras_layer: Any,
    input_shape: tuple[int, ...],
    *,
    batch: int = 2,
    training: bool = False,
    dtype: str = "float32",
    precision: str | None = None,
    seed: int = 0,
) -> None:
    """Asserts that both layers agree on one random input.

    It compares the names and shapes of the weights, the shape of the output, the output, the new
    state, the penalty, and the gradients of a random function of output and penalty with respect
    to all params and the input.
    """
    rng = np.random.default_rng(seed)
    keras_layer.build((None, *input_shape))
    # The values are replaced below.
    params, state = jax.eval_shape(lambda: layer.init(jax.random.key(seed), input_shape))
    keras_weights = weights_by_name(keras_layer, trainable=True)
    keras_state = weights_by_name(keras_layer, trainable=False)
    assert {k: v.shape for k, v in params.items()} == {k: v.shape for k, v in keras_weights.items()}
    weight_state = {k: v for k, v in state.items() if k != "activity_penalty"}
    assert {k: v.shape for k, v in weight_state.items()} == {
        k: v.shape for k, v in keras_state.items()
    }
    output_shape = keras_layer.compute_output_shape((batch, *input_shape))
    assert layer.output_shape(input_shape) == tuple(output_shape)[1:]

    def values(variables: dict[str, Any], low: float) -> dict[str, Any]:
        return {k: jnp.asarray(rng.uniform(low, 1, v.shape), v.dtype) for k, v in variables.items()}

    params = values(keras_weights, low=-1)
    penalties = {k: jnp.zeros(v.shape, v.dtype) for k, v in state.items() if k not in weight_state}
    state = values(keras_state, low=0.5) | penalties
    x = jnp.asarray(rng.standard_normal((batch, *input_shape)), dtype)
    cotangent = rng.standard_normal(output_shape)

    def apply(params: Any, x: Any) -> Any:
        y, new_state = layer.apply(params, state, x, training=training)
        penalty = layer.penalty(params, new_state)
        return jnp.sum(y.astype(penalty.dtype) * cotangent) + penalty, (y, new_state, penalty)

    def apply_keras(params: Any, x: Any) -> Any:
        values = [(v, params[name]) for name, v in keras_weights.items()]
        values += [(v, state[name]) for name, v in keras_state.items()]
        kwargs = {"training": training} if keras_layer._call_has_training_arg else {}
        with keras.StatelessScope(values, collect_losses=True):
            y = keras_layer(x, **kwargs)
            penalty = sum(keras_layer.losses, start=jnp.zeros(()))
            new_state = {name: v.value for name, v in keras_state.items()}
        return jnp.sum(y.astype(penalty.dtype) * cotangent) + penalty, (y, new_state, penalty)

    def results(gradients: Any, outputs: Any) -> Results:
        y, new_state, penalty = outputs
        new_state = {k: v for k, v in new_state.items() if k != "activity_penalty"}
        return Results(y, new_state, penalty, *gradients)

    # Two programs take longer to compile than one.
    gradients = [jax.grad(function, (0, 1), has_aux=True) for function in (apply, apply_keras)]
    both_layers = jax.jit(lambda params, x: [gradient(params, x) for gradient in gradients])
    actual, expected = (results(*of_one) for of_one in both_layers(params, x))
    precision = precision or dtype
    assert actual.y.dtype == expected.y.dtype
    assert_close(actual.y, expected.y, precision, "output")
    assert_close(actual.penalty, expected.penalty, precision, "penalty")
    assert_close(actual.input_gradient, expected.input_gradient, precision, "input gradient")
    for name, gradient in actual.params_gradient.items():
        assert_close(gradient, expected.params_gradient[name], precision, f"{name} gradient")
    assert actual.state.keys() == expected.state.keys()
    for name, value in actual.state.items():
        assert_close(value, expected.state[name], precision, name)
    projected = layer.constrain(params)
    for name, variable in keras_weights.items():
        expected_weight = variable.constraint(params[name]) if variable.constraint else params[name]
        assert_close(projected[name], expected_weight, precision, f"constrained {name}")
