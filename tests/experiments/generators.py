"""Small generators for the tests of command lines."""

import jax

from jaxlayers import Functional, Input, Sequential, layers, runs


def conditional(classes=3, latent_size=5):
    """Returns a generator of 4 x 4 color images with two inputs, ((latent_size,), ())."""
    latent, label = Input((latent_size,)), Input((), dtype="int32")
    hidden = layers.Concatenate()([latent, layers.Embedding(classes, 2)(label)])
    hidden = layers.Dense(48, activation="tanh")(hidden)
    image = layers.Reshape((4, 4, 3))(hidden)
    return Functional((latent, label), image, name="generator")


def unconditional(channels=1, latent_size=5):
    """Returns a generator of 4 x 4 images, with values from 0 to 1."""
    dense = layers.Dense(16 * channels, activation="sigmoid")
    model = [dense, layers.Reshape((4, 4, channels))]
    return Sequential(model, input_shape=(latent_size,), name="generator")


def save(folder, model):
    """Writes the folder of a run with a model; returns its params and state."""
    params, state = model.init(jax.random.key(0), model.input_shape)
    runs.save(folder, model, params, state)
    return params, state
