import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.losses import binary_cross_entropy

LOGITS = np.array([[-3.0], [-0.1], [0.0], [2.5]])


@pytest.mark.parametrize("labels", [0.0, 1.0, 0.3, np.array([[0.0], [1.0], [0.5], [1.0]])])
def test_it_is_the_mean_of_the_definition_written_out(labels):
    p = 1 / (1 + np.exp(-LOGITS))
    expected = np.mean(-labels * np.log(p) - (1 - labels) * np.log(1 - p))
    # float32 of a handful of terms near 1.
    assert binary_cross_entropy(jnp.asarray(LOGITS), labels) == pytest.approx(expected, rel=1e-6)


def test_it_neither_overflows_nor_saturates_for_large_logits():
    assert binary_cross_entropy(jnp.array([1e4]), 0.0) == 1e4
    assert binary_cross_entropy(jnp.array([-1e4]), 1.0) == 1e4
    assert binary_cross_entropy(jnp.array([1e4]), 1.0) == 0
    assert jax.grad(binary_cross_entropy)(1e4, 0.0) == 1
    assert jax.grad(binary_cross_entropy)(-1e4, 1.0) == -1


def test_its_gradient_is_sigmoid_less_label_over_the_count():
    gradient = jax.grad(binary_cross_entropy)(jnp.asarray(LOGITS), 0.3)
    expected = (1 / (1 + np.exp(-LOGITS)) - 0.3) / LOGITS.size
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_it_keeps_the_dtype_of_the_logits():
    assert binary_cross_entropy(jnp.zeros(3, jnp.bfloat16), 1.0).dtype == jnp.bfloat16


def test_labels_that_do_not_broadcast_to_the_logits_are_refused():
    with pytest.raises(ValueError, match="broadcast"):
        binary_cross_entropy(jnp.zeros((4, 1)), jnp.zeros(4))
