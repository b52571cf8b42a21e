"""Optimizers compared with Keras's."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from jaxlayers import Sequential, constraints, freeze, layers, trainable
from jaxlayers.train import Classifier, constrained, frozen, inverse_time_decay, rmsprop

RNG = np.random.default_rng(0)
START = RNG.normal(size=(4, 3)).astype(np.float32)
# Of very different magnitudes, so that epsilon is significant.
GRADIENTS = (RNG.normal(size=(20, 4, 3)) * np.logspace(-4, 1, 12).reshape(4, 3)).astype(np.float32)


def trajectory(optimizer, gradients=GRADIENTS, start=START):
    update = jax.jit(optimizer.update)
    params, opt_state = {"w": jnp.asarray(start)}, optimizer.init({"w": jnp.asarray(start)})
    for gradient in gradients:
        updates, opt_state = update({"w": jnp.asarray(gradient)}, opt_state, params)
        params = optax.apply_updates(params, updates)
        yield np.asarray(params["w"])


@pytest.mark.parametrize("arguments", [{}, {"learning_rate": 0.05, "rho": 0.7, "epsilon": 1e-3}])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_rmsprop_equals_keras(arguments, decay):
    rate = arguments.get("learning_rate", 1e-3)
    schedule = keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)
    keras_optimizer = keras.optimizers.RMSprop(**arguments | {"learning_rate": schedule})
    variable = keras.Variable(START)
    keras_optimizer.build([variable])
    for params, gradient in zip(
        trajectory(rmsprop(**arguments, decay=decay)), GRADIENTS, strict=True
    ):
        keras_optimizer.apply_gradients([(jnp.asarray(gradient), variable)])
        np.testing.assert_allclose(params, variable.value, rtol=0, atol=1e-6)
    assert np.abs(np.asarray(variable.value) - START).max() > 1e-3


def test_rmsprop_adds_epsilon_inside_of_the_square_root():
    w, mean = START.astype(np.float64), 0
    for step, (params, gradient) in enumerate(
        zip(trajectory(rmsprop(0.01, rho=0.8, epsilon=1e-4, decay=0.5)), GRADIENTS, strict=True)
    ):
        mean = 0.8 * mean + 0.2 * gradient.astype(np.float64) ** 2
        w = w - 0.01 / (1 + 0.5 * step) * gradient / np.sqrt(mean + 1e-4)
        np.testing.assert_allclose(params, w, rtol=0, atol=1e-6)


def test_inverse_time_decay_equals_its_formula():
    schedule = inverse_time_decay(0.2, decay=0.25)
    assert [schedule(step) for step in (0, 1, 4)] == pytest.approx([0.2, 0.16, 0.1])
    assert jax.jit(schedule)(jnp.int32(4)) == pytest.approx(0.1)
    assert inverse_time_decay(0.2, decay=0.0)(1000) == 0.2


MODEL = Sequential(
    [
        layers.Dense(8, kernel_constraint="unit_norm", bias_constraint="non_neg"),
        layers.Dense(3),
    ],
    input_shape=(5,),
)


def gradients_like(params, step):
    keys = iter(jax.random.split(jax.random.key(step), len(jax.tree.leaves(params))))
    return jax.tree.map(lambda p: jax.random.normal(next(keys), p.shape), params)


@pytest.mark.parametrize("optimizer", [optax.adam(0.1), optax.sgd(0.1, momentum=0.9)])
def test_constrained_params_satisfy_their_constraints_and_others_are_unchanged(optimizer):
    constrained_optimizer = constrained(optimizer, MODEL)
    params, _ = MODEL.init(jax.random.key(0))
    opt_state, unconstrained = constrained_optimizer.init(params), params
    unconstrained_state = optimizer.init(params)
    update, unconstrained_update = jax.jit(constrained_optimizer.update), jax.jit(optimizer.update)
    for step in range(5):
        gradient = gradients_like(params, step)
        updates, opt_state = update(gradient, opt_state, params)
        unconstrained_updates, unconstrained_state = unconstrained_update(
            gradient, unconstrained_state, unconstrained
        )
        params = optax.apply_updates(params, updates)
        unconstrained = optax.apply_updates(unconstrained, unconstrained_updates)
        # 1.5 units in the last place, because updates are rounded.
        norms = np.linalg.norm(params["dense"]["kernel"], axis=0)
        np.testing.assert_allclose(norms, 1, rtol=1e-6)
        assert np.min(params["dense"]["bias"]) >= 0
        jax.tree.map(
            np.testing.assert_array_equal, updates["dense_1"], unconstrained_updates["dense_1"]
        )
    assert np.abs(np.linalg.norm(unconstrained["dense"]["kernel"], axis=0) - 1).min() > 1e-3
    assert np.min(unconstrained["dense"]["bias"]) < 0


def test_constrained_equals_keras():
    keras_layer = keras.layers.Dense(4, kernel_constraint=keras.constraints.MaxNorm(0.5))
    keras_layer.build((None, 5))
    layer = layers.Dense(4, kernel_constraint=constraints.MaxNorm(0.5))
    params = {"kernel": keras_layer.kernel.value, "bias": keras_layer.bias.value}
    keras_optimizer = keras.optimizers.Adam(0.05)
    keras_optimizer.build(keras_layer.trainable_variables)
    optimizer = constrained(optax.adam(0.05, eps=1e-7), layer)
    opt_state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for step in range(6):
        gradient = gradients_like(params, step)
        keras_optimizer.apply(
            [gradient["kernel"], gradient["bias"]], keras_layer.trainable_variables
        )
        updates, opt_state = update(gradient, opt_state, params)
        params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(params["kernel"], keras_layer.kernel.value, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(params["bias"], keras_layer.bias.value, rtol=1e-4, atol=1e-6)


def test_constrained_passes_extra_arguments_to_the_optimizer():
    def update(updates, state, params=None, *, scale):
        return jax.tree.map(lambda g: -scale * g, updates), state

    scaled = optax.GradientTransformationExtraArgs(lambda params: (), update)
    params = {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}
    optimizer = constrained(scaled, layers.Dense(1, kernel_constraint="non_neg"))
    updates, _ = optimizer.update(params, (), params, scale=3.0)
    assert updates["kernel"] == -1  # at the bound of the constraint
    assert updates["bias"] == -3


def test_constrained_accepts_chained_transformations():
    model = layers.Dense(2, kernel_constraint="non_neg")
    params, _ = model.init(jax.random.key(0), (3,))
    optimizer = constrained(optax.chain(optax.clip(1.0), optax.adam(0.1)), model)
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert np.min(optax.apply_updates(params, updates)["kernel"]) >= 0


def test_the_update_of_constrained_requires_params():
    optimizer = constrained(optax.sgd(0.1), layers.Dense(1, kernel_constraint="non_neg"))
    with pytest.raises(ValueError, match="params must be given"):
        optimizer.update({"kernel": jnp.ones((1, 1))}, ())


MASKED = {"a": {"w": jnp.asarray(START)}, "b": {"w": jnp.asarray(START)}}


@pytest.mark.parametrize(
    "mask",
    [
        {"a": False, "b": {"w": True}},
        {"a": {"w": np.False_}, "b": {"w": np.True_}},
        lambda params: {"a": False, "b": True},
    ],
)
def test_frozen_weights_do_not_decay_and_have_no_optimizer_state(mask):
    adam = optax.adamw(0.1, weight_decay=0.5)
    optimizer = frozen(adam, mask)
    opt_state, params = optimizer.init(MASKED), MASKED
    # Only those of the trained weights: the step and two moments.
    assert sorted(np.size(leaf) for leaf in jax.tree.leaves(opt_state)) == [1, 12, 12]
    expected, expected_state = MASKED["b"], adam.init(MASKED["b"])
    for gradient in GRADIENTS[:3]:
        gradients = jax.tree.map(lambda _, g=gradient: jnp.asarray(g), params)
        updates, opt_state = jax.jit(optimizer.update)(gradients, opt_state, params)
        params = optax.apply_updates(params, updates)
        updates, expected_state = jax.jit(adam.update)(gradients["b"], expected_state, expected)
        expected = optax.apply_updates(expected, updates)
    np.testing.assert_array_equal(params["a"]["w"], START)
    np.testing.assert_array_equal(params["b"]["w"], expected["w"])


@pytest.mark.parametrize("mask", [{"a": 1}, {"a": None, "b": "x"}, 0.5, {"a": jnp.ones(2)}])
def test_masks_of_other_values_are_refused(mask):
    with pytest.raises(ValueError, match="frozen: trainable must have the values True and False"):
        frozen(optax.sgd(0.1), mask)
    with pytest.raises(TypeError, match=r"frozen: optimizer must be an Optax optimizer.*'adam'"):
        frozen("adam", {"a": True})


def test_a_model_whose_every_layer_is_frozen_is_not_changed():
    model = freeze(
        Sequential([layers.BatchNormalization(), layers.Dense(3, kernel_regularizer="l2")], (4,))
    )
    model = Sequential([layers.Flatten(), model], (2, 2, 1))
    task = Classifier(model, frozen(optax.adamw(0.1), lambda params: trainable(model, params)))
    train_state = task.init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (4, 2, 2, 1))
    new, metrics = jax.jit(task.step)(train_state, (images, jnp.array([0, 1, 2, 0])))
    jax.tree.map(np.testing.assert_array_equal, new.params, train_state.params)
    jax.tree.map(np.testing.assert_array_equal, new.state, train_state.state)
    assert np.isfinite(metrics["loss"])
