"""Holds a layer of Keras up against one of ours: the same weights, the same input, all results."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

# Relative to the norm of what Keras gives. float32 carries 6e-8; a sum of a few hundred products,
# taken in another order, loses three digits of it at worst.
TOLERANCE = {"float32": 1e-4, "float64": 1e-9, "bfloat16": 2e-2}


@dataclass
class Results:
    """All that a layer says about one input."""

    y: Any
    state: dict[str, Any]
    penalty: Any
    by_params: dict[str, Any]
    by_input: Any


def assert_close(ours: Any, theirs: Any, dtype: str, what: str) -> None:
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, Keras has {theirs.shape}"
    error = np.linalg.norm(ours - theirs)
    # The floor keeps gradients that are zero but for rounding from being compared to nothing.
    scale = max(np.linalg.norm(theirs), 1e-3 * np.sqrt(theirs.size))
    assert error <= TOLERANCE[dtype] * scale, f"{what}: relative error {error / scale:.2e}"


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

    Compared are the names and shapes of the weights, the shape of the output, the output, the new
    state, the penalty, and the gradients of a random functional of output and penalty by all
    params and by the input.
    """
    rng = np.random.default_rng(seed)
    keras_layer.build((None, *input_shape))
    params, state = layer.init(jax.random.key(seed), input_shape)
    theirs = weights_by_name(keras_layer, trainable=True)
    their_state = weights_by_name(keras_layer, trainable=False)
    assert {k: v.shape for k, v in params.items()} == {k: v.shape for k, v in theirs.items()}
    carried = {k: v for k, v in state.items() if k != "activity_penalty"}
    assert {k: v.shape for k, v in carried.items()} == {k: v.shape for k, v in their_state.items()}
    their_shape = keras_layer.compute_output_shape((batch, *input_shape))
    assert layer.output_shape(input_shape) == tuple(their_shape)[1:]

    def values(variables: dict[str, Any], low: float) -> dict[str, Any]:
        return {k: jnp.asarray(rng.uniform(low, 1, v.shape), v.dtype) for k, v in variables.items()}

    params = values(theirs, low=-1)
    state = values(their_state, low=0.5) | {k: v for k, v in state.items() if k not in carried}
    x = jnp.asarray(rng.standard_normal((batch, *input_shape)), dtype)
    cotangent = rng.standard_normal(their_shape)

    def our_function(params: Any, x: Any) -> Any:
        y, new_state = layer.apply(params, state, x, training=training)
        penalty = layer.penalty(params, new_state)
        return jnp.sum(y.astype(penalty.dtype) * cotangent) + penalty, (y, new_state, penalty)

    def their_function(params: Any, x: Any) -> Any:
        values = [(v, params[name]) for name, v in theirs.items()]
        values += [(v, state[name]) for name, v in their_state.items()]
        kwargs = {"training": training} if keras_layer._call_has_training_arg else {}
        with keras.StatelessScope(values, collect_losses=True):
            y = keras_layer(x, **kwargs)
            penalty = sum(keras_layer.losses, start=jnp.zeros(()))
            new_state = {name: v.value for name, v in their_state.items()}
        return jnp.sum(y.astype(penalty.dtype) * cotangent) + penalty, (y, new_state, penalty)

    def results(function: Any) -> Results:
        gradient = jax.grad(function, (0, 1), has_aux=True)
        gradients, (y, new_state, penalty) = jax.jit(gradient)(params, x)
        new_state = {k: v for k, v in new_state.items() if k != "activity_penalty"}
        return Results(y, new_state, penalty, *gradients)

    precision = precision or dtype
    ours, expected = results(our_function), results(their_function)
    assert ours.y.dtype == expected.y.dtype
    assert_close(ours.y, expected.y, precision, "output")
    assert_close(ours.penalty, expected.penalty, precision, "penalty")
    assert_close(ours.by_input, expected.by_input, precision, "gradient by the input")
    for name, gradient in ours.by_params.items():
        assert_close(gradient, expected.by_params[name], precision, f"gradient by {name}")
    assert ours.state.keys() == expected.state.keys()
    for name, value in ours.state.items():
        assert_close(value, expected.state[name], precision, name)
    projected = layer.constrain(params)
    for name, variable in theirs.items():
        expected_weight = variable.constraint(params[name]) if variable.constraint else params[name]
        assert_close(projected[name], expected_weight, precision, f"constrained {name}")
