"""The GAN task compared with a step written out in jax.numpy."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import Layer, Sequential, layers
from jaxlayers.data import Dataset
from jaxlayers.models import dcgan
from jaxlayers.train import GAN, TrainState, gan_losses
from tests.train import toys

KEY = jax.random.key(0)
# Gradients are sums of a few dozen float32 products, in another order.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}


def assert_trees_close(actual, expected, **tolerance):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **(tolerance or TOLERANCE)), actual, expected
    )


def assert_trees_equal(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_array_equal(a, b)


def latents_of(train_state, count):
    """Returns the latent vectors of the next step, with the keys documented in `GAN.step`."""
    key = jax.random.split(jax.random.fold_in(train_state.key, train_state.step), 4)[0]
    return jax.random.uniform(key, (count, toys.LATENT), minval=-1.0, maxval=1.0)


def reference_generator(p, z):
    """Returns the images, and the batch mean and variance of the normalization."""
    h = z @ p["dense"]["kernel"] + p["dense"]["bias"]
    mean, variance = h.mean(0), h.var(0)
    normalized = (h - mean) / jnp.sqrt(variance + 1e-3)
    h = normalized * p["batch_normalization"]["gamma"] + p["batch_normalization"]["beta"]
    h = jnp.maximum(h, 0) @ p["dense_1"]["kernel"] + p["dense_1"]["bias"]
    return 1 / (1 + jnp.exp(-h)).reshape(-1, *toys.IMAGE_SHAPE), (mean, variance)


def reference_discriminator(p, x):
    """Returns the probabilities that images are real."""
    h = x.reshape(len(x), -1) @ p["dense"]["kernel"] + p["dense"]["bias"]
    h = jnp.where(h > 0, h, 0.2 * h) @ p["dense_1"]["kernel"] + p["dense_1"]["bias"]
    return 1 / (1 + jnp.exp(-h))


def reference_sgd(rate, params, momentum, gradient):
    momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, gradient)
    return jax.tree.map(lambda p, m: p - rate * m, params, momentum), momentum


def reference_step(params, momenta, moving, images, z):
    """Returns the results of a step of Goodfellow's GAN with the non-saturating loss."""
    g, d = params["generator"], params["discriminator"]
    fakes, (mean, variance) = reference_generator(g, z)

    def loss_d(d):
        real, fake = reference_discriminator(d, images), reference_discriminator(d, fakes)
        loss = -(jnp.log(real).sum() + jnp.log(1 - fake).sum()) / (2 * len(images))
        return loss, (jnp.mean(real > 0.5), jnp.mean(fake <= 0.5))

    (discriminator_loss, (real, fake)), gradient = jax.value_and_grad(loss_d, has_aux=True)(d)
    d, momentum_d = reference_sgd(0.2, d, momenta["discriminator"], gradient)

    def loss_g(g):
        return -jnp.log(reference_discriminator(d, reference_generator(g, z)[0])).mean()

    generator_loss, gradient = jax.value_and_grad(loss_g)(g)
    g, momentum_g = reference_sgd(0.5, g, momenta["generator"], gradient)
    moving = {
        "moving_mean": 0.9 * moving["moving_mean"] + 0.1 * mean,
        "moving_variance": 0.9 * moving["moving_variance"] + 0.1 * variance,
    }
    metrics = {
        "discriminator_loss": discriminator_loss,
        "generator_loss": generator_loss,
        "real_accuracy": real,
        "fake_accuracy": fake,
    }
    return (
        {"generator": g, "discriminator": d},
        {"generator": momentum_g, "discriminator": momentum_d},
        moving,
        metrics,
    )


@pytest.fixture(scope="module")
def gan():
    return toys.gan()


@pytest.fixture(scope="module")
def step(gan):
    return jax.jit(gan.step)


def test_steps_equal_the_written_out_formulas(gan, step):
    train_state = gan.init(KEY)
    params = train_state.params
    momenta = jax.tree.map(jnp.zeros_like, params)
    moving = train_state.state["generator"]["batch_normalization"]
    for number in range(3):
        images = toys.images(number)
        latents = latents_of(train_state, len(images))
        train_state, metrics = step(train_state, images)
        params, momenta, moving, expected = jax.jit(reference_step)(
            params, momenta, moving, images, latents
        )
        assert_trees_close(train_state.params, params)
        assert_trees_close(train_state.state["generator"], {"batch_normalization": moving})
        for model in ("generator", "discriminator"):
            assert_trees_close(train_state.opt_state[model][0].trace, momenta[model])
        assert_trees_close(metrics, expected)
        assert train_state.step == number + 1


