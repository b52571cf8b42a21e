"""The GAN task, held up against a step that is written out in plain JAX."""

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
from jaxlayers.train import GAN, TrainState
from tests.train import toys

KEY = jax.random.key(0)
# Gradients of a few dozen products in float32, summed in another order.
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def assert_trees_close(ours, theirs, **tolerance):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **(tolerance or CLOSE)), ours, theirs
    )


def assert_trees_equal(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_array_equal(a, b)


def latents_of(train_state, count):
    """The latent vectors of the next step, by the keys that GAN documents in `step`."""
    key = jax.random.split(jax.random.fold_in(train_state.key, train_state.step), 4)[0]
    return jax.random.uniform(key, (count, toys.LATENT), minval=-1.0, maxval=1.0)


def plain_generator(p, z):
    """Returns the images, and the mean and the variance of the batch in between."""
    h = z @ p["dense"]["kernel"] + p["dense"]["bias"]
    mean, variance = h.mean(0), h.var(0)
    normal = (h - mean) / jnp.sqrt(variance + 1e-3)
    h = normal * p["batch_normalization"]["gamma"] + p["batch_normalization"]["beta"]
    h = jnp.maximum(h, 0) @ p["dense_1"]["kernel"] + p["dense_1"]["bias"]
    return 1 / (1 + jnp.exp(-h)).reshape(-1, *toys.IMAGE_SHAPE), (mean, variance)


def plain_discriminator(p, x):
    """Returns the probabilities that images are real."""
    h = x.reshape(len(x), -1) @ p["dense"]["kernel"] + p["dense"]["bias"]
    h = jnp.where(h > 0, h, 0.2 * h) @ p["dense_1"]["kernel"] + p["dense_1"]["bias"]
    return 1 / (1 + jnp.exp(-h))


def plain_sgd(rate, params, momentum, gradient):
    momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, gradient)
    return jax.tree.map(lambda p, m: p - rate * m, params, momentum), momentum


def plain_step(params, momenta, moving, images, z):
    """Goodfellow's step with the non-saturating loss, with nothing but jax.numpy."""
    g, d = params["generator"], params["discriminator"]
    fakes, (mean, variance) = plain_generator(g, z)

    def loss_d(d):
        real, fake = plain_discriminator(d, images), plain_discriminator(d, fakes)
        loss = -(jnp.log(real).sum() + jnp.log(1 - fake).sum()) / (2 * len(images))
        return loss, (jnp.mean(real > 0.5), jnp.mean(fake <= 0.5))

    (discriminator_loss, (real, fake)), gradient = jax.value_and_grad(loss_d, has_aux=True)(d)
    d, momentum_d = plain_sgd(0.2, d, momenta["discriminator"], gradient)

    def loss_g(g):
        return -jnp.log(plain_discriminator(d, plain_generator(g, z)[0])).mean()

    generator_loss, gradient = jax.value_and_grad(loss_g)(g)
    g, momentum_g = plain_sgd(0.5, g, momenta["generator"], gradient)
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


def test_steps_are_those_written_out_by_hand(gan, step):
    train_state = gan.init(KEY)
    params = train_state.params
    momenta = jax.tree.map(jnp.zeros_like, params)
    moving = train_state.state["generator"]["batch_normalization"]
    for number in range(3):
        images = toys.images(number)
        latents = latents_of(train_state, len(images))
        train_state, metrics = step(train_state, images)
        params, momenta, moving, expected = jax.jit(plain_step)(
            params, momenta, moving, images, latents
        )
        assert_trees_close(train_state.params, params)
        assert_trees_close(train_state.state["generator"], {"batch_normalization": moving})
        for model in ("generator", "discriminator"):
            assert_trees_close(train_state.opt_state[model][0].trace, momenta[model])
        assert_trees_close(metrics, expected)
        assert train_state.step == number + 1


