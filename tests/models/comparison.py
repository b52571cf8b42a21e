"""Compares a `Functional` with a model of Keras, layer by layer and on the same weights."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import keras
import numpy as np

from jaxlayers.input_layer import InputLayer
from tests.parity.oracle import assert_close


def keras_model(make: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Returns a Keras model whose kernels are zero; drawing them takes longer than all else."""

    def zeros(self: Any, shape: Any, dtype: Any = None, **_: Any) -> Any:
        return np.zeros(shape, dtype)

    keras.backend.clear_session()
    with mock.patch.object(keras.initializers.VarianceScaling, "__call__", zeros):
        return make(*arguments, **named)


def assert_same_layers(model: Any, keras_model: Any) -> None:
    """Asserts that names, classes, arguments, inputs and shapes of all layers are equal."""
    assert list(model.names) == [layer.name for layer in keras_model.layers]
    assert (model.name, model.input_shape) == (keras_model.name, keras_model.input_shape[1:])
    layers = zip(model.items(), keras_model.layers, model.connections(), strict=True)
    for (name, layer), keras_layer, connections in layers:
        assert type(layer).__name__ == type(keras_layer).__name__
        if isinstance(layer, InputLayer):
            continue
        config = keras_layer.get_config()
        for field in dataclasses.fields(layer):
            given, expected = getattr(layer, field.name), config.get(field.name)
            if isinstance(expected, dict):  # an initializer
                expected, given = expected["class_name"].lower(), given.replace("_", "")
            elif isinstance(expected, list):
                expected = tuple(tuple(v) if isinstance(v, list) else v for v in expected)
            elif field.name == "axis":  # may be counted from the end
                expected, given = (
                    axis % len(keras_layer.output.shape) for axis in (expected, given)
                )
            elif field.name == "activation":
                given = given or "linear"
            assert given == expected, (name, field.name)
        inputs = [tensor._keras_history for tensor in keras_layer._inbound_nodes[0].input_tensors]
        assert connections == ", ".join(f"{i.operation.name}[0][{i.tensor_index}]" for i in inputs)
    shapes = [output for _, output in model.layer_shapes()]
    assert shapes == [layer.output.shape[1:] for layer in keras_model.layers]
    assert f" Total params: {keras_model.count_params():,} " in model.summary()


def assert_same_outputs(model: Any, keras_model: Any, seed: int = 0) -> None:
    """Asserts that outputs are equal on the same random weights."""
    rng = np.random.default_rng(seed)
    params: dict[str, Any] = {}
    state: dict[str, Any] = {}
    for layer in keras_model.layers:
        for variable in layer.weights:
            if "seed_generator" in variable.path:
                continue
            values = rng.uniform(0.5, 1.5, variable.shape)
            if variable.name in ("bias", "beta", "moving_mean"):
                values -= 1
            elif variable.name == "kernel":
                # Outputs as large as the inputs.
                fan_in = math.prod(values.shape[: 2 if "depthwise" in layer.name else -1])
                values = rng.standard_normal(values.shape) / math.sqrt(fan_in)
            variable.assign(values)
            tree = params if variable.trainable else state
            tree.setdefault(layer.name, {})[variable.name] = variable.value
    shapes = jax.tree.map(lambda leaf: leaf.shape, (params, state))
    expected = jax.eval_shape(model.init, jax.random.key(0))
    assert shapes == jax.tree.map(lambda leaf: leaf.shape, expected)
    x = jnp.asarray(rng.standard_normal((2, *model.input_shape)), jnp.float32)
    y, _ = jax.jit(model.apply)(params, state, x)
    assert_close(y, jax.jit(keras_model)(x), "float32", "output")
