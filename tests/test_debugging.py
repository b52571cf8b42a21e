"""Layers and tasks work with JAX's debugging modes."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import Sequential, layers, train
from jaxlayers.train import augmentation
from tests.layers.test_contract import assert_close, every_layer, loss_of, make
from tests.layers.test_contract import train as apply_in_training


@contextlib.contextmanager
def strict_tracing() -> Iterator[None]:
    """Enables the modes that raise errors during tracing."""
    with jax.numpy_rank_promotion("raise"), jax.checking_leaks(), jax.debug_nans(True):
        yield


@contextlib.contextmanager
def without_jit() -> Iterator[None]:
    """Enables the modes in which operations run and are checked one by one."""
    with jax.disable_jit(), jax.debug_nans(True):
        yield


def derivatives(layer: Any, state: Any) -> Callable[..., Any]:
    """Returns a function that computes first and second derivatives, also with vmap."""
    gradient = jax.grad(loss_of(layer, state), (0, 1))

    def first_and_second(params: Any, x: Any) -> Any:
        def squared_norm(params: Any, x: Any) -> Any:
            return sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradient(params, x)))

        return gradient(params, x), jax.grad(squared_norm, (0, 1))(params, x)

    return lambda params, x: (
        first_and_second(params, x),
        jax.vmap(first_and_second, (None, 0))(params, jnp.stack([x, 2 * x])),
    )


@every_layer
def test_layers_are_traced_without_implicit_rank_promotion_and_leaks(layer, shape) -> None:
    params, state, x = make(layer, shape)
    with strict_tracing():
        jax.eval_shape(layer.apply, params, state, x)
        # The algorithms of a convolution are traced when it is lowered.
        jax.jit(derivatives(layer, state)).lower(params, x)


@every_layer
def test_layers_run_without_jit(layer, shape) -> None:
    params, state, x = make(layer, shape)
    expected = jax.jit(lambda: apply_in_training(layer, params, state, x))()
    with without_jit():
        assert_close(apply_in_training(layer, params, state, x), expected)


@pytest.mark.parametrize("cls", [layers.Conv2D, layers.Conv2DTranspose])
def test_derivatives_of_convolutions_run_without_jit(cls) -> None:
    layer = cls(2, 2, use_bias=False)
    params, state, x = make(layer, (3, 2, 2))
    expected = jax.jit(derivatives(layer, state))(params, x)
    with without_jit():
        assert_close(derivatives(layer, state)(params, x), expected)


@pytest.mark.parametrize("disable_jit", [False, True])
def test_debug_nans_names_the_convolution(disable_jit) -> None:
    layer = layers.Conv2D(2, 2, use_bias=False)
    params, state, x = make(layer, (3, 2, 2))
    with (
        jax.disable_jit(disable_jit),
        jax.debug_nans(True),
        pytest.raises(FloatingPointError, match="encountered in convolution"),
    ):
        jax.jit(layer.apply)(params, state, np.full_like(x, np.nan))


def gan() -> tuple[Any, Any]:
    generator = Sequential(
        [
            layers.Dense(8, activation="relu"),
            layers.Reshape((2, 2, 2)),
            layers.Conv2DTranspose(1, 2, strides=2, activation="sigmoid"),
        ],
        input_shape=(3,),
    )
    discriminator = Sequential(
        [layers.Conv2D(2, 2, strides=2), layers.LeakyReLU(0.2), layers.Flatten(), layers.Dense(1)]
    )
    task = train.GAN(generator, discriminator, optax.sgd(0.1), train.rmsprop(1e-3), ema=0.9)
    return task, jax.random.uniform(jax.random.key(0), (2, 4, 4, 1))


def classifier(augmentations: Any = ()) -> tuple[Any, Any]:
    model = Sequential(
        [
            layers.Conv2D(2, 2, activation="relu", kernel_regularizer="l2"),
            layers.Flatten(),
            layers.Dense(6, activation="softmax"),
        ],
        input_shape=(5, 5, 1),
    )
    task = train.Classifier(
        model,
        optax.adam(1e-3),
        label_smoothing=0.1,
        class_weights=[1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        augmentations=augmentations,
    )
    return task, (jax.random.uniform(jax.random.key(0), (2, 5, 5, 1)), jnp.array([1, 4]))


def augmented_classifier() -> tuple[Any, Any]:
    return classifier([augmentation.Shift(1), augmentation.Flip(), augmentation.Cutout(2)])


@pytest.mark.parametrize("make", [gan, augmented_classifier])
def test_steps_of_tasks_are_traced_without_implicit_rank_promotion_and_leaks(
    make,
) -> None:
    task, batch = make()
    with strict_tracing():
        state = jax.eval_shape(task.init, jax.random.key(0))
        jax.jit(task.step).lower(state, batch)


@pytest.mark.parametrize("make", [gan, classifier])
def test_steps_of_tasks_run_without_jit(make) -> None:
    task, batch = make()
    state = jax.jit(task.init)(jax.random.key(0))
    _, expected = jax.jit(task.step)(state, batch)
    with without_jit():
        _, metrics = jax.jit(task.step)(state, batch)
    assert_close(metrics, expected)
