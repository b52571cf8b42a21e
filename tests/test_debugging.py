"""JAX's modes for finding errors work on every layer and on the steps of both tasks."""

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
    """The modes that refuse while a function is traced."""
    with jax.numpy_rank_promotion("raise"), jax.checking_leaks(), jax.debug_nans(True):
        yield


@contextlib.contextmanager
def operation_by_operation() -> Iterator[None]:
    """The modes in which every operation runs by itself and is checked."""
    with jax.disable_jit(), jax.debug_nans(True):
        yield


def derivatives(layer: Any, state: Any) -> Callable[..., Any]:
    """The function of params and input that is a gradient, a second one, and a batch of both."""
    gradient = jax.grad(loss_of(layer, state), (0, 1))

    def both(params: Any, x: Any) -> Any:
        def squared_norm(params: Any, x: Any) -> Any:
            return sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradient(params, x)))

        return gradient(params, x), jax.grad(squared_norm, (0, 1))(params, x)

    return lambda params, x: (
        both(params, x),
        jax.vmap(both, (None, 0))(params, jnp.stack([x, 2 * x])),
    )


@every_layer
def test_every_layer_and_its_derivatives_are_traced_without_implicit_broadcasts_and_leaks(
    layer, shape
) -> None:
    params, state, x = make(layer, shape)
    with strict_tracing():
        jax.eval_shape(layer.apply, params, state, x)
        # The algorithms of a convolution are traced when it is lowered.
        jax.jit(derivatives(layer, state)).lower(params, x)


@every_layer
def test_every_layer_runs_operation_by_operation(layer, shape) -> None:
    params, state, x = make(layer, shape)
    expected = jax.jit(lambda: apply_in_training(layer, params, state, x))()
    with operation_by_operation():
        assert_close(apply_in_training(layer, params, state, x), expected)


@pytest.mark.parametrize("kind", [layers.Conv2D, layers.Conv2DTranspose])
def test_the_derivatives_of_a_convolution_run_operation_by_operation(kind) -> None:
    layer = kind(2, 2, use_bias=False)
    params, state, x = make(layer, (3, 2, 2))
    expected = jax.jit(derivatives(layer, state))(params, x)
    with operation_by_operation():
        assert_close(derivatives(layer, state)(params, x), expected)


@pytest.mark.parametrize("disable_jit", [False, True])
def test_debug_nans_names_the_convolution_that_made_one(disable_jit) -> None:
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


@pytest.mark.parametrize("task_and_batch", [gan, augmented_classifier])
def test_the_step_of_every_task_is_traced_without_implicit_broadcasts_and_leaks(
    task_and_batch,
) -> None:
    task, batch = task_and_batch()
    with strict_tracing():
        state = jax.eval_shape(task.init, jax.random.key(0))
        jax.jit(task.step).lower(state, batch)


@pytest.mark.parametrize("task_and_batch", [gan, classifier])
def test_the_step_of_every_task_runs_operation_by_operation(task_and_batch) -> None:
    task, batch = task_and_batch()
    state = jax.jit(task.init)(jax.random.key(0))
    _, expected = jax.jit(task.step)(state, batch)
    with operation_by_operation():
        _, metrics = jax.jit(task.step)(state, batch)
    assert_close(metrics, expected)
