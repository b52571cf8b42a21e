"""Random arrays and masks."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.ops.random import bernoulli, draw


@pytest.mark.parametrize("probability", [0.5, 0.7, 0.9, 0.001, 0.99997])
@pytest.mark.parametrize("shape", [(500, 400), (499, 401)])
def test_values_are_true_with_the_given_probability(probability, shape) -> None:
    drawn = np.asarray(bernoulli(jax.random.key(1), probability, shape))
    assert drawn.shape == shape and drawn.dtype == bool
    # Five standard deviations of the mean of independent numbers.
    tolerance = 5 * np.sqrt(probability * (1 - probability) / drawn.size)
    assert abs(drawn.mean() - probability) <= tolerance


def test_numbers_drawn_from_the_same_bits_are_not_correlated() -> None:
    drawn = np.asarray(bernoulli(jax.random.key(2), 0.5, (1000, 200)))
    first, second = drawn[:, :100].ravel(), drawn[:, 100:].ravel()
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(first.size)


@pytest.mark.parametrize(("probability", "value"), [(0.0, False), (1.0, True)])
def test_certain_values(probability, value) -> None:
    assert (np.asarray(bernoulli(jax.random.key(0), probability, (64, 64))) == value).all()


def test_other_keys_give_other_values() -> None:
    masks = [np.asarray(bernoulli(jax.random.key(n), 0.5, (8, 8))) for n in (0, 0, 1)]
    assert (masks[0] == masks[1]).all() and (masks[0] != masks[2]).any()


@pytest.mark.parametrize(
    "shape", [(), (7,), (3, 5), (2, 3, 4), (3, 3, 8, 17), [2, 1, 3, 2, 5], (0, 3, 4)]
)
@pytest.mark.parametrize("sampler", [jax.random.normal, jax.random.uniform, jax.random.bits])
@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_values_do_not_depend_on_how_they_are_drawn(shape, sampler, impl) -> None:
    key = jax.random.key(3, impl=impl)
    drawn = draw(lambda axes: sampler(key, axes), shape, key)
    np.testing.assert_array_equal(drawn, sampler(key, tuple(shape)), strict=True)


def drawn_shapes(shape, key):
    """Returns the shapes that the sampler is called with."""
    shapes = []

    def sampler(shape):
        shapes.append(shape)
        return jax.random.normal(key, shape)

    assert draw(sampler, shape, key).shape == shape
    return shapes


def test_outside_jit_arrays_of_other_shapes_are_drawn_in_one_size() -> None:
    key = jax.random.key(0)
    shapes = [(), (7,), (3, 3, 8, 14), (3, 3, 8, 15)]
    sizes = [(1024,), (1024,), (1024,), (16384,)]
    assert [drawn_shapes(shape, key) for shape in shapes] == [[size] for size in sizes]
    assert drawn_shapes((2**10, 3, 2**8), key) == [(2**10, 3 * 2**8)]  # too large
    rbg = jax.random.key(0, impl="rbg")  # its numbers depend on the size
    assert drawn_shapes((3, 2, 4), rbg) == [(3, 8)]
    with jax.threefry_partitionable(False):
        assert drawn_shapes((3, 2, 4), key) == [(3, 8)]


def test_random_numbers_are_drawn_with_at_most_two_axes() -> None:
    """XLA compiles those of more axes slowly."""
    model = Sequential(
        [layers.Conv2D(4, 3), layers.Dropout(0.5), layers.SpatialDropout2D(0.3)],
        input_shape=(6, 6, 2),
    )
    model = Sequential([model, layers.GaussianNoise(0.1), layers.AlphaDropout(0.1)])
    key = jax.random.key(0)

    def train(key):
        params, state = model.init(key, (6, 6, 2))
        return model.apply(params, state, jnp.ones((2, 6, 6, 2)), training=True, key=key)

    drawn = re.findall(
        r"random_bits\[bit_width=\d+ shape=\((.*?)\)\]", str(jax.make_jaxpr(train)(key))
    )
    assert len(drawn) >= 5
    assert all(shape.strip(",").count(",") <= 1 for shape in drawn), drawn
