"""The DCGAN in Keras on JAX, with the `init` and `apply` of a layer."""

import os

os.environ["KERAS_BACKEND"] = "jax"

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import keras

from jaxlayers.layer import Layer


@dataclass(frozen=True)
class _KerasLayer(Layer):
    model: Any
    result: tuple[int, ...]
    input_shape: tuple[int, ...] = ()  # in place of the property of Layer

    def init(self, key: Any, input_shape: Any = None) -> Any:
        return (
            [jnp.copy(v.value) for v in self.model.trainable_variables],
            [jnp.copy(v.value) for v in self.model.non_trainable_variables],
        )

    def apply(self, params: Any, state: Any, x: Any, *, training: bool = False, key: Any = None):
        # Keras draws from seeds among its variables; the key is not needed.
        return self.model.stateless_call(params, state, x, training=training)

    def output_shape(self, input_shape: Any = None) -> tuple[int, ...]:
        return self.result


def generator() -> Layer:
    layers = keras.layers

    def convolve(filters: int) -> list[Any]:
        return [
            layers.Conv2DTranspose(filters, 5, padding="same"),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
        ]

    model = keras.Sequential(
        [
            keras.Input((100,)),
            layers.Dense(7 * 7 * 256),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
            layers.Reshape((7, 7, 256)),
            layers.Dropout(0.4),
            layers.UpSampling2D(),
            *convolve(128),
            layers.UpSampling2D(),
            *convolve(64),
            *convolve(32),
            layers.Conv2DTranspose(1, 5, padding="same"),
            layers.Activation("sigmoid"),
        ]
    )
    return _KerasLayer(model, (28, 28, 1), (100,))


def discriminator() -> Layer:
    """Returns the discriminator, which ends in the logit."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters, strides in ((64, 2), (128, 2), (256, 2), (512, 1)):
        model.add(layers.Conv2D(filters, 5, strides=strides, padding="same"))
        model.add(layers.LeakyReLU(negative_slope=0.2))
        model.add(layers.Dropout(0.4))
    model.add(layers.Flatten())
    model.add(layers.Dense(1))
    return _KerasLayer(model, (1,), (28, 28, 1))
