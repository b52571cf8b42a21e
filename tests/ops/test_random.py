"""Random masks of dropout."""

import jax
import numpy as np
import pytest

from jaxlayers.ops.random import bernoulli


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