def test_latents_are_uniform_from_minus_1_to_1_and_differ_between_steps():
    @dataclass(frozen=True)
    class RecordsInput(Layer):
        """Stores its input in its state."""

        def init(self, key, input_shape):
            return {}, {"input": jnp.zeros((256, *input_shape))}

        def apply(self, params, state, x, *, training=False, key=None):
            return x, {"input": x} if training else state

    generator = Sequential([RecordsInput(), *toys.generator().layers], input_shape=(toys.LATENT,))
    gan = toys.gan(generator)
    step = jax.jit(gan.step)
    images = toys.images(count=256)

    def latents(seed):
        train_state = gan.init(jax.random.key(seed))
        for _ in range(2):
            train_state, _ = step(train_state, images)
            yield np.asarray(train_state.state["generator"]["records_input"]["input"])

    first, second = latents(0)
    assert np.abs(first).max() <= 1
    # 768 samples: the mean within 5 standard deviations, and the range.
    assert np.abs(first.mean()) < 5 * np.sqrt(1 / 3 / 768)
    assert first.min() < -0.95 and first.max() > 0.95
    assert not np.isin(first, second).any()
    np.testing.assert_array_equal(list(latents(0)), [first, second])
    assert not np.isin(first, next(latents(1))).any()


def test_discriminators_with_and_without_sigmoid_are_equivalent(gan, step):
    with_sigmoid = toys.gan(discriminator_model=toys.discriminator(layers.Activation("sigmoid")))
    assert_trees_equal(with_sigmoid.init(KEY), gan.init(KEY))
    actual, _ = jax.jit(with_sigmoid.step)(with_sigmoid.init(KEY), toys.images())
    expected, _ = step(gan.init(KEY), toys.images())
    assert_trees_equal(actual, expected)


def test_losses_and_gradients_of_large_logits_are_finite():
    # The sigmoid of a logit of 1e4 is 1 in float32, and log(1 - 1) is -inf.
    large_logits = layers.Dense(
        1, bias_initializer=lambda key, shape, dtype: jnp.full(shape, 1e4, dtype)
    )
    gan = toys.gan(
        discriminator_model=toys.discriminator(large_logits, layers.Activation("sigmoid"))
    )
    before = gan.init(KEY)
    after, metrics = jax.jit(gan.step)(before, toys.images())
    assert metrics["discriminator_loss"] == pytest.approx(5000, rel=1e-3)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after.params))


def test_the_generator_update_does_not_change_the_discriminator(gan, step):
    frozen_generator = toys.gan(generator_optimizer=optax.sgd(0.0))
    expected, _ = step(gan.init(KEY), toys.images())
    actual, _ = jax.jit(frozen_generator.step)(frozen_generator.init(KEY), toys.images())
    assert_trees_equal(expected.params["discriminator"], actual.params["discriminator"])
    assert_trees_equal(actual.params["generator"], gan.init(KEY).params["generator"])


def test_the_generator_is_updated_with_the_new_discriminator(gan, step):
    # A discriminator that the optimizer sets to zero has no gradient.
    set_to_zero = optax.stateless(lambda updates, params: jax.tree.map(jnp.negative, params))
    zero_discriminator = toys.gan(discriminator_optimizer=set_to_zero)
    before = zero_discriminator.init(KEY)
    after, metrics = jax.jit(zero_discriminator.step)(before, toys.images())
    assert_trees_equal(after.params["generator"], before.params["generator"])
    assert metrics["generator_loss"] == pytest.approx(np.log(2))


