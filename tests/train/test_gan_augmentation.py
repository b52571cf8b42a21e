"""Augmentation in a GAN, and its adaptive probability."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.train import AdaptiveProbability, gan_losses
from jaxlayers.train.augmentation import Color, Cutout, Flip, Translation
from jaxlayers.train.gan_regularizers import R1
from tests.train import toys
from tests.train.test_gan import (
    KEY,
    TOLERANCE,
    assert_trees_close,
    assert_trees_equal,
    latents_of,
    reference_discriminator,
    reference_generator,
    signed_generator,
)

ALL = [Translation(0.25), Color(), Cutout(2), Flip()]


def half(key, image):
    """Multiplies an image by 1/2; its gradient is 1/2."""
    return image / 2


def invert(key, image):
    """Inverts an image, in the range of 0 to 1."""
    return 1 - image


def reference_logits(params, images):
    probabilities = reference_discriminator(params, images)
    return jnp.log(probabilities) - jnp.log1p(-probabilities)


def test_all_images_of_a_step_are_augmented():
    sgd = optax.sgd(0.5), optax.sgd(0.2)
    gan = toys.gan(None, None, *sgd, loss="hinge", augmentations=[half], regularizers=[R1(2.0)])
    before, images = gan.init(KEY), toys.images()
    after, metrics = jax.jit(gan.step)(before, images)
    losses, z = gan_losses.get("hinge"), latents_of(before, 4)

    @jax.jit
    def reference(params):
        g, d = params["generator"], params["discriminator"]

        def loss_d(d):
            fakes, _ = reference_generator(g, z)
            penalty = R1(2.0)(lambda x: reference_logits(d, x / 2), images, fakes, KEY)
            logits = reference_logits(d, images / 2), reference_logits(d, fakes / 2)
            return losses.discriminator(*logits) + penalty, penalty

        gradient, penalty = jax.grad(loss_d, has_aux=True)(d)
        d = jax.tree.map(lambda p, g: p - 0.2 * g, d, gradient)

        def loss_g(g):
            return losses.generator(reference_logits(d, reference_generator(g, z)[0] / 2))

        g = jax.tree.map(lambda p, g: p - 0.5 * g, g, jax.grad(loss_g)(g))
        return {"generator": g, "discriminator": d}, penalty

    params, penalty = reference(before.params)
    assert_trees_close(after.params, params)
    np.testing.assert_allclose(metrics["r1"], penalty, **TOLERANCE)
    assert metrics["augmentation_probability"] == 1


def test_augmentations_of_signed_generators_are_of_images_from_0_to_1():
    # Inverting is a change of sign of images from -1 to 1.
    inverting = toys.gan(signed_generator(), augmentations=[invert])
    negating = Sequential([layers.Rescaling(-1.0), *toys.discriminator().layers])
    reference = toys.gan(signed_generator(), negating)
    before = inverting.init(KEY)
    after, metrics = jax.jit(inverting.step)(before, toys.images())
    start = reference.init(KEY, params=before.params, state=before.state)
    expected, expected_metrics = jax.jit(reference.step)(start, toys.images())
    assert_trees_close(after.params, expected.params)
    metrics.pop("augmentation_probability")
    assert_trees_close(metrics, expected_metrics)


@pytest.mark.parametrize("probability", [0.0, AdaptiveProbability(interval=1000)], ids=repr)
def test_a_probability_of_0_is_no_augmentation_bit_for_bit(probability):
    arguments = {"generator_model": signed_generator(), "regularizers": ["r1"]}
    gan = toys.gan(**arguments, augmentations=ALL, augmentation_probability=probability)
    plain = toys.gan(**arguments)
    after, metrics = jax.jit(gan.step)(gan.init(KEY), toys.images())
    expected, expected_metrics = jax.jit(plain.step)(plain.init(KEY), toys.images())
    assert_trees_equal(after.params, expected.params)
    assert metrics.pop("augmentation_probability") == 0
    assert_trees_equal(metrics, expected_metrics)


def test_each_augmentation_is_applied_with_the_probability():
    batches = []

    class RecordsBatch(toys.RecordsPass):
        def record(self, x, key):
            jax.debug.callback(lambda x: batches.append(np.array(x)), x)

    add = [lambda key, image: image + 2, lambda key, image: image + 4]
    gan = toys.gan(
        discriminator_model=Sequential([RecordsBatch(), *toys.discriminator().layers]),
        augmentations=add,
        augmentation_probability=lambda step: 0.25 * (step + 1),
    )
    step = jax.jit(gan.step)
    train_state, metrics = step(gan.init(KEY), toys.images(count=256))
    jax.effects_barrier()
    assert metrics["augmentation_probability"] == 0.25
    assert sorted(map(len, batches)) == [256, 512]
    for batch in batches:
        pixels = batch.reshape(len(batch), -1)
        added = np.floor(pixels / 2)
        # All pixels of an image are augmented alike, and images differently.
        assert (added == added[:, :1]).all()
        applied = np.array([added[:, 0] % 2 == 1, added[:, 0] >= 2])
        # Within 5 standard deviations: both, and both at the same time, are independent.
        bound = 5 * np.sqrt(0.25 * 0.75 / len(batch))
        np.testing.assert_allclose(applied.mean(1), 0.25, atol=bound)
        np.testing.assert_allclose(applied.all(0).mean(), 0.0625, atol=bound)
    _, metrics = step(train_state, toys.images(count=256))
    assert metrics["augmentation_probability"] == 0.5


@pytest.mark.parametrize("threshold", [0.0, 0.5, None])
def test_the_adaptive_probability_equals_the_written_out_formula(threshold):
    adaptive = AdaptiveProbability(target=0.25, interval=3, images=100)
    rng, state = np.random.default_rng(0), adaptive.init()
    probability, signs = 0.0, []
    update = jax.jit(adaptive.update, static_argnums=3)
    for number in range(60):
        # Confident at first, guessing later.
        real = rng.normal(1 if number < 30 else 0, 1, (8, 1)).astype(np.float32)
        fake = rng.normal(-1 if number < 30 else 0, 1, (8, 1)).astype(np.float32)
        state = update(state, real, fake, threshold)
        boundary = (real.mean() + fake.mean()) / 2 if threshold is None else threshold
        signs.append(np.sign(real - boundary).mean())
        if len(signs) == 3:
            change = np.sign(np.mean(signs) - 0.25) * 8 * 3 / 100
            probability, signs = min(max(probability + change, 0), 1), []
        np.testing.assert_allclose(state["probability"], probability, atol=1e-6)
        if number == 29:
            assert state["probability"] == 1
    assert state["probability"] < 1


def test_the_boundary_of_relativistic_losses_does_not_depend_on_an_offset():
    adaptive = AdaptiveProbability(interval=1, images=10)
    real, fake = jnp.array([[3.0], [5.0]]), jnp.array([[1.0], [2.0]])
    for offset in (0.0, -100.0, 100.0):
        state = adaptive.update(adaptive.init(), real + offset, fake + offset, None)
        np.testing.assert_allclose(state["probability"], 0.2, rtol=1e-6)
    state = adaptive.update(adaptive.init(), fake, real, None)
    assert state["probability"] == 0


def test_steps_update_the_adaptive_probability_also_under_vmap():
    adaptive = AdaptiveProbability(target=-1.0, interval=2, images=80)
    arguments = {"discriminator_steps": 2, "loss": "relativistic_pairing"}
    gan = toys.gan(augmentations=[Flip()], augmentation_probability=adaptive, **arguments)
    step, train_state = jax.jit(jax.vmap(gan.step)), jax.vmap(gan.init)(jax.random.split(KEY, 2))
    for number in range(3):
        batches = jnp.stack([toys.images(2 * number), toys.images(2 * number + 1)])
        train_state, metrics = step(train_state, batches)
        state = train_state.opt_state["augmentation"]
        np.testing.assert_array_equal(metrics["augmentation_probability"], state["probability"])
        np.testing.assert_array_equal(state["updates"], 0)
    # The sign is never below -1, and there is a change in every step, after two updates.
    np.testing.assert_allclose(state["probability"], 0.3, rtol=1e-6)
    alone, _ = jax.jit(gan.step)(jax.tree.map(lambda leaf: leaf[1], train_state), toys.images())
    together, _ = step(train_state, jnp.stack([toys.images()] * 2))
    assert_trees_close(jax.tree.map(lambda leaf: leaf[1], together.params), alone.params)
    assert "augmentation" not in toys.gan(augmentations=[Flip()]).init(KEY).opt_state


def no_step():
    return 0.5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"augmentations": [Flip]}, TypeError, "augmentations must be .* got the class Flip"),
        ({"augmentations": Flip()}, TypeError, "augmentations must be a list .* got Flip"),
        (
            {"augmentation_probability": 0.5},
            ValueError,
            "augmentation_probability must be 1 without augmentations, got 0.5",
        ),
        (
            {"augmentation_probability": AdaptiveProbability()},
            ValueError,
            "augmentation_probability must be 1 without augmentations, got Adaptive",
        ),
        (
            {"augmentations": [Flip()], "augmentation_probability": 1.5},
            ValueError,
            "augmentation_probability must be a number from 0 to 1, got 1.5",
        ),
        (
            {"augmentations": [Flip()], "augmentation_probability": "ada"},
            TypeError,
            "augmentation_probability must be a number .* or an AdaptiveProbability, got 'ada'",
        ),
        (
            {"augmentations": [Flip()], "augmentation_probability": AdaptiveProbability},
            TypeError,
            "augmentation_probability must be a number .* got <class",
        ),
        (
            {"augmentations": [Flip()], "augmentation_probability": no_step},
            ValueError,
            r"augmentation_probability must be a function of \(step\)",
        ),
    ],
)
def test_wrong_augmentations_are_refused(arguments, error, message):
    with pytest.raises(error, match=f"GAN: {message}"):
        toys.gan(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 1.5}, "target must be a number from -1 to 1, got 1.5"),
        ({"interval": 0}, "interval must be a positive integer, got 0"),
        ({"images": 0.5}, "images must be a positive integer, got 0.5"),
    ],
)
def test_wrong_arguments_of_adaptive_probabilities_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"AdaptiveProbability: {message}"):
        AdaptiveProbability(**arguments)
