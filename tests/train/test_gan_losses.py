"""The losses of GANs compared with their formulas in NumPy, and steps with each of them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import layers
from jaxlayers.train import GAN, gan_losses
from jaxlayers.train.gan_losses import AdversarialLoss
from tests.train import toys
from tests.train.test_gan import (
    KEY,
    assert_trees_close,
    assert_trees_equal,
    latents_of,
    reference_discriminator,
    reference_generator,
)


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


# Losses of the discriminator and of the generator in float64, from the papers.
FORMULAS = {
    "non_saturating": (
        lambda r, f: -(log_sigmoid(r).mean() + log_sigmoid(-f).mean()) / 2,
        lambda r, f: -log_sigmoid(f).mean(),
    ),
    "least_squares": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda r, f: ((f - 1) ** 2).mean() / 2,
    ),
    "hinge": (
        lambda r, f: -np.minimum(0, -1 + r).mean() - np.minimum(0, -1 - f).mean(),
        lambda r, f: -f.mean(),
    ),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "relativistic_average": (
        lambda r, f: -log_sigmoid(r - f.mean()).mean() - log_sigmoid(-(f - r.mean())).mean(),
        lambda r, f: -log_sigmoid(f - r.mean()).mean() - log_sigmoid(-(r - f.mean())).mean(),
    ),
    "relativistic_pairing": (
        lambda r, f: np.log1p(np.exp(f - r)).mean(),
        lambda r, f: np.log1p(np.exp(r - f)).mean(),
    ),
}
LOGITS = np.random.default_rng(0).normal(scale=2, size=(2, 6, 1))


def generator_loss(loss, real, fake):
    return loss.generator(real, fake) if loss.relativistic else loss.generator(fake)


def test_all_losses_have_a_formula():
    assert set(FORMULAS) == set(gan_losses.BY_NAME)


@pytest.mark.parametrize("name", FORMULAS)
def test_losses_equal_their_formulas(name):
    loss, (real, fake) = gan_losses.get(name), jnp.asarray(LOGITS, jnp.float32)
    actual = loss.discriminator(real, fake), generator_loss(loss, real, fake)
    # Sums of a few float32 numbers.
    expected = [formula(*LOGITS) for formula in FORMULAS[name]]
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_losses_of_large_logits_and_their_gradients_are_finite(name):
    loss, real, fake = gan_losses.get(name), jnp.full((2, 1), -1e4), jnp.full((2, 1), 1e4)
    for function in (loss.discriminator, lambda *logits: generator_loss(loss, *logits)):
        for logits in ((real, fake), (fake, real)):
            value, gradient = jax.value_and_grad(function, (0, 1))(*logits)
            assert np.isfinite([value, *np.ravel(gradient)]).all()


def test_label_smoothing_changes_the_target_of_real_images_only():
    real, fake = jnp.asarray(LOGITS, jnp.float32)
    cross_entropy = -0.9 * log_sigmoid(LOGITS[0]) - 0.1 * log_sigmoid(-LOGITS[0])
    expected = (cross_entropy.mean() - log_sigmoid(-LOGITS[1]).mean()) / 2
    actual = gan_losses.non_saturating.discriminator(real, fake, label_smoothing=0.1)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    expected = (((LOGITS[0] - 0.9) ** 2).mean() + (LOGITS[1] ** 2).mean()) / 2
    actual = gan_losses.least_squares.discriminator(real, fake, label_smoothing=0.1)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_pairs_need_as_many_generated_as_real_images():
    with pytest.raises(ValueError, match=r"relativistic_pairing: fake .* \(2, 1\), got \(3, 1\)"):
        gan_losses.relativistic_pairing.discriminator(jnp.zeros((2, 1)), jnp.zeros((3, 1)))


THRESHOLDS = {"non_saturating": 0, "least_squares": 0.5, "hinge": 0}


def reference_logits(params, images):
    probabilities = reference_discriminator(params, images)
    return jnp.log(probabilities) - jnp.log1p(-probabilities)


def reference_step(name, params, images, z):
    """Returns the params and metrics after one update of each model by SGD."""
    loss, between = gan_losses.get(name), THRESHOLDS.get(name)
    g, d = params["generator"], params["discriminator"]
    fakes, _ = reference_generator(g, z)
    real, fake = reference_logits(d, images), reference_logits(d, fakes)
    metrics = {
        "real_accuracy": jnp.mean(real > (fake.mean() if between is None else between)),
        "fake_accuracy": jnp.mean(fake <= (real.mean() if between is None else between)),
    }

    def loss_d(d):
        return loss.discriminator(reference_logits(d, images), reference_logits(d, fakes))

    metrics["discriminator_loss"], gradient = jax.value_and_grad(loss_d)(d)
    d = jax.tree.map(lambda p, g: p - 0.2 * g, d, gradient)

    def loss_g(g):
        fakes, _ = reference_generator(g, z)
        return generator_loss(loss, reference_logits(d, images), reference_logits(d, fakes))

    metrics["generator_loss"], gradient = jax.value_and_grad(loss_g)(g)
    g = jax.tree.map(lambda p, g: p - 0.5 * g, g, gradient)
    return {"generator": g, "discriminator": d}, metrics


@pytest.mark.parametrize("name", FORMULAS)
def test_a_step_equals_the_written_out_formulas(name):
    gan = toys.gan(
        generator_optimizer=optax.sgd(0.5), discriminator_optimizer=optax.sgd(0.2), loss=name
    )
    before, images = gan.init(KEY), toys.images()
    latents = latents_of(before, len(images))
    after, metrics = jax.jit(gan.step)(before, images)
    params, expected = jax.jit(reference_step, static_argnums=0)(
        name, before.params, images, latents
    )
    assert_trees_close(metrics, expected)
    assert_trees_close(after.params, params)


def test_relativistic_losses_use_one_pass_over_real_and_generated_images():
    batches = []

    class RecordsBatch(toys.RecordsPass):
        def record(self, x, key):
            batches.append(x.shape[0])

    for loss in ("relativistic_pairing", "hinge"):
        gan = toys.gan(discriminator_model=toys.discriminator(RecordsBatch()), loss=loss)
        jax.eval_shape(gan.step, gan.init(KEY), toys.images())
    assert batches == [8, 8, 8, 4]


def test_losses_of_other_functions_are_accepted():
    def discriminator_loss(real, fake, *, label_smoothing=0.0):
        return jnp.mean(jnp.square(real - (1 - label_smoothing))) / 2 + jnp.mean(fake**2) / 2

    own = AdversarialLoss(
        discriminator_loss, lambda fake: jnp.mean((fake - 1) ** 2) / 2, threshold=0.5
    )
    zero_logits = toys.discriminator(kernel_initializer="zeros")
    gans = [
        toys.gan(None, zero_logits, loss=loss, label_smoothing=0.2)
        for loss in (own, "least_squares")
    ]
    actual, expected = (jax.jit(gan.step)(gan.init(KEY), toys.images()) for gan in gans)
    assert actual[1]["discriminator_loss"] == pytest.approx(0.8**2 / 2)
    assert_trees_close(actual[1], expected[1])
    assert_trees_close(actual[0].params, expected[0].params)


def test_a_loss_and_its_name_are_the_same():
    step = jax.jit(toys.gan(loss="hinge").step)
    by_value = jax.jit(toys.gan(loss=gan_losses.hinge).step)
    before = toys.gan().init(KEY)
    assert_trees_equal(step(before, toys.images()), by_value(before, toys.images()))
    assert hash(gan_losses.hinge) == hash(gan_losses.get("hinge"))


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        (
            {"loss": "wgan"},
            ValueError,
            "loss must be one of 'hinge', .*got 'wgan'",
        ),
        ({"loss": optax.l2_loss}, TypeError, "loss must be one of .*, got <function"),
        ({"loss": None}, TypeError, "loss must be one of .*, got None"),
        (
            {"label_smoothing": 1.0},
            ValueError,
            "label_smoothing must be a number from 0 to .* 1",
        ),
        ({"label_smoothing": "x"}, TypeError, "label_smoothing must be a number .* got 'x'"),
        (
            {"label_smoothing": 0.1, "loss": "hinge"},
            ValueError,
            "label_smoothing must be 0 .* 'least_squares' and 'non_saturating'.* 0.1 .* 'hinge'",
        ),
        (
            {
                "loss": "hinge",
                "discriminator_model": toys.discriminator(layers.Activation("sigmoid")),
            },
            ValueError,
            "discriminator must end in no activation.*'hinge'.*it ends in sigmoid",
        ),
        ({"instance_noise": -1.0}, ValueError, "instance_noise must be a finite number .*got -1.0"),
        ({"instance_noise": lambda: 1}, ValueError, r"instance_noise must be a function of \(step"),
        ({"discriminator_steps": 0}, ValueError, "discriminator_steps must be a positive .* got 0"),
        ({"discriminator_steps": 1.5}, ValueError, "discriminator_steps .* got 1.5"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, expected):
    with pytest.raises(error, match=f"GAN: {expected}"):
        toys.gan(**arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((lambda real: real, jnp.mean), r"discriminator must be a function of \(real, fake\)"),
        ((lambda real, fake: 0, lambda real, fake: 0), r"generator must be a function of \(fake\)"),
        ((lambda real, fake: 0, None), "generator must be a function .* got None"),
        ((lambda real, fake: 0, lambda fake: 0, True), "generator must .* of .real, fake"),
    ],
)
def test_functions_of_other_arguments_are_refused(arguments, expected):
    with pytest.raises(ValueError, match=f"AdversarialLoss: {expected}"):
        AdversarialLoss(*arguments)


@pytest.mark.parametrize("model", ["discriminator", "generator"])
def test_losses_that_are_not_scalars_are_refused(model):
    functions = {"discriminator": lambda real, fake: 0.0, "generator": lambda fake: 0.0}
    functions[model] = lambda *logits: logits[0]
    gan = toys.gan(loss=AdversarialLoss(**functions))
    with pytest.raises(ValueError, match=rf"GAN: loss: .* {model} .* scalar, .* \(4, 1\)"):
        jax.eval_shape(gan.step, gan.init(KEY), toys.images())


def constant_generator():
    """Returns a generator whose images do not depend on the latent vectors."""
    return toys.generator(kernel_initializer="zeros")


def test_several_discriminator_steps_equal_several_updates():
    arguments = {"generator_model": constant_generator(), "generator_optimizer": optax.sgd(0.0)}
    gan, reference = toys.gan(**arguments, discriminator_steps=3), toys.gan(**arguments)
    before, images = gan.init(KEY), toys.images()
    after, metrics = jax.jit(gan.step)(before, images)
    expected, step = before, jax.jit(reference.step)
    for _ in range(3):
        expected, expected_metrics = step(expected, images)
    assert after.step == 1
    for name in ("params", "opt_state"):
        actual, wanted = getattr(after, name), getattr(expected, name)
        assert_trees_close(actual["discriminator"], wanted["discriminator"])
    assert_trees_close(metrics, expected_metrics)


def test_updates_of_one_step_have_different_latent_vectors_and_keys():
    keys, latents = [], []

    def record_key(key):
        jax.debug.callback(lambda k: keys.append(tuple(k.tolist())), jax.random.key_data(key))

    class RecordsKey(toys.RecordsPass):
        def record(self, x, key):
            record_key(key)

    class RecordsLatents(toys.RecordsPass):
        def record(self, x, key):
            record_key(key)
            jax.debug.callback(lambda x: latents.append(np.array(x)), x)

    generator = toys.Sequential(
        [RecordsLatents(), *toys.generator().layers], input_shape=(toys.LATENT,)
    )
    gan = toys.gan(
        generator, toys.discriminator(RecordsKey()), discriminator_steps=2, regularizers=["r1"]
    )
    jax.jit(gan.step)(gan.init(KEY), toys.images())
    jax.effects_barrier()
    assert len(latents) == 2 and not np.isin(*latents).any()
    # Two passes of the generator; two losses, two penalties and the loss of the generator.
    assert len(keys) == len(set(keys)) == 7


def test_instance_noise_is_added_to_all_images_of_the_losses():
    inputs = []

    class RecordsInput(toys.RecordsPass):
        def record(self, x, key):
            jax.debug.callback(lambda x: inputs.append(np.array(x)), x)

    discriminator = toys.Sequential([RecordsInput(), *toys.discriminator().layers])
    gan = toys.gan(
        constant_generator(),
        discriminator,
        generator_optimizer=optax.sgd(0.0),
        instance_noise=lambda step: 0.5 * step,
    )
    step, images = jax.jit(gan.step), jnp.full((128, *toys.IMAGE_SHAPE), 0.25)
    train_state, _ = step(gan.init(KEY), images)
    jax.effects_barrier()
    clean = sorted(inputs, key=len)
    inputs.clear()
    step(train_state, images)
    jax.effects_barrier()
    noisy = sorted(inputs, key=len)
    assert list(map(len, clean)) == list(map(len, noisy)) == [128, 256]
    np.testing.assert_allclose(clean[1][:128], 0.25)
    noises = [a - b for a, b in zip(noisy, clean, strict=True)]
    for noise in (noises[0], noises[1][:128], noises[1][128:]):
        # 2,048 samples: within 5 standard deviations of the mean and of the standard deviation.
        assert abs(noise.mean()) < 5 * 0.5 / np.sqrt(2048)
        assert abs(noise.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * 2048)
        assert len(np.unique(noise)) > 2000
    # Some differences of float32 numbers are equal by chance.
    assert np.isin(noises[0], noises[1]).mean() < 0.01


def test_a_gan_is_constructed_by_position_as_before():
    models = toys.generator(), toys.discriminator()
    gan = GAN(*models, optax.sgd(0.1), optax.sgd(0.1), 0.9)
    assert (gan.ema, gan.loss, gan.regularizers) == (0.9, "non_saturating", ())
