"""Gradient penalties compared with closed forms, and their schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from jaxlayers import Sequential, layers
from jaxlayers.train import gan_regularizers
from jaxlayers.train.gan_regularizers import R1, R2, GradientPenalty, LazyRegularizer
from tests.train import toys
from tests.train.test_gan import KEY, TOLERANCE, assert_trees_close, assert_trees_equal, latents_of

SHAPE = (4, 4, 2)
WEIGHTS = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
REAL, FAKE = np.random.default_rng(1).normal(size=(2, 5, *SHAPE)).astype(np.float32)


def linear(weights):
    return lambda x: jnp.sum(weights * x, (1, 2, 3))[:, None]


def quadratic(x):
    """Its gradient is its argument."""
    return jnp.sum(x**2, (1, 2, 3))[:, None] / 2


@pytest.mark.parametrize("regularizer", [R1(3.0), R2(3.0)])
def test_r1_and_r2_of_a_linear_discriminator(regularizer):
    actual = regularizer(linear(WEIGHTS), REAL, FAKE, KEY)
    np.testing.assert_allclose(actual, 1.5 * np.sum(WEIGHTS**2), rtol=1e-5)


def test_r1_is_of_real_and_r2_of_generated_images():
    for regularizer, images in ((R1(3.0), REAL), (R2(3.0), FAKE)):
        actual = regularizer(quadratic, REAL, FAKE, KEY)
        np.testing.assert_allclose(actual, 1.5 * np.sum(images**2) / 5, rtol=1e-5)


def test_the_gradient_penalty_is_0_for_gradients_of_norm_1():
    unit = WEIGHTS / np.linalg.norm(WEIGHTS)
    penalty = GradientPenalty(10.0)
    # The norm of 32 float32 numbers is 1 within a few units of the last place.
    assert penalty(linear(unit), REAL, FAKE, KEY) < 1e-11
    np.testing.assert_allclose(penalty(linear(3 * unit), REAL, FAKE, KEY), 40, rtol=1e-5)


def test_the_gradient_penalty_is_at_random_points_between_pairs():
    norms = np.sqrt(np.sum(REAL**2, (1, 2, 3)))
    actual = GradientPenalty(2.0)(quadratic, REAL, REAL, KEY)
    np.testing.assert_allclose(actual, 2 * np.mean((norms - 1) ** 2), rtol=1e-5)
    # Between 0 and 1, the mean of (1 - u)**2 for uniform u is 1/3; its standard deviation is 0.298.
    zeros, ones = jnp.zeros((4096, 1, 1, 1)), jnp.ones((4096, 1, 1, 1))
    values = [GradientPenalty(1.0)(quadratic, zeros, ones, jax.random.key(n)) for n in (0, 1)]
    assert np.abs(np.array(values) - 1 / 3).max() < 5 * 0.298 / np.sqrt(4096)
    assert values[0] != values[1]


def test_the_gradient_penalty_of_a_constant_discriminator_has_a_finite_gradient():
    def penalty(scale):
        return GradientPenalty(10.0)(linear(scale * WEIGHTS), REAL, FAKE, KEY)

    value, gradient = jax.value_and_grad(penalty)(0.0)
    assert (value, gradient) == (10, 0)


def test_gradients_of_penalties_of_convolutions_equal_those_of_lax():
    model = Sequential(
        [
            layers.Conv2D(3, 3, strides=2, padding="same", use_bias=False),
            layers.Activation("softplus"),
            layers.Flatten(),
            layers.Dense(1, use_bias=False),
        ],
        input_shape=SHAPE,
    )
    params, state = model.init(KEY)

    def by_lax(params, x):
        h = lax.conv_general_dilated(
            x,
            params["conv2d"]["kernel"],
            (2, 2),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jax.nn.softplus(h).reshape(len(x), -1) @ params["dense"]["kernel"]

    def gradient(discriminator):
        def penalty(params):
            regularizers = R1(2.0), R2(3.0), GradientPenalty(4.0)
            images = lambda x: discriminator(params, x)  # noqa: E731
            return sum(regularizer(images, REAL, FAKE, KEY) for regularizer in regularizers)

        return jax.jit(jax.value_and_grad(penalty))(params)

    actual = gradient(lambda params, x: model.apply(params, state, x)[0])
    assert_trees_close(actual, gradient(by_lax))
    assert np.abs(actual[1]["conv2d"]["kernel"]).max() > 0.1


def gan(*regularizers, **arguments):
    sgd = optax.sgd(0.5), optax.sgd(0.2)
    return toys.gan(None, None, *sgd, regularizers=regularizers, **arguments)


def logits(params, x):
    return toys.discriminator().apply(params, {}, x)[0]


def test_a_step_adds_the_gradient_of_the_penalties():
    plain, regularized = gan(), gan("r1", R2(3.0), lambda d, real, fake, key: 0.5 * d(fake).mean())
    before, images = regularized.init(KEY), toys.images()
    after, metrics = jax.jit(regularized.step)(before, images)
    expected, expected_metrics = jax.jit(plain.step)(plain.init(KEY), images)
    z = latents_of(before, 4)
    fakes, _ = toys.generator().apply(
        before.params["generator"], before.state["generator"], z, training=True
    )

    def penalties(params):
        discriminator = lambda x: logits(params, x)  # noqa: E731
        return {
            "r1": R1(10.0)(discriminator, images, fakes, KEY),
            "r2": R2(3.0)(discriminator, images, fakes, KEY),
            "lambda": 0.5 * discriminator(fakes).mean(),
        }

    params = before.params["discriminator"]
    gradient = jax.jit(jax.grad(lambda params: sum(penalties(params).values())))(params)
    difference = jax.tree.map(
        jnp.subtract, after.params["discriminator"], expected.params["discriminator"]
    )
    assert_trees_close(difference, jax.tree.map(lambda g: -0.2 * g, gradient), rtol=1e-3, atol=1e-6)
    values = penalties(params)
    assert_trees_close(after.opt_state["penalties"], values)
    assert_trees_close({name: metrics[name] for name in values}, values)
    # The losses of the discriminator are without penalties.
    np.testing.assert_array_equal(
        metrics["discriminator_loss"], expected_metrics["discriminator_loss"]
    )
    assert set(metrics) == set(expected_metrics) | set(values)


def test_every_second_step_adds_twice_the_penalty_and_the_others_none():
    lazy, twice, none = gan(R1(3.0, every=2)), gan(R1(6.0)), gan(R1(0.0))
    steps = [jax.jit(task.step) for task in (lazy, twice, none)]
    train_state = lazy.init(KEY)
    latest = []
    for number in range(4):
        images = toys.images(number)
        (after, metrics), with_penalty, without = (step(train_state, images) for step in steps)
        expected = without if number % 2 else with_penalty
        assert_trees_close(after.params, expected[0].params)
        assert not np.allclose(
            with_penalty[0].params["discriminator"]["dense"]["kernel"],
            without[0].params["discriminator"]["dense"]["kernel"],
            **TOLERANCE,
        )
        if number % 2 == 0:
            np.testing.assert_allclose(metrics["r1"], with_penalty[1]["r1"] / 2, rtol=1e-5)
        latest.append(float(metrics["r1"]))
        train_state = after
    assert latest[0] == latest[1] != latest[2] == latest[3]


def test_the_objective_of_the_optimizer_has_the_same_schedule():
    # For optimizers that evaluate the loss at other params, such as optax.lbfgs.
    def penalty(params):
        return jnp.sum(params**2)

    regularizer, params = R1(1.0, every=3), jnp.array([1.0, 2.0])
    for step, factor in ((0, 3), (1, 0), (2, 0), (3, 3)):
        added = gan_regularizers.scheduled(regularizer, penalty, jnp.asarray(step))
        value, gradient, latest = gan_regularizers.value_and_gradient(
            regularizer, penalty, params, jnp.asarray(step), jnp.asarray(7.0)
        )
        assert added(params) == value == 5 * factor
        np.testing.assert_array_equal(gradient, 2 * factor * params)
        assert latest == (5 if factor else 7)


def test_optimizers_that_evaluate_the_loss_evaluate_the_penalties():
    def update(gradient, opt_state, params, *, value, value_fn, **extra):
        return gradient, {"value": value, "evaluated": value_fn(params)}

    zeros = {"value": jnp.zeros(()), "evaluated": jnp.zeros(())}
    optimizer = optax.GradientTransformationExtraArgs(lambda params: zeros, update)
    task = toys.gan(discriminator_optimizer=optimizer, regularizers=[R1(100.0, every=2)])
    step, train_state = jax.jit(task.step), task.init(KEY)
    for number in range(2):
        train_state, metrics = step(train_state, toys.images(number))
        values = train_state.opt_state["discriminator"]
        expected = metrics["discriminator_loss"] + (0 if number else 2 * metrics["r1"])
        np.testing.assert_allclose(values["value"], expected, rtol=1e-5)
        np.testing.assert_allclose(values["evaluated"], expected, rtol=1e-5)


def test_penalties_are_computed_in_training_mode_and_do_not_change_the_state():
    def discriminator():
        return toys.discriminator(layers.BatchNormalization(momentum=0.5))

    # In training mode, the sum of the normalized logits of a batch is constant.
    sgd = optax.sgd(0.5), optax.sgd(0.2)
    regularized, unregularized = (
        toys.gan(None, discriminator(), *sgd, regularizers=regularizers)
        for regularizers in ([R1(1.0)], [])
    )
    before = regularized.init(KEY)
    after, metrics = jax.jit(regularized.step)(before, toys.images())
    expected, _ = jax.jit(unregularized.step)(unregularized.init(KEY), toys.images())
    assert_trees_close(after.state, expected.state)
    assert metrics["r1"] < 1e-8


def test_regularizers_are_values_and_have_names():
    assert R1(10) == R1(10.0, every=1) != R1(10.0, every=2)
    assert hash(GradientPenalty()) == hash(GradientPenalty(10.0))
    assert repr(R2(1, every=16)) == "R2(weight=1.0, every=16)"

    def own(discriminator, real, fake, key):
        return 0.0

    elements = ["r1", R1(1.0), "gradient_penalty", own, own]
    named = gan_regularizers.named("GAN", "regularizers", elements)
    assert named == {
        "r1": R1(10.0),
        "r1_1": R1(1.0),
        "gradient_penalty": GradientPenalty(10.0),
        "own": own,
        "own_1": own,
    }
    task = toys.gan(regularizers=["r1"])
    assert task.regularizers == ("r1",)
    assert "penalties" not in toys.gan().init(KEY).opt_state
    assert_trees_equal(task.init(KEY).opt_state["penalties"], {"r1": jnp.zeros(())})


def test_regularizers_of_users_can_be_lazy():
    class MeanLogit(LazyRegularizer):
        def __call__(self, discriminator, real, fake, key):
            return self.weight * discriminator(real).mean()

    (name,) = gan_regularizers.named("GAN", "regularizers", [MeanLogit(2.0, every=4)])
    assert name == "MeanLogit"
    _, gradient, _ = gan_regularizers.value_and_gradient(
        MeanLogit(2.0, every=4), lambda x: 2 * x, jnp.ones(()), jnp.asarray(4), jnp.zeros(())
    )
    assert gradient == 8


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        ("r1", TypeError, "got 'r1'"),
        (["r3"], ValueError, "got the element 'r3'"),
        ([None], TypeError, "got the element None"),
        ([R1], TypeError, "got the element <class"),
        ([lambda real: 0.0], ValueError, "got the element <function"),
    ],
)
def test_wrong_regularizers_are_refused(value, error, expected):
    allowed = "'gradient_penalty', 'r1', 'r2', regularizers such as R1"
    with pytest.raises(error, match=f"GAN: regularizers must be a list of {allowed}.*{expected}"):
        toys.gan(regularizers=value)


@pytest.mark.parametrize("regularizer", [R1, R2, GradientPenalty])
def test_wrong_arguments_of_regularizers_are_refused(regularizer):
    name = regularizer.__name__
    with pytest.raises(ValueError, match=f"{name}: weight must be .* not negative, got -1"):
        regularizer(-1)
    with pytest.raises(ValueError, match=f"{name}: every must be a positive integer, got 0"):
        regularizer(every=0)


def test_penalties_that_are_not_scalars_are_refused():
    task = toys.gan(regularizers=[lambda discriminator, real, fake, key: discriminator(real)])
    with pytest.raises(ValueError, match=r"GAN: regularizers: lambda must .* scalar.* \(4, 1\)"):
        jax.eval_shape(task.step, task.init(KEY), toys.images())
