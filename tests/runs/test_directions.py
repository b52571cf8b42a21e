import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.runs.directions import principal_directions

RANDOM = np.random.default_rng(0)


def test_directions_of_a_linear_generator_are_its_singular_vectors():
    kernel = RANDOM.normal(size=(4, 12)).astype(np.float32)
    directions = principal_directions(lambda z: (z @ kernel).reshape(-1, 2, 2, 3), np.zeros((1, 4)))
    vectors, values, _ = np.linalg.svd(kernel)
    np.testing.assert_allclose(directions.changes, values / 12**0.5, rtol=1e-4)
    alignment = np.abs(np.sum(directions.vectors * vectors.T, axis=1))
    np.testing.assert_allclose(alignment, 1, rtol=1e-4)
    largest = np.take_along_axis(
        np.asarray(directions.vectors), np.abs(directions.vectors).argmax(1)[:, None], 1
    )
    assert (largest > 0).all()


@pytest.fixture(scope="module")
def generator():
    model = Sequential(
        [
            layers.Dense(16, activation="tanh"),
            layers.Reshape((4, 4, 1)),
            layers.Conv2D(3, 3, padding="same", activation="tanh"),
        ],
        input_shape=(5,),
    )
    params, state = model.init(jax.random.key(0), (5,))
    return jax.jit(lambda z: model.apply(params, state, z)[0])


def test_changes_are_those_of_small_steps(generator):
    latents = RANDOM.uniform(-1, 1, (3, 5)).astype(np.float32)
    vectors, changes = map(np.asarray, principal_directions(generator, latents))
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(5), atol=1e-5)
    assert (np.diff(changes) <= 0).all()
    step = 1e-2
    for vector, change in zip(vectors, changes, strict=True):
        moved = generator(latents + step * vector) - generator(latents - step * vector)
        # The central difference has an error of the square of the step, and rounding errors.
        assert np.sqrt(np.mean((moved / (2 * step)) ** 2)) == pytest.approx(change, rel=2e-3)


def test_other_inputs_such_as_labels_are_passed_on():
    scales = jnp.array([[1.0, 2.0], [3.0, 1.0]])
    directions = principal_directions(
        lambda z, label: z * scales[label], np.ones((2, 2)), np.array([0, 1])
    )
    # The mean squares are (1 + 9) / 2 and (4 + 1) / 2; an image has two values.
    np.testing.assert_allclose(directions.changes**2, [2.5, 1.25], rtol=1e-5)
    np.testing.assert_allclose(directions.vectors, np.eye(2), atol=1e-6)


@pytest.mark.parametrize("latents", [np.zeros(3), np.zeros((0, 3))])
def test_wrong_latent_vectors_are_refused(latents):
    with pytest.raises(ValueError, match=r"latents must be of shape .*, got shape \("):
        principal_directions(lambda z: z, latents)