@pytest.mark.parametrize("loss", ["least_squares", "relativistic_average"])
def test_batch_normalization_of_the_discriminator_has_batches_of_one_kind_of_images(loss):
    discriminator = Sequential(
        [layers.Flatten(), layers.BatchNormalization(momentum=0.5), layers.Dense(1)]
    )
    optimizers = optax.sgd(0.0), optax.sgd(0.0)
    gan = toys.gan(None, discriminator, *optimizers, loss=loss)
    before, images = gan.init(KEY), toys.images()
    # The output would be 0 on average if all weights were equal.
    dense = {"kernel": jnp.linspace(-1.0, 2.0, 16)[:, None], "bias": jnp.array([0.5])}
    before.params["discriminator"]["dense"] = dense
    before.params["discriminator"]["batch_normalization"]["beta"] = jnp.linspace(0.0, 0.3, 16)
    after, metrics = jax.jit(gan.step)(before, images)
    fakes, _ = reference_generator(before.params["generator"], latents_of(before, len(images)))
    real, fake = (np.reshape(x, (len(images), -1)) for x in (images, fakes))

    def logits(x):
        normalized = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) + np.linspace(0.0, 0.3, 16)
        return normalized @ np.asarray(dense["kernel"]) + 0.5

    losses = gan_losses.BY_NAME[loss]
    expected = losses.discriminator(logits(real), logits(fake))
    np.testing.assert_allclose(metrics["discriminator_loss"], expected, **TOLERANCE)
    both = (logits(real), logits(fake)) if losses.relativistic else (logits(fake),)
    np.testing.assert_allclose(metrics["generator_loss"], losses.generator(*both), **TOLERANCE)
    moving = after.state["discriminator"]["batch_normalization"]
    mean = 0.25 * real.mean(0) + 0.5 * fake.mean(0)
    variance = 0.25 + 0.25 * real.var(0) + 0.5 * fake.var(0)
    np.testing.assert_allclose(moving["moving_mean"], mean, **TOLERANCE)
    np.testing.assert_allclose(moving["moving_variance"], variance, **TOLERANCE)


def test_every_pass_of_every_step_has_a_different_key():
    keys = []

    @dataclass(frozen=True)
    class RecordsKey(Layer):
        """Records the keys of training passes."""

        def apply(self, params, state, x, *, training=False, key=None):
            if training:
                jax.debug.callback(
                    lambda k: keys.append(tuple(k.tolist())), jax.random.key_data(key)
                )
            return x, state

    generator = Sequential([*toys.generator().layers, RecordsKey()], input_shape=(toys.LATENT,))
    gan = toys.gan(generator, toys.discriminator(RecordsKey()))
    step = jax.jit(gan.step)
    train_state, _ = step(gan.init(KEY), toys.images())
    step(train_state, toys.images())
    jax.effects_barrier()
    # One pass of the generator and two of the discriminator, in two steps.
    assert len(keys) == len(set(keys)) == 6


def test_training_depends_only_on_the_seed(gan, step):
    def run(seed):
        return step(gan.init(jax.random.key(seed)), toys.images())

    assert_trees_equal(run(0)[1], run(0)[1])
    np.testing.assert_array_equal(*(run(0)[0].params["generator"]["dense"]["kernel"],) * 2)
    assert run(0)[1]["generator_loss"] != run(1)[1]["generator_loss"]


def test_step_does_not_change_its_arguments(gan, step):
    before = gan.init(KEY)
    step(before, toys.images())
    assert_trees_equal(before, gan.init(KEY))


def test_a_step_with_a_donated_state_is_the_same(gan, step):
    expected, _ = step(gan.init(KEY), toys.images())
    donated = gan.init(KEY)
    actual, _ = jax.jit(gan.step, donate_argnums=0)(donated, toys.images())
    assert donated.params["generator"]["dense"]["kernel"].is_deleted()
    assert_trees_close(actual.params, expected.params)


def test_a_scan_over_steps_equals_a_loop(gan, step):
    batches = jnp.stack([toys.images(number) for number in range(3)])
    # scan also checks that the structure and dtypes of the carry are constant.
    scanned, metrics = jax.jit(lambda s, b: jax.lax.scan(gan.step, s, b))(gan.init(KEY), batches)
    train_state = gan.init(KEY)
    for number, batch in enumerate(batches):
        train_state, expected = step(train_state, batch)
        assert_trees_close({name: m[number] for name, m in metrics.items()}, expected)
    assert_trees_close(scanned.params, train_state.params)


