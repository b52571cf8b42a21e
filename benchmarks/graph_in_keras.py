"""A `Functional` in Keras on JAX, with the `init` and `apply` of a layer."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import contextlib
from dataclasses import dataclass
from typing import Any
from unittest import mock

import jax.numpy as jnp
import keras
import numpy as np

from jaxlayers import Functional, Layer
from jaxlayers.interop import keras as keras_files


def without_initialization() -> contextlib.AbstractContextManager[Any]:
    """Returns a context in which kernels are zero; drawing them compiles a program per shape."""

    def zeros(self: Any, shape: Any, dtype: Any = None, **_: Any) -> Any:
        return np.zeros(shape, dtype)

    return mock.patch.object(keras.initializers.VarianceScaling, "__call__", zeros)


@dataclass(frozen=True)
class KerasLayer(Layer):
    """A Keras model; its own weights are the initial ones."""

    model: Any
    input_shape: tuple[int, ...] = ()  # in place of the property of Layer

    def init(self, key: Any, input_shape: Any = None) -> Any:
        return (
            [jnp.copy(v.value) for v in self.model.trainable_variables],
            [jnp.copy(v.value) for v in self.model.non_trainable_variables],
        )

    def apply(self, params: Any, state: Any, x: Any, *, training: bool = False, key: Any = None):
        return self.model.stateless_call(params, state, x, training=training)

    def output_shape(self, input_shape: Any = None) -> tuple[int, ...]:
        return self.model.output_shape[1:]


def in_keras(model: Functional, params: Any, state: Any) -> KerasLayer:
    """Returns the model with the given weights."""
    with without_initialization():
        made = keras.saving.deserialize_keras_object(keras_files.to_config(model))
    for layer in made.layers:
        given = params.get(layer.name, {}) | state.get(layer.name, {})
        for variable in layer.weights:
            if variable.name in given:
                variable.assign(given[variable.name])
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its weights
    return KerasLayer(made, model.input_shape)
