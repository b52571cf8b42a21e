"""All optimizers of Optax train a classifier and a GAN."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.train import GAN, Classifier, Supervised

KEY = jax.random.key(0)
SHAPE = (2, 2, 1)
BATCH = (
    np.random.default_rng(0).uniform(size=(6, *SHAPE)).astype(np.float32),
    np.arange(6) % 3,
)
GENERATOR = Sequential(
    [layers.Dense(4, activation="sigmoid"), layers.Reshape(SHAPE)], input_shape=(2,)
)
DISCRIMINATOR = Sequential([layers.Flatten(), layers.Dense(1, activation="sigmoid")])

NAMES = [
    "adabelief",
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamaxw",
    "adamw",
    "adan",
    "amsgrad",
    "fromage",
    "lamb",
    "lars",
    "lion",
    "nadam",
    "nadamw",
    "novograd",
    "optimistic_adam_v2",
    "optimistic_gradient_descent",
    "polyak_sgd",
    "radam",
    "rmsprop",
    "rprop",
    "sgd",
    "sign_sgd",
    "signum",
    "sm3",
    "yogi",
]
CONTRIB = [
    "acprop",
    "ademamix",
    "adopt",
    "dadapt_adamw",
    "dog",
    "dowg",
    "galore",
    "madgrad",
    "momo",
    "momo_adam",
    "muon",
    "prodigy",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "simplified_ademamix",
    "sophia",
]
OPTIMIZERS = (
    {name: functools.partial(getattr(optax, name), 1e-2) for name in NAMES}
    | {name: functools.partial(getattr(optax.contrib, name), 1e-2) for name in CONTRIB}
    | {
        "lbfgs": optax.lbfgs,
        "lbfgs_without_search": lambda: optax.lbfgs(1e-2, linesearch=None),
        "noisy_sgd": lambda: optax.noisy_sgd(1e-2, key=jax.random.key(0)),
        "cocob": optax.contrib.cocob,
        "backtracking": lambda: optax.chain(
            optax.sgd(1.0), optax.scale_by_backtracking_linesearch(10)
        ),
        "reduce_on_plateau": lambda: optax.chain(
            optax.adam(1e-2), optax.contrib.reduce_on_plateau(patience=1)
        ),
        "mechanize": lambda: optax.contrib.mechanize(optax.adam(1e-2)),
        "schedule_free": lambda: optax.contrib.schedule_free(optax.sgd(1e-2), 1e-2),
        "sam": lambda: optax.contrib.sam(
            optax.sgd(1e-2), optax.chain(optax.contrib.normalize(), optax.sgd(1e-2))
        ),
        "opaque_sam": lambda: optax.contrib.sam(optax.sgd(1e-2), optax.sgd(1e-2), opaque_mode=True),
        "MultiSteps": lambda: optax.MultiSteps(optax.adam(1e-2), 2),
        "MultiSteps_of_lbfgs": lambda: optax.MultiSteps(optax.lbfgs(), 2),
        "apply_if_finite": lambda: optax.apply_if_finite(optax.adam(1e-2), 3),
        "apply_if_finite_of_lbfgs": lambda: optax.apply_if_finite(optax.lbfgs(), 3),
        "inject_hyperparams": lambda: optax.inject_hyperparams(optax.adam)(1e-2),
        "partition": lambda: optax.partition(
            {"a": optax.adam(1e-2), "b": optax.sgd(1e-2)},
            lambda params: jax.tree.map(lambda leaf: "ab"[leaf.ndim == 1], params),
        ),
        "clip": lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2)),
        "schedule": lambda: optax.adam(optax.cosine_decay_schedule(1e-2, 10)),
    }
)
# Optimizers with different extra arguments; the others take long to compile.
QUICK = [
    "adam",
    "lbfgs",
    "polyak_sgd",
    "momo",
    "sophia",
    "reduce_on_plateau",
    "MultiSteps_of_lbfgs",
]


def test_the_table_includes_every_optimizer_of_optax():
    names = {name for name in dir(optax) if not name.startswith("_")}
    with_learning_rate = {
        name
        for name in names
        if inspect.isfunction(getattr(optax, name))
        and "learning_rate" in getattr(getattr(optax, name), "__annotations__", {})
    }
    # Transformations that are not optimizers, and a deprecated optimizer.
    excluded = {"optimistic_adam", "scale_by_learning_rate", "scale_by_rprop"}
    assert with_learning_rate - excluded <= set(OPTIMIZERS)


def classifier(optimizer):
    model = Sequential([layers.Flatten(), layers.Dense(3, activation="softmax")], SHAPE)
    return Classifier(model, optimizer)


def has_changed(initial, updated):
    return any(
        not np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(initial), jax.tree.leaves(updated), strict=True)
    )


def is_finite(tree):
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


def check_classifier(name):
    task = classifier(OPTIMIZERS[name]())
    initial = task.init(KEY)
    train_state, metrics = jax.jit(lambda s: jax.lax.scan(task.step, s, STEPS))(initial)
    assert has_changed(initial.params, train_state.params) and is_finite(
        (train_state.params, metrics)
    )


STEPS = jax.tree.map(lambda rows: jnp.stack([rows] * 4), BATCH)


def check_gan(name):
    task = GAN(GENERATOR, DISCRIMINATOR, OPTIMIZERS[name](), OPTIMIZERS[name]())
    initial = task.init(KEY)
    updated, metrics = jax.jit(lambda s: jax.lax.scan(task.step, s, STEPS[0]))(initial)
    for model in ("generator", "discriminator"):
        assert has_changed(initial.params[model], updated.params[model])
    assert is_finite((updated.params, metrics))


@pytest.mark.parametrize("name", QUICK)
def test_selected_optimizers_train_a_classifier(name):
    check_classifier(name)


@pytest.mark.parametrize("name", ["lbfgs", "sophia"])
def test_selected_optimizers_train_a_gan(name):
    check_gan(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in QUICK])
def test_other_optimizers_train_a_classifier(name):
    check_classifier(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_all_optimizers_train_a_gan(name):
    check_gan(name)


def test_line_search_uses_the_loss_of_the_step():
    x = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    y = x @ np.array([[1.0], [2.0], [-1.0]], np.float32)
    model = Sequential([layers.Dense(1, kernel_regularizer="l2")], (3,))
    task = Supervised(model, optax.lbfgs(), "mse")
    initial = task.init(KEY)

    def objective(params):
        error = x @ params["dense"]["kernel"] + params["dense"]["bias"] - y
        return jnp.mean(error**2) + 0.01 * jnp.sum(params["dense"]["kernel"] ** 2)

    optimizer = optax.lbfgs()

    @jax.jit
    def reference_step(params, opt_state):
        value, gradient = jax.value_and_grad(objective)(params)
        updates, opt_state = optimizer.update(
            gradient, opt_state, params, value=value, grad=gradient, value_fn=objective
        )
        return optax.apply_updates(params, updates), opt_state

    params, opt_state = initial.params, optimizer.init(initial.params)
    train_state, step = initial, jax.jit(task.step)
    for _ in range(4):
        params, opt_state = reference_step(params, opt_state)
        train_state, _ = step(train_state, (x, y))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4),
        train_state.params,
        params,
    )
    assert objective(params) < 0.1 * objective(initial.params)


def test_the_learning_rate_of_inject_hyperparams_is_logged():
    schedule = optax.exponential_decay(0.5, 1, 0.5)
    injected = optax.inject_hyperparams(optax.sgd)(schedule)
    for optimizer in (injected, optax.chain(optax.clip(1.0), injected)):
        task = classifier(optimizer)
        _, metrics = jax.lax.scan(task.step, task.init(KEY), STEPS)
        np.testing.assert_allclose(metrics["learning_rate"], [0.5, 0.25, 0.125, 0.0625])
    task = GAN(GENERATOR, DISCRIMINATOR, optax.sgd(0.1), injected)
    _, metrics = jax.lax.scan(task.step, task.init(KEY), STEPS[0])
    np.testing.assert_allclose(metrics["discriminator_learning_rate"], [0.5, 0.25, 0.125, 0.0625])
    assert "generator_learning_rate" not in metrics