def penalized_updates(model, **regularizers):
    """Returns a state, and its SGD updates with rate 1 without and with the regularizers."""
    unregularized, regularized = getattr(toys, model)(), getattr(toys, model)(**regularizers)
    updates = []
    for layer in (unregularized, regularized):
        models = {"generator": toys.generator(), "discriminator": toys.discriminator()}
        gan = GAN(*(models | {model: layer}).values(), optax.sgd(1.0), optax.sgd(1.0))
        before = gan.init(KEY)
        after, metrics = jax.jit(gan.step)(before, toys.images())
        updates.append(
            jax.tree.map(jnp.subtract, after.params[model], before.params[model])
            | {"metrics": metrics}
        )
    return before, *updates


@pytest.mark.parametrize("model", ["generator", "discriminator"])
def test_kernel_penalties_add_their_gradient(model):
    before, unregularized, regularized = penalized_updates(
        model, kernel_regularizer=lambda k: 0.05 * jnp.sum(k**2)
    )
    kernel = before.params[model]["dense"]["kernel"]
    difference = regularized["dense"]["kernel"] - unregularized["dense"]["kernel"]
    np.testing.assert_allclose(difference, -0.1 * kernel, rtol=1e-4, atol=1e-6)
    loss = f"{model}_loss"
    assert regularized["metrics"][loss] == pytest.approx(
        float(unregularized["metrics"][loss]), abs=0.01
    )


def test_activity_penalties_of_the_generator_add_their_gradient():
    before, unregularized, regularized = penalized_updates(
        "generator", activity_regularizer=lambda y: 0.1 * jnp.sum(y**2)
    )
    p = before.params["generator"]["dense"]
    z = latents_of(before, 4)
    h = z @ p["kernel"] + p["bias"]
    # d/dkernel of 0.1 * sum(h ** 2) / batch
    expected = -0.2 * z.T @ h / 4
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(
        regularized["dense"]["kernel"] - unregularized["dense"]["kernel"],
        expected,
        rtol=1e-4,
        atol=1e-6,
    )
    assert regularized["metrics"]["generator_loss"] == unregularized["metrics"]["generator_loss"]


def test_activity_penalties_of_the_discriminator_are_of_real_and_generated_images():
    before, unregularized, regularized = penalized_updates(
        "discriminator", activity_regularizer=lambda y: 0.1 * jnp.sum(y**2)
    )
    fakes, _ = reference_generator(before.params["generator"], latents_of(before, 4))
    x = jnp.concatenate([toys.images(), fakes]).reshape(8, -1)
    p = before.params["discriminator"]["dense"]
    expected = -0.2 * x.T @ (x @ p["kernel"] + p["bias"]) / 8
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(
        regularized["dense"]["kernel"] - unregularized["dense"]["kernel"],
        expected,
        rtol=1e-4,
        atol=1e-6,
    )


def test_constraints_hold_after_each_step():
    gan = toys.gan(
        toys.generator(kernel_constraint="non_neg"),
        toys.discriminator(kernel_constraint="unit_norm"),
    )
    train_state, step = gan.init(KEY), jax.jit(gan.step)
    assert np.min(train_state.params["generator"]["dense"]["kernel"]) < 0
    for number in range(3):
        train_state, _ = step(train_state, toys.images(number))
        assert np.min(train_state.params["generator"]["dense"]["kernel"]) >= 0
        norms = np.linalg.norm(train_state.params["discriminator"]["dense"]["kernel"], axis=0)
        np.testing.assert_allclose(norms, 1, rtol=1e-5)


def test_uint8_images_equal_floats_divided_by_255(gan, step):
    pixels = np.random.default_rng(0).integers(256, size=(4, *toys.IMAGE_SHAPE), dtype=np.uint8)
    actual = step(gan.init(KEY), pixels)
    expected = step(gan.init(KEY), pixels / np.float32(255))
    assert_trees_close(actual[1], expected[1], rtol=1e-6)
    assert_trees_close(actual[0].params, expected[0].params)


def test_samples_are_images_and_depend_only_on_the_key(gan):
    train_state = gan.init(KEY)
    samples = gan.sample(train_state, jax.random.key(1), 5)
    assert samples.shape == (5, *toys.IMAGE_SHAPE)
    assert samples.min() >= 0 and samples.max() <= 1
    np.testing.assert_array_equal(samples, gan.sample(train_state, jax.random.key(1), 5))
    other = gan.sample(train_state, jax.random.key(2), 5)
    assert not np.isin(samples, other).any()


