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


def test_all_that_is_kept_is_float32():
    task = in_bfloat16()
    train_state, metrics = jax.jit(task.step)(task.init(KEY), toys.images())
    kept = (train_state.params, train_state.state, train_state.opt_state, metrics)
    assert dtypes(kept) == {jnp.dtype("float32")}


def test_products_are_of_bfloat16():
    task = in_bfloat16()
    text = str(jax.make_jaxpr(task.step)(task.init(KEY), toys.images()))
    products = [line for line in text.splitlines() if " = dot_general" in line]
    assert products and all(":bf16[" in line for line in products)


def test_statistics_of_a_batch_are_computed_in_float32():
    # Of this mean bfloat16 keeps two digits.
    x = 100 + jax.random.normal(KEY, (4096, 3))
    layer = InBfloat16(layers.BatchNormalization(momentum=0.0))
    params, state = layer.init(KEY, (3,))
    _, state = layer.apply(params, state, x, training=True)
    exact = x.astype(jnp.bfloat16).astype(jnp.float32).mean(0)
    np.testing.assert_allclose(state["moving_mean"], exact, rtol=1e-5)


def test_a_run_stays_near_that_in_float32():
    losses = []
    for task in (in_bfloat16(), toys.gan()):
        train_state, step = task.init(KEY), jax.jit(task.step)
        for number in range(10):
            train_state, metrics = step(train_state, toys.images(number, 32))
        losses.append(float(metrics["generator_loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_penalties_and_constraints_are_those_of_the_params_in_float32():
    dense = layers.Dense(3, kernel_regularizer="l2", kernel_constraint="unit_norm")
    params, state = dense.init(KEY, (2,))
    narrow = InBfloat16(dense)
    assert narrow.penalty(params, state) == dense.penalty(params, state)
    jax.tree.map(np.testing.assert_array_equal, narrow.constrain(params), dense.constrain(params))
