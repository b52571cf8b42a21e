"""Small models and tasks, whose steps compile fast."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxlayers import Functional, Input, Layer, Sequential, layers
from jaxlayers.train import GAN, TrainState

IMAGE_SHAPE = (4, 4, 1)
LATENT = 3


def generator(**dense):
    return Sequential(
        [
            layers.Dense(5, **dense),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
            layers.Dense(16, activation="sigmoid"),
            layers.Reshape(IMAGE_SHAPE),
        ],
        input_shape=(LATENT,),
    )


def discriminator(*last, **dense):
    return Sequential(
        [layers.Flatten(), layers.Dense(6, **dense), layers.LeakyReLU(0.2), layers.Dense(1), *last]
    )


CLASSES = 3


def conditional_generator(classes=CLASSES):
    z, label = Input((LATENT,)), Input((), dtype="int32")
    x = layers.Concatenate()([z, layers.Embedding(classes, 2)(label)])
    x = layers.BatchNormalization(momentum=0.9)(layers.Dense(5)(x))
    x = layers.Dense(16, activation="sigmoid")(x)
    return Functional((z, label), layers.Reshape(IMAGE_SHAPE)(x))


def conditional_discriminator(classes=CLASSES):
    image, label = Input(IMAGE_SHAPE), Input((), dtype="int32")
    x = layers.Concatenate()([layers.Flatten()(image), layers.Embedding(classes, 2)(label)])
    x = layers.LeakyReLU(0.2)(layers.Dense(6)(x))
    return Functional((image, label), layers.Dense(1)(x))


def conditional_gan(**arguments):
    models = conditional_generator(), conditional_discriminator()
    return gan(*models, **{"classes": CLASSES} | arguments)


def gan(
    generator_model=None,
    discriminator_model=None,
    generator_optimizer=None,
    discriminator_optimizer=None,
    ema=None,
    **arguments,
):
    return GAN(
        generator_model or generator(),
        discriminator_model or discriminator(),
        generator_optimizer or optax.sgd(0.5, momentum=0.9),
        discriminator_optimizer or optax.sgd(0.2, momentum=0.9),
        ema,
        **arguments,
    )


def images(seed=0, count=4):
    return jax.random.uniform(jax.random.key(seed), (count, *IMAGE_SHAPE))


class RecordsPass(Layer):
    """Returns its input; subclasses define `record`, which is called in training passes."""

    def record(self, x, key):
        raise NotImplementedError

    def apply(self, params, state, x, *, training=False, key=None):
        if training:
            self.record(x, key)
        return x, state


class SumTask(NamedTuple):
    """A task whose metrics are the step number and the sum of the batch."""

    def init(self, key):
        zero = jnp.zeros((), jnp.int32)
        return TrainState({"model": {"sum": jnp.zeros(())}}, {"model": {}}, {}, zero, key)

    def step(self, train_state, batch):
        total = jnp.sum(batch, dtype=jnp.float32)
        params = {"model": {"sum": train_state.params["model"]["sum"] + total}}
        metrics = {"some_loss": total, "number": train_state.step}
        return train_state._replace(params=params, step=train_state.step + 1), metrics