def signed_generator(activation="tanh"):
    """Returns the toy generator with another final activation."""
    return Sequential(
        [
            *toys.generator().layers[:-2],
            layers.Dense(16, activation),
            layers.Reshape(toys.IMAGE_SHAPE),
        ],
        input_shape=(toys.LATENT,),
    )


@dataclass(frozen=True)
class ToSigned(Layer):
    """Scales 0 to 1 to -1 to 1, without defining its range."""

    def apply(self, params, state, x, *, training=False, key=None):
        return 2 * x - 1, state


def test_real_images_are_scaled_to_the_range_of_a_tanh_generator():
    # Compared with a generator of 0 to 1 whose discriminator scales its inputs.
    @dataclass(frozen=True)
    class TanhToUnit(Layer):
        def apply(self, params, state, x, *, training=False, key=None):
            return (jnp.tanh(x) + 1) / 2, state

    unit = Sequential(
        [*signed_generator("linear").layers, TanhToUnit()], input_shape=(toys.LATENT,)
    )
    scaled = Sequential([ToSigned(), *toys.discriminator().layers])
    reference, gan = toys.gan(unit, scaled), toys.gan(signed_generator())
    images = (255 * toys.images()).astype(jnp.uint8)
    before = gan.init(KEY)
    reference_state = reference.init(KEY, params=before.params, state=before.state)
    expected, expected_metrics = jax.jit(reference.step)(reference_state, images)
    after, metrics = jax.jit(gan.step)(before, images)
    assert_trees_close(metrics, expected_metrics)
    assert_trees_close(after.params, expected.params)


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "softsign", jnp.tanh])
def test_samples_of_signed_generators_are_scaled_to_0_to_1(activation):
    gan = toys.gan(signed_generator(activation))
    train_state = gan.init(KEY)
    samples = gan.sample(train_state, KEY, 8)
    model, params, state = gan.models(train_state)["generator"]
    z = jax.random.uniform(KEY, (8, toys.LATENT), minval=-1.0, maxval=1.0)
    images, _ = model.apply(params, state, z)
    assert images.min() < 0 <= samples.min() <= samples.max() <= 1
    np.testing.assert_allclose(samples, (images + 1) / 2, rtol=1e-6)


def test_models_returns_the_averaged_params_of_the_generator():
    gan = toys.gan(ema=0.9)
    train_state, _ = jax.jit(gan.step)(gan.init(KEY), toys.images())
    models = gan.models(train_state)
    assert list(models) == ["generator", "discriminator"]
    assert models["generator"][0] == gan.generator
    assert_trees_equal(models["generator"][1], train_state.opt_state["ema"])
    assert_trees_equal(models["discriminator"][1], train_state.params["discriminator"])
    assert_trees_equal(models["generator"][2], train_state.state["generator"])


def test_init_accepts_given_params_and_states(gan, step):
    trained, _ = step(gan.init(KEY), toys.images())
    restarted = gan.init(KEY, params=trained.params, state=trained.state)
    assert_trees_equal(restarted.params, trained.params)
    assert_trees_equal(restarted.state, trained.state)
    assert restarted.step == 0
    partial = gan.init(KEY, params={"discriminator": trained.params["discriminator"]})
    assert_trees_equal(partial.params["discriminator"], trained.params["discriminator"])
    assert_trees_equal(partial.params["generator"], gan.init(KEY).params["generator"])
    # Donating the state does not delete the given params.
    averaging = toys.gan(ema=0.9)
    before = averaging.init(KEY, params=trained.params)
    jax.jit(averaging.step, donate_argnums=0)(before, toys.images())
    assert not trained.params["generator"]["dense"]["kernel"].is_deleted()


def test_rows_returns_the_images_of_a_data_set_a_list_or_an_array(gan):
    pixels = np.random.default_rng(0).integers(256, size=(4, *toys.IMAGE_SHAPE), dtype=np.uint8)
    assert gan.rows(Dataset(pixels, None, None, "noise")) is pixels
    assert gan.rows(pixels) is pixels
    floats = pixels / np.float32(255)
    np.testing.assert_array_equal(gan.rows(floats.tolist()), np.asarray(floats, np.float64))


