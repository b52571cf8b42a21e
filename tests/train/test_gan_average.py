"""The moving average of the generator's params."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.train.gan_average import decay_at
from tests.train import toys
from tests.train.test_gan import KEY, assert_trees_close


@pytest.mark.parametrize(("warmup", "steps"), [(None, 3), (0.5, 6)])
def test_the_average_equals_the_written_out_formula(warmup, steps):
    gan = toys.gan(ema=0.7, ema_warmup=warmup)
    step, train_state = jax.jit(gan.step), gan.init(KEY)
    average, decays = train_state.params["generator"], []
    for number in range(steps):
        train_state, _ = step(train_state, toys.images(number))
        decay = 0.7
        if warmup is not None:
            half_life = warmup * number
            decay = min(0.7, 0.5 ** (1 / half_life)) if number else 0.0
        decays.append(decay)
        average = jax.tree.map(
            lambda a, p, d=decay: d * a + (1 - d) * p, average, train_state.params["generator"]
        )
        assert_trees_close(train_state.opt_state["ema"], average)
    if warmup is not None:
        # The half-life of 0.7 is 1.94 steps, which half the number of steps exceeds after 4 steps.
        np.testing.assert_allclose(decays, [0, 0.25, 0.5, 0.5 ** (2 / 3), 0.7, 0.7])


def test_averages_with_a_warm_up_forget_the_initial_params():
    decays = decay_at(jnp.arange(400), 0.999, 0.05)
    assert decays.min() >= 0 and decays.max() <= np.float32(0.999)
    # The weight of the initial params, without and with the warm-up.
    assert 0.999**400 > 0.67 and np.prod(decays) == 0
    # The half-life after 400 steps is 5% of them.
    np.testing.assert_allclose(np.log(0.5) / np.log(decays[-1]), 0.05 * 399, rtol=1e-4)


def test_samples_use_averaged_params_and_the_moving_statistics_of_the_last_step():
    gan = toys.gan(ema=0.9)
    train_state, _ = jax.jit(gan.step)(gan.init(KEY), toys.images())
    z = jax.random.uniform(KEY, (2, toys.LATENT), minval=-1.0, maxval=1.0)
    expected, _ = gan.generator.apply(
        train_state.opt_state["ema"], train_state.state["generator"], z
    )
    np.testing.assert_array_equal(gan.sample(train_state, KEY, 2), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ema": 0.9, "ema_warmup": 0}, ValueError, "ema_warmup must be a positive number, got 0"),
        ({"ema": 0.9, "ema_warmup": "x"}, TypeError, "ema_warmup must be a positive .* got 'x'"),
        ({"ema": 0.9, "ema_warmup": True}, ValueError, "ema_warmup must be .* got True"),
        ({"ema_warmup": 0.05}, ValueError, "ema_warmup must be None if ema is None, got 0.05"),
    ],
)
def test_wrong_warm_ups_are_refused(arguments, error, message):
    with pytest.raises(error, match=f"GAN: {message}"):
        toys.gan(**arguments)