def test_latents_lie_between_minus_one_and_one_and_differ_each_step():
    @dataclass(frozen=True)
    class Passing(Layer):
        """Leaves its input in its state."""

        def init(self, key, input_shape):
            return {}, {"seen": jnp.zeros((256, *input_shape))}

        def apply(self, params, state, x, *, training=False, key=None):
            return x, {"seen": x} if training else state

    generator = Sequential([Passing(), *toys.generator().layers], input_shape=(toys.LATENT,))
    gan = toys.gan(generator)
    step = jax.jit(gan.step)
    images = toys.images(count=256)

    def latents(seed):
        train_state = gan.init(jax.random.key(seed))
        for _ in range(2):
            train_state, _ = step(train_state, images)
            yield np.asarray(train_state.state["generator"]["passing"]["seen"])

    first, second = latents(0)
    assert np.abs(first).max() <= 1
    # 768 draws: the mean of a uniform variable within 5 standard deviations, and its ends.
    assert np.abs(first.mean()) < 5 * np.sqrt(1 / 3 / 768)
    assert first.min() < -0.95 and first.max() > 0.95
    assert not np.isin(first, second).any()
    np.testing.assert_array_equal(list(latents(0)), [first, second])
    assert not np.isin(first, next(latents(1))).any()


def test_a_discriminator_that_ends_in_a_sigmoid_trains_as_one_that_ends_in_logits(gan, step):
    squashed = toys.gan(b=toys.discriminator(layers.Activation("sigmoid")))
    assert_trees_equal(squashed.init(KEY), gan.init(KEY))
    ours, _ = jax.jit(squashed.step)(squashed.init(KEY), toys.images())
    theirs, _ = step(gan.init(KEY), toys.images())
    assert_trees_equal(ours, theirs)


def test_the_losses_of_a_discriminator_that_is_sure_are_finite_and_have_gradients():
    # Logits of 1e4: their sigmoid is 1 in float32, and the logarithm of one less that -inf.
    sure = layers.Dense(1, bias_initializer=lambda key, shape, dtype: jnp.full(shape, 1e4, dtype))
    gan = toys.gan(b=toys.discriminator(sure, layers.Activation("sigmoid")))
    before = gan.init(KEY)
    after, metrics = jax.jit(gan.step)(before, toys.images())
    assert metrics["discriminator_loss"] == pytest.approx(5000, rel=1e-3)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after.params))


def test_the_discriminator_is_not_moved_by_the_generators_half(gan, step):
    still = toys.gan(a_optimizer=optax.sgd(0.0))
    ours, _ = step(gan.init(KEY), toys.images())
    theirs, _ = jax.jit(still.step)(still.init(KEY), toys.images())
    assert_trees_equal(ours.params["discriminator"], theirs.params["discriminator"])
    assert_trees_equal(theirs.params["generator"], gan.init(KEY).params["generator"])


def test_the_generator_learns_from_the_updated_discriminator(gan, step):
    # With a discriminator that the optimizer sets to zero there is nothing to learn from.
    wipe = optax.stateless(lambda updates, params: jax.tree.map(jnp.negative, params))
    wiped = toys.gan(b_optimizer=wipe)
    before = wiped.init(KEY)
    after, metrics = jax.jit(wiped.step)(before, toys.images())
    assert_trees_equal(after.params["generator"], before.params["generator"])
    assert metrics["generator_loss"] == pytest.approx(np.log(2))


def test_the_statistics_of_the_discriminator_are_updated_once_on_real_and_generated_images():
    discriminator = Sequential(
        [layers.Flatten(), layers.BatchNormalization(momentum=0.0), layers.Dense(1)]
    )
    gan = toys.gan(b=discriminator)
    before, images = gan.init(KEY), toys.images()
    after, _ = jax.jit(gan.step)(before, images)
    fakes, _ = plain_generator(before.params["generator"], latents_of(before, len(images)))
    seen = np.concatenate([images, fakes]).reshape(2 * len(images), -1)
    moving = after.state["discriminator"]["batch_normalization"]
    np.testing.assert_allclose(moving["moving_mean"], seen.mean(0), **CLOSE)
    np.testing.assert_allclose(moving["moving_variance"], seen.var(0), **CLOSE)


def test_every_pass_of_every_step_has_a_key_of_its_own():
    keys = []

    @dataclass(frozen=True)
    class Keyed(Layer):
        """Tells which key it gets in training."""

        def apply(self, params, state, x, *, training=False, key=None):
            if training:
                jax.debug.callback(
                    lambda k: keys.append(tuple(k.tolist())), jax.random.key_data(key)
                )
            return x, state

    generator = Sequential([*toys.generator().layers, Keyed()], input_shape=(toys.LATENT,))
    gan = toys.gan(generator, toys.discriminator(Keyed()))
    step = jax.jit(gan.step)
    train_state, _ = step(gan.init(KEY), toys.images())
    step(train_state, toys.images())
    jax.effects_barrier()
    # The generator's pass and the discriminator's two, twice.
    assert len(keys) == len(set(keys)) == 6