def test_samples_are_computed_with_moving_statistics(gan):
    # An image does not depend on the other images of its batch.
    train_state = gan.init(KEY)
    samples = gan.sample(train_state, jax.random.key(1), 5)
    p = train_state.params["generator"]
    z = jax.random.uniform(jax.random.key(1), (5, toys.LATENT), minval=-1.0, maxval=1.0)
    h = np.maximum(z @ p["dense"]["kernel"] / np.sqrt(1 + 1e-3), 0)
    expected = 1 / (1 + np.exp(-h @ p["dense_1"]["kernel"]))
    np.testing.assert_allclose(samples, expected.reshape(5, *toys.IMAGE_SHAPE), rtol=1e-5)


def test_images_of_wrong_shapes_are_refused(gan):
    with pytest.raises(ValueError, match=r"\[batch, 4, 4, 1\].*\(2, 4, 4, 3\)"):
        gan.step(gan.init(KEY), jnp.zeros((2, 4, 4, 3)))
    with pytest.raises(ValueError, match=r"\[batch, 4, 4, 1\].*\(4, 4, 1\)"):
        gan.step(gan.init(KEY), jnp.zeros((4, 4, 1)))


def test_a_generator_without_an_input_shape_is_refused():
    with pytest.raises(ValueError, match=r"generator must be constructed with input_shape"):
        toys.gan(dataclasses.replace(toys.generator(), input_shape=None))


def test_a_discriminator_with_several_outputs_is_refused():
    with pytest.raises(ValueError, match=r"\(1,\); for images of shape \(4, 4, 1\).*\(2,\)"):
        toys.gan(discriminator_model=toys.discriminator(layers.Dense(2)))


def test_a_discriminator_for_other_image_shapes_is_refused():
    with pytest.raises(ValueError, match=r"\(28, 28, 1\).*\(4, 4, 1\)"):
        toys.gan(discriminator_model=dcgan.discriminator(width=1))


def test_a_train_state_is_a_pytree(gan, step):
    train_state = gan.init(KEY)
    leaves, structure = jax.tree.flatten(train_state)
    restored = jax.tree.unflatten(structure, leaves)
    assert isinstance(restored, TrainState)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    assert_trees_equal(step(restored, toys.images())[1], step(train_state, toys.images())[1])


@dataclass(frozen=True)
class Linear:
    """A discriminator with the methods of a layer that does not inherit from `Layer`."""

    def init(self, key, input_shape):
        return jnp.zeros(input_shape), ()

    def apply(self, params, state, x, *, training=False, key=None):
        return jnp.sum(x * params, (1, 2, 3))[:, None], state

    def output_shape(self, input_shape):
        return (1,)

    def penalty(self, params, state):
        return jnp.sum(params)

    def constrain(self, params):
        return jnp.clip(params, -1.05, 0)

    def logits(self):
        return self


def test_discriminators_need_not_inherit_from_layer():
    gan = toys.gan(discriminator_model=Linear(), discriminator_optimizer=optax.sgd(1.0))
    before, images = gan.init(KEY), toys.images()
    after, metrics = jax.jit(gan.step)(before, images)
    fakes, _ = reference_generator(before.params["generator"], latents_of(before, 4))
    # At logits of 0, the gradient of the loss is (0.5 - label) * x, and that of the penalty is 1.
    gradient = 1 + (0.5 * fakes.sum(0) - 0.5 * images.sum(0)) / 8
    np.testing.assert_allclose(
        after.params["discriminator"], np.clip(-gradient, -1.05, 0), **TOLERANCE
    )
    assert metrics["discriminator_loss"] == pytest.approx(np.log(2))


def test_layers_can_count_calls_in_their_state():
    @dataclass(frozen=True)
    class CountsCalls(Layer):
        def init(self, key, input_shape):
            return {}, {"calls": jnp.zeros((), jnp.int32)}

        def apply(self, params, state, x, *, training=False, key=None):
            return x, {"calls": state["calls"] + training}

    gan = toys.gan(
        Sequential([*toys.generator().layers, CountsCalls()], input_shape=(toys.LATENT,))
    )
    reference = toys.gan()
    actual, _ = jax.jit(gan.step)(gan.init(KEY), toys.images())
    expected, _ = jax.jit(reference.step)(reference.init(KEY), toys.images())
    assert actual.state["generator"]["counts_calls"]["calls"] == 1
    assert_trees_close(actual.params, expected.params)
