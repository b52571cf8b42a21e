import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import layers
from jaxlayers.layers import InBfloat16
from tests.train import toys

KEY = jax.random.key(0)


def in_bfloat16():
    return toys.gan(InBfloat16(toys.generator()), InBfloat16(toys.discriminator()))


def dtypes(tree):
    return {leaf.dtype for leaf in jax.tree.leaves(tree)}


def test_params_states_and_metrics_are_float32():
    task = in_bfloat16()
    train_state, metrics = jax.jit(task.step)(task.init(KEY), toys.images())
    outputs = (train_state.params, train_state.state, train_state.opt_state, metrics)
    assert dtypes(outputs) == {jnp.dtype("float32")}


def test_products_are_computed_in_bfloat16():
    task = in_bfloat16()
    text = str(jax.make_jaxpr(task.step)(task.init(KEY), toys.images()))
    products = [line for line in text.splitlines() if " = dot_general" in line]
    assert products and all(":bf16[" in line for line in products)


def test_batch_statistics_are_computed_in_float32():
    # In bfloat16, this mean would have two digits.
    x = 100 + jax.random.normal(KEY, (4096, 3))
    layer = InBfloat16(layers.BatchNormalization(momentum=0.0))
    params, state = layer.init(KEY, (3,))
    _, state = layer.apply(params, state, x, training=True)
    exact = x.astype(jnp.bfloat16).astype(jnp.float32).mean(0)
    np.testing.assert_allclose(state["moving_mean"], exact, rtol=1e-5)


def test_training_is_close_to_training_in_float32():
    losses = []
    for task in (in_bfloat16(), toys.gan()):
        train_state, step = task.init(KEY), jax.jit(task.step)
        for number in range(10):
            train_state, metrics = step(train_state, toys.images(number, 32))
        losses.append(float(metrics["generator_loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_penalties_and_constraints_are_computed_in_float32():
    dense = layers.Dense(3, kernel_regularizer="l2", kernel_constraint="unit_norm")
    params, state = dense.init(KEY, (2,))
    wrapped = InBfloat16(dense)
    assert wrapped.penalty(params, state) == dense.penalty(params, state)
    jax.tree.map(np.testing.assert_array_equal, wrapped.constrain(params), dense.constrain(params))