def test_one_seed_gives_one_run_and_another_seed_another(gan, step):
    def run(seed):
        return step(gan.init(jax.random.key(seed)), toys.images())

    assert_trees_equal(run(0)[1], run(0)[1])
    np.testing.assert_array_equal(*(run(0)[0].params["generator"]["dense"]["kernel"],) * 2)
    assert run(0)[1]["generator_loss"] != run(1)[1]["generator_loss"]


def test_step_leaves_its_arguments_alone_unless_they_are_donated(gan, step):
    before = gan.init(KEY)
    step(before, toys.images())
    assert_trees_equal(before, gan.init(KEY))


def test_donated_state_gives_the_same_step(gan, step):
    expected, _ = step(gan.init(KEY), toys.images())
    donated = gan.init(KEY)
    ours, _ = jax.jit(gan.step, donate_argnums=0)(donated, toys.images())
    assert donated.params["generator"]["dense"]["kernel"].is_deleted()
    assert_trees_close(ours.params, expected.params)


def test_a_scan_of_steps_is_the_steps_one_by_one(gan, step):
    batches = jnp.stack([toys.images(number) for number in range(3)])
    # scan itself refuses a carry whose structure or dtypes change.
    scanned, metrics = jax.jit(lambda s, b: jax.lax.scan(gan.step, s, b))(gan.init(KEY), batches)
    train_state = gan.init(KEY)
    for number, batch in enumerate(batches):
        train_state, expected = step(train_state, batch)
        assert_trees_close({name: m[number] for name, m in metrics.items()}, expected)
    assert_trees_close(scanned.params, train_state.params)


def penalised(model, **regularizers):
    """Returns the state before a step of SGD at rate 1, and its updates without and with them."""
    plain, own = getattr(toys, model)(), getattr(toys, model)(**regularizers)
    updates = []
    for layer in (plain, own):
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
def test_a_kernel_penalty_adds_its_derivative_to_the_gradient(model):
    before, plain, own = penalised(model, kernel_regularizer=lambda k: 0.05 * jnp.sum(k**2))
    kernel = before.params[model]["dense"]["kernel"]
    difference = own["dense"]["kernel"] - plain["dense"]["kernel"]
    np.testing.assert_allclose(difference, -0.1 * kernel, rtol=1e-4, atol=1e-6)
    loss = f"{model}_loss"
    assert own["metrics"][loss] == pytest.approx(float(plain["metrics"][loss]), abs=0.01)


def test_an_activity_penalty_of_the_generator_adds_its_derivative_to_the_gradient():
    before, plain, own = penalised("generator", activity_regularizer=lambda y: 0.1 * jnp.sum(y**2))
    p = before.params["generator"]["dense"]
    z = latents_of(before, 4)
    h = z @ p["kernel"] + p["bias"]
    # d/dkernel of 0.1 * sum(h ** 2) / batch
    expected = -0.2 * z.T @ h / 4
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(
        own["dense"]["kernel"] - plain["dense"]["kernel"], expected, rtol=1e-4, atol=1e-6
    )
    assert own["metrics"]["generator_loss"] == plain["metrics"]["generator_loss"]


