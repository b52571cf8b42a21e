"""Conditional GANs compared with a step written out, and their labels."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import Functional, Input, layers, runs
from jaxlayers.data import Dataset, Streamed
from jaxlayers.train import FitConfig, fit, gan_losses
from jaxlayers.train.gan_regularizers import R1
from tests.train import toys
from tests.train.test_gan import KEY, TOLERANCE, assert_trees_close, assert_trees_equal, latents_of

LABELS = jnp.array([2, 0, 1, 2])
PIXELS = np.random.default_rng(0).integers(256, size=(40, *toys.IMAGE_SHAPE), dtype=np.uint8)
DIGITS = Dataset(PIXELS, np.arange(40) % toys.CLASSES, None, "noise")


@pytest.fixture(scope="module")
def gan():
    return toys.conditional_gan()


def reference_generator(p, z, labels):
    h = jnp.concatenate([z, p["embedding"]["embeddings"][labels]], 1)
    h = h @ p["dense"]["kernel"] + p["dense"]["bias"]
    h = (h - h.mean(0)) / jnp.sqrt(h.var(0) + 1e-3)
    h = h * p["batch_normalization"]["gamma"] + p["batch_normalization"]["beta"]
    h = h @ p["dense_1"]["kernel"] + p["dense_1"]["bias"]
    return 1 / (1 + jnp.exp(-h)).reshape(-1, *toys.IMAGE_SHAPE)


def reference_discriminator(p, x, labels):
    h = jnp.concatenate([x.reshape(len(x), -1), p["embedding"]["embeddings"][labels]], 1)
    h = h @ p["dense"]["kernel"] + p["dense"]["bias"]
    return jnp.where(h > 0, h, 0.2 * h) @ p["dense_1"]["kernel"] + p["dense_1"]["bias"]


@pytest.mark.parametrize("loss", ["hinge", "relativistic_pairing"])
def test_a_step_equals_the_written_out_formulas(loss):
    sgd = optax.sgd(0.5), optax.sgd(0.2)
    gan = toys.gan(
        toys.conditional_generator(),
        toys.conditional_discriminator(),
        *sgd,
        loss=loss,
        classes=toys.CLASSES,
    )
    before, images = gan.init(KEY), toys.images()
    after, metrics = jax.jit(gan.step)(before, (images, LABELS))
    losses, z = gan_losses.get(loss), latents_of(before, 4)

    @jax.jit
    def reference(params):
        g, d = params["generator"], params["discriminator"]

        def logits(d, g):
            fakes = reference_generator(g, z, LABELS)
            return [reference_discriminator(d, x, LABELS) for x in (images, fakes)]

        loss_d, gradient = jax.value_and_grad(lambda d: losses.discriminator(*logits(d, g)))(d)
        d = jax.tree.map(lambda p, g: p - 0.2 * g, d, gradient)

        def loss_g(g):
            real, fake = logits(d, g)
            return losses.generator(real, fake) if losses.relativistic else losses.generator(fake)

        loss_g, gradient = jax.value_and_grad(loss_g)(g)
        g = jax.tree.map(lambda p, g: p - 0.5 * g, g, gradient)
        return {"generator": g, "discriminator": d}, loss_d, loss_g

    params, loss_d, loss_g = reference(before.params)
    assert_trees_close(after.params, params)
    np.testing.assert_allclose(metrics["discriminator_loss"], loss_d, **TOLERANCE)
    np.testing.assert_allclose(metrics["generator_loss"], loss_g, **TOLERANCE)


def test_regularizers_are_computed_with_the_labels_of_the_batch():
    def own(discriminator, real, fake, key):
        # Images of two batches have the same labels twice.
        return discriminator(jnp.concatenate([real, fake])).mean()

    gan = toys.conditional_gan(regularizers=[R1(3.0), own])
    before, images = gan.init(KEY), toys.images()
    _, metrics = jax.jit(gan.step)(before, (images, LABELS))
    fakes = reference_generator(before.params["generator"], latents_of(before, 4), LABELS)

    def discriminator(x):
        labels = jnp.tile(LABELS, len(x) // 4)
        return reference_discriminator(before.params["discriminator"], x, labels)

    np.testing.assert_allclose(
        metrics["r1"], R1(3.0)(discriminator, images, fakes, KEY), **TOLERANCE
    )
    np.testing.assert_allclose(metrics["own"], own(discriminator, images, fakes, KEY), **TOLERANCE)


def test_several_discriminator_steps_have_the_same_labels():
    calls = []

    class RecordsLabels(toys.RecordsPass):
        def record(self, x, key):
            jax.debug.callback(lambda x: calls.append(x.tolist()), x)

    z, label = Input((toys.LATENT,)), Input((), dtype="int32")
    x = layers.Concatenate()([z, layers.Embedding(3, 2)(RecordsLabels()(label))])
    x = layers.Reshape(toys.IMAGE_SHAPE)(layers.Dense(16, activation="sigmoid")(x))
    models = Functional((z, label), x), toys.conditional_discriminator()
    gan = toys.gan(*models, classes=3, discriminator_steps=2)
    jax.jit(gan.step)(gan.init(KEY), (toys.images(), LABELS))
    jax.effects_barrier()
    assert calls == [LABELS.tolist()] * 2


def test_shapes_are_those_of_latent_vectors_and_images(gan):
    assert gan.latent_shape == (toys.LATENT,)
    assert gan.image_shape == toys.IMAGE_SHAPE
    assert list(gan.models(gan.init(KEY))) == ["generator", "discriminator"]


def test_samples_have_the_given_labels(gan):
    train_state = gan.init(KEY)
    samples = gan.sample(train_state, KEY, 4, labels=[[2], [0], [1], [2]])
    p = train_state.params["generator"]
    z = jax.random.uniform(KEY, (4, toys.LATENT), minval=-1.0, maxval=1.0)
    h = jnp.concatenate([z, p["embedding"]["embeddings"][LABELS]], 1)
    h = h @ p["dense"]["kernel"] / np.sqrt(1 + 1e-3) @ p["dense_1"]["kernel"]
    np.testing.assert_allclose(samples.reshape(4, -1), 1 / (1 + np.exp(-h)), rtol=1e-5)


@pytest.mark.parametrize(
    ("n", "labels"), [(6, [0, 0, 1, 1, 2, 2]), (7, [0, 0, 0, 1, 1, 2, 2]), (2, [0, 1]), (1, [0])]
)
def test_samples_are_evenly_of_all_classes_in_order(gan, n, labels):
    train_state = gan.init(KEY)
    expected = gan.sample(train_state, KEY, n, labels=np.array(labels))
    np.testing.assert_array_equal(gan.sample(train_state, KEY, n), expected)


def test_invalid_labels_inside_jit_make_images_and_losses_nan(gan):
    train_state = gan.init(KEY)
    labels = jnp.array([0, -1, 3, 1])
    samples = jax.jit(gan.sample, static_argnums=2)(train_state, KEY, 4, labels)
    np.testing.assert_array_equal(np.isnan(samples).all((1, 2, 3)), [False, True, True, False])
    assert np.isfinite(samples[jnp.array([0, 3])]).all()
    _, metrics = jax.jit(gan.step)(train_state, (toys.images(), labels))
    assert np.isnan(metrics["discriminator_loss"]) and np.isnan(metrics["generator_loss"])


def test_init_accepts_given_params(gan):
    before = gan.init(KEY)
    other = gan.init(jax.random.key(1), params={"generator": before.params["generator"]})
    assert_trees_equal(other.params["generator"], before.params["generator"])
    # Inside jit, where the values are not known, labels are not checked.
    assert_trees_close(jax.jit(gan.init)(KEY).params, before.params)


def test_rows_returns_images_and_labels(gan):
    images, labels = gan.rows(DIGITS)
    assert images is DIGITS.images and labels is DIGITS.labels
    images, labels = gan.rows((PIXELS, jnp.arange(40)[:, None] % 3))
    np.testing.assert_array_equal(labels, DIGITS.labels)
    assert labels.dtype == np.int32


def test_fit_trains_and_resumes_bit_for_bit(tmp_path):
    task = toys.conditional_gan(ema=0.9)

    def config(steps):
        return FitConfig(steps=steps, batch_size=8, samples=6, log_every=3, checkpoint_every=4)

    expected = fit(task, DIGITS, config(13), verbose=False)
    fit(task, DIGITS, config(6), tmp_path / "run", verbose=False)
    resumed = fit(task, DIGITS, config(13), tmp_path / "run", resume=True, verbose=False)
    assert_trees_equal(resumed.train_state, expected.train_state)
    generator, params, state = runs.load(tmp_path / "run")
    assert generator == task.generator
    z = jax.random.uniform(KEY, (3, toys.LATENT), minval=-1.0, maxval=1.0)
    images, _ = generator.apply(params, state, (z, jnp.arange(3)))
    expected_images = task.sample(expected.train_state, KEY, 3)
    np.testing.assert_array_equal(images, expected_images)


UNLABELED = Dataset(PIXELS, None, None, "unlabeled noise")


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (UNLABELED, ValueError, "the data must have labels, but unlabeled noise has none"),
        (PIXELS, TypeError, r"data must be a Dataset with labels or .*\(images, labels\).*ndarray"),
        ((PIXELS, LABELS, LABELS), TypeError, "got tuple of 3"),
        ((PIXELS, np.full(40, 3)), ValueError, "labels must be from 0 to 2, got 3"),
        ((PIXELS, np.full(40, -1)), ValueError, "labels must be from 0 to 2, got -1"),
        ((PIXELS, np.zeros(39, int)), ValueError, r"labels of 40 .* \(40,\), got int32 .*\(39,\)"),
        ((PIXELS, np.zeros(40)), ValueError, "labels must be integers .* got float64"),
        ((PIXELS, ["one"] * 40), ValueError, "labels must be integers .* strings such as 'one'"),
    ],
)
def test_data_without_valid_labels_is_refused(gan, data, error, message):
    with pytest.raises(error, match=f"GAN: .*{message}"):
        gan.rows(data)


def test_streamed_images_are_refused(gan, tmp_path):
    pil = pytest.importorskip("PIL.Image")
    pil.fromarray(PIXELS[0, ..., 0]).save(tmp_path / "0.png")
    with pytest.raises(ValueError, match="the data must have labels, which streamed images do not"):
        gan.rows(Streamed(tmp_path))


def test_labels_are_checked_by_step_and_sample(gan):
    train_state = gan.init(KEY)
    with pytest.raises(TypeError, match=r"GAN: .* batch must be .*\(images, labels\)"):
        gan.step(train_state, toys.images())
    with pytest.raises(ValueError, match=r"GAN: labels of 4 images must be .* got float32"):
        jax.eval_shape(gan.step, train_state, (toys.images(), jnp.zeros(4)))
    with pytest.raises(ValueError, match=r"GAN.sample: labels must be from 0 to 2, got 3"):
        gan.sample(train_state, KEY, 1, labels=[3])
    with pytest.raises(ValueError, match=r"GAN.sample: labels of 2 images .* shape \(1,\)"):
        gan.sample(train_state, KEY, 2, labels=[0])
    unconditional = toys.gan()
    with pytest.raises(ValueError, match=r"GAN\.sample: labels must be None .* without classes"):
        unconditional.sample(unconditional.init(KEY), KEY, 1, labels=[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": None}, r"classes must be the number of .* generator has several .*\(3,\).*No"),
        ({"classes": 0}, "classes must be a positive integer, got 0"),
        (
            {"generator_model": toys.generator()},
            r"with 3 classes, the generator must have two inputs.*got .* input_shape \(3,\)",
        ),
        (
            {"discriminator_model": toys.generator()},
            r"with 3 classes, the discriminator must have two inputs.*\(\(4, 4, 1\), \(\)\).*\(3,",
        ),
        (
            {"discriminator_model": toys.discriminator()},
            "the discriminator must accept the images .* and labels of shape .*, but raises",
        ),
        (
            {"generator_model": toys.generator(), "classes": None},
            "classes must be .* the discriminator has several inputs",
        ),
    ],
)
def test_models_that_do_not_fit_the_classes_are_refused(arguments, message):
    models = {
        "generator_model": toys.conditional_generator(),
        "discriminator_model": toys.conditional_discriminator(),
    }
    with pytest.raises(ValueError, match=f"GAN: {message}"):
        toys.gan(**models | {"classes": 3} | arguments)


@pytest.mark.parametrize("model", ["generator", "discriminator"])
def test_embeddings_that_are_too_small_are_refused(model):
    models = {
        "generator": toys.conditional_generator(),
        "discriminator": toys.conditional_discriminator(),
    }
    small = getattr(toys, f"conditional_{model}")(classes=2)
    gan = toys.gan(*(models | {model: small}).values(), classes=3)
    with pytest.raises(ValueError, match=f"GAN: the {model} must .* 0 to 2, .* input_dim=3"):
        gan.init(KEY)