def test_an_activity_penalty_of_the_discriminator_is_that_of_real_and_generated_images():
    before, plain, own = penalised(
        "discriminator", activity_regularizer=lambda y: 0.1 * jnp.sum(y**2)
    )
    fakes, _ = plain_generator(before.params["generator"], latents_of(before, 4))
    x = jnp.concatenate([toys.images(), fakes]).reshape(8, -1)
    p = before.params["discriminator"]["dense"]
    expected = -0.2 * x.T @ (x @ p["kernel"] + p["bias"]) / 8
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(
        own["dense"]["kernel"] - plain["dense"]["kernel"], expected, rtol=1e-4, atol=1e-6
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


def test_images_of_uint8_are_those_of_floats_divided_by_255(gan, step):
    pixels = np.random.default_rng(0).integers(256, size=(4, *toys.IMAGE_SHAPE), dtype=np.uint8)
    ours = step(gan.init(KEY), pixels)
    theirs = step(gan.init(KEY), pixels / np.float32(255))
    assert_trees_close(ours[1], theirs[1], rtol=1e-6)
    assert_trees_close(ours[0].params, theirs[0].params)


def test_samples_are_images_that_one_key_determines(gan):
    train_state = gan.init(KEY)
    one = gan.sample(train_state, jax.random.key(1), 5)
    assert one.shape == (5, *toys.IMAGE_SHAPE)
    assert one.min() >= 0 and one.max() <= 1
    np.testing.assert_array_equal(one, gan.sample(train_state, jax.random.key(1), 5))
    other = gan.sample(train_state, jax.random.key(2), 5)
    assert not np.isin(one, other).any()


def signed(end="tanh"):
    """The toy generator with another end."""
    return Sequential(
        [*toys.generator().layers[:-2], layers.Dense(16, end), layers.Reshape(toys.IMAGE_SHAPE)],
        input_shape=(toys.LATENT,),
    )


@dataclass(frozen=True)
class Halved(Layer):
    """Makes -1 to 1 of 0 to 1, as a layer that says nothing of it."""

    def apply(self, params, state, x, *, training=False, key=None):
        return 2 * x - 1, state


def test_a_generator_that_ends_in_tanh_trains_on_images_of_its_range():
    # Compared with a generator of 0 to 1 whose discriminator scales what it sees.
    @dataclass(frozen=True)
    class Unit(Layer):
        def apply(self, params, state, x, *, training=False, key=None):
            return (jnp.tanh(x) + 1) / 2, state

    unit = Sequential([*signed("linear").layers, Unit()], input_shape=(toys.LATENT,))
    scaled = Sequential([Halved(), *toys.discriminator().layers])
    theirs, ours = toys.gan(unit, scaled), toys.gan(signed())
    images = (255 * toys.images()).astype(jnp.uint8)
    before = ours.init(KEY)
    same = theirs.init(KEY, params=before.params, state=before.state)
    expected, expected_metrics = jax.jit(theirs.step)(same, images)
    after, metrics = jax.jit(ours.step)(before, images)
    assert_trees_close(metrics, expected_metrics)
    assert_trees_close(after.params, expected.params)


@pytest.mark.parametrize("end", ["tanh", "hard_tanh", "softsign", jnp.tanh])
def test_samples_of_a_generator_of_minus_1_to_1_are_from_0_to_1(end):
    gan = toys.gan(signed(end))
    train_state = gan.init(KEY)
    samples = gan.sample(train_state, KEY, 8)
    model, params, state = gan.models(train_state)["generator"]
    z = jax.random.uniform(KEY, (8, toys.LATENT), minval=-1.0, maxval=1.0)
    images, _ = model.apply(params, state, z)
    assert images.min() < 0 <= samples.min() <= samples.max() <= 1
    np.testing.assert_allclose(samples, (images + 1) / 2, rtol=1e-6)


def test_the_models_of_a_gan_are_kept_with_the_averaged_params():
    gan = toys.gan(ema=0.9)
    train_state, _ = jax.jit(gan.step)(gan.init(KEY), toys.images())
    models = gan.models(train_state)
    assert list(models) == ["generator", "discriminator"]
    assert models["generator"][0] == gan.generator
    assert_trees_equal(models["generator"][1], train_state.opt_state["ema"])
    assert_trees_equal(models["discriminator"][1], train_state.params["discriminator"])
    assert_trees_equal(models["generator"][2], train_state.state["generator"])


def test_training_starts_from_given_params_and_states(gan, step):
    trained, _ = step(gan.init(KEY), toys.images())
    again = gan.init(KEY, params=trained.params, state=trained.state)
    assert_trees_equal(again.params, trained.params)
    assert_trees_equal(again.state, trained.state)
    assert again.step == 0
    one = gan.init(KEY, params={"discriminator": trained.params["discriminator"]})
    assert_trees_equal(one.params["discriminator"], trained.params["discriminator"])
    assert_trees_equal(one.params["generator"], gan.init(KEY).params["generator"])
    # What was given is not the state's to donate.
    averaging = toys.gan(ema=0.9)
    before = averaging.init(KEY, params=trained.params)
    jax.jit(averaging.step, donate_argnums=0)(before, toys.images())
    assert not trained.params["generator"]["dense"]["kernel"].is_deleted()


def test_images_are_those_of_a_data_set_a_list_or_an_array(gan):
    pixels = np.random.default_rng(0).integers(256, size=(4, *toys.IMAGE_SHAPE), dtype=np.uint8)
    assert gan.rows(Dataset(pixels, None, None, "noise")) is pixels
    assert gan.rows(pixels) is pixels
    floats = pixels / np.float32(255)
    np.testing.assert_array_equal(gan.rows(floats.tolist()), np.asarray(floats, np.float64))


def test_samples_are_made_with_the_moving_statistics(gan):
    # An image does not depend on the others of its batch.
    train_state = gan.init(KEY)
    many = gan.sample(train_state, jax.random.key(1), 5)
    p = train_state.params["generator"]
    z = jax.random.uniform(jax.random.key(1), (5, toys.LATENT), minval=-1.0, maxval=1.0)
    h = np.maximum(z @ p["dense"]["kernel"] / np.sqrt(1 + 1e-3), 0)
    expected = 1 / (1 + np.exp(-h @ p["dense_1"]["kernel"]))
    np.testing.assert_allclose(many, expected.reshape(5, *toys.IMAGE_SHAPE), rtol=1e-5)


def test_images_of_another_shape_are_refused(gan):
    with pytest.raises(ValueError, match=r"\[batch, 4, 4, 1\].*\(2, 4, 4, 3\)"):
        gan.step(gan.init(KEY), jnp.zeros((2, 4, 4, 3)))
    with pytest.raises(ValueError, match=r"\[batch, 4, 4, 1\].*\(4, 4, 1\)"):
        gan.step(gan.init(KEY), jnp.zeros((4, 4, 1)))


def test_a_generator_without_an_input_shape_is_refused():
    with pytest.raises(ValueError, match=r"generator must be constructed with input_shape"):
        toys.gan(dataclasses.replace(toys.generator(), input_shape=None))


def test_a_discriminator_of_more_than_one_number_is_refused():
    with pytest.raises(ValueError, match=r"\(1,\); for images of shape \(4, 4, 1\).*\(2,\)"):
        toys.gan(b=toys.discriminator(layers.Dense(2)))


def test_a_discriminator_of_other_images_is_refused():
    with pytest.raises(ValueError, match=r"\(28, 28, 1\).*\(4, 4, 1\)"):
        toys.gan(b=dcgan.discriminator(width=1))


def test_a_train_state_is_a_pytree(gan, step):
    train_state = gan.init(KEY)
    leaves, structure = jax.tree.flatten(train_state)
    again = jax.tree.unflatten(structure, leaves)
    assert isinstance(again, TrainState)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    assert_trees_equal(step(again, toys.images())[1], step(train_state, toys.images())[1])


@dataclass(frozen=True)
class Linear:
    """A discriminator that inherits nothing: the contract alone."""

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


def test_a_discriminator_may_be_anything_that_keeps_the_contract():
    gan = toys.gan(b=Linear(), b_optimizer=optax.sgd(1.0))
    before, images = gan.init(KEY), toys.images()
    after, metrics = jax.jit(gan.step)(before, images)
    fakes, _ = plain_generator(before.params["generator"], latents_of(before, 4))
    # At logits 0 the derivative of the loss is (0.5 - label) * x, of the penalty 1.
    gradient = 1 + (0.5 * fakes.sum(0) - 0.5 * images.sum(0)) / 8
    np.testing.assert_allclose(after.params["discriminator"], np.clip(-gradient, -1.05, 0), **CLOSE)
    assert metrics["discriminator_loss"] == pytest.approx(np.log(2))


def test_a_layer_of_the_generator_may_count_in_its_state():
    @dataclass(frozen=True)
    class Counting(Layer):
        def init(self, key, input_shape):
            return {}, {"calls": jnp.zeros((), jnp.int32)}

        def apply(self, params, state, x, *, training=False, key=None):
            return x, {"calls": state["calls"] + training}

    gan = toys.gan(Sequential([*toys.generator().layers, Counting()], input_shape=(toys.LATENT,)))
    plain = toys.gan()
    ours, _ = jax.jit(gan.step)(gan.init(KEY), toys.images())
    theirs, _ = jax.jit(plain.step)(plain.init(KEY), toys.images())
    assert ours.state["generator"]["counting"]["calls"] == 1
    assert_trees_close(ours.params, theirs.params)
