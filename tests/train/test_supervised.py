"""The supervised task, held up against Keras's `fit`, `evaluate` and metrics."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from jaxlayers import Sequential, layers, losses
from jaxlayers.data import Dataset
from jaxlayers.metrics import supervised as metrics
from jaxlayers.train import FitConfig, Supervised, fit

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 5)).astype(np.float32)
PREDICTIONS = RNG.uniform(0.05, 0.95, (10, 3)).astype(np.float32)
TARGETS = RNG.uniform(0.05, 0.95, (10, 3)).astype(np.float32)
BINARY = RNG.integers(2, size=(10, 3)).astype(np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[RNG.integers(3, size=10)]
LABELS = ONE_HOT.argmax(-1)


def task(loss="mse", metrics=(), activation=None, units=3, optimizer=None):
    model = Sequential([layers.Dense(units, activation=activation)], (5,))
    return Supervised(model, optimizer or optax.sgd(0.1), loss, metrics)


def logits(params, x=X):
    return np.asarray(x @ params["dense"]["kernel"] + params["dense"]["bias"], np.float64)


PLAIN = sorted(
    {
        "mean_squared_error",
        "mse",
        "mean_absolute_error",
        "mae",
        "mean_absolute_percentage_error",
        "mape",
        "mean_squared_logarithmic_error",
        "msle",
        "huber",
        "log_cosh",
        "poisson",
        "kl_divergence",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
        "cosine_similarity",
    }
)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("axes", [2, 3])
def test_losses_of_predictions_are_those_of_keras(name, axes):
    outputs, targets = PREDICTIONS, BINARY if "hinge" in name else TARGETS
    if name == "huber":
        outputs = 4 * outputs  # errors on both sides of 1
    if axes == 3:
        outputs, targets = outputs.reshape(2, 5, 3), targets.reshape(2, 5, 3)
    ours = losses.get(name)(jnp.asarray(outputs), targets)
    theirs = keras.losses.get(name)(targets, outputs)
    assert ours.shape == outputs.shape[:-1]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("binary_crossentropy", BINARY),
        ("categorical_crossentropy", ONE_HOT),
        ("sparse_categorical_crossentropy", LABELS),
    ],
)
def test_cross_entropies_of_logits_are_those_of_keras(name, targets):
    outputs = 5 * PREDICTIONS
    theirs = getattr(keras.losses, name)(targets, outputs, from_logits=True)
    np.testing.assert_allclose(losses.get(name)(jnp.asarray(outputs), targets), theirs, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(set(losses.BY_NAME) - {"sparse_categorical_crossentropy"}))
def test_losses_do_not_broadcast(name):
    with pytest.raises(ValueError, match=r"not broadcast; got .*\(3, 1\)"):
        losses.get(name)(jnp.ones((3, 3)), jnp.ones((3, 1)))


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("mae", TARGETS),
        ("mean_squared_error", TARGETS),
        ("mean_absolute_percentage_error", TARGETS),
        ("msle", TARGETS),
        ("root_mean_squared_error", TARGETS),
        ("cosine_similarity", TARGETS),
        ("binary_accuracy", BINARY),
        ("categorical_accuracy", ONE_HOT),
        ("sparse_categorical_accuracy", LABELS),
    ],
)
def test_metrics_are_those_of_keras(name, targets):
    ours = metrics.get(name)(jnp.asarray(PREDICTIONS), jnp.asarray(targets)).mean()
    classes = {"root_mean_squared_error": "RootMeanSquaredError"} | {
        "cosine_similarity": "CosineSimilarity"
    }
    if name in classes:
        theirs = getattr(keras.metrics, classes[name])()(targets, PREDICTIONS)
    else:
        theirs = np.mean(keras.metrics.get(name)(targets, PREDICTIONS))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("sparse", [False, True])
def test_top_k_accuracy_is_that_of_keras(sparse):
    predictions = RNG.uniform(size=(40, 9)).astype(np.float32)
    labels = RNG.integers(9, size=40)
    name = "sparse_top_k_categorical_accuracy" if sparse else "top_k_categorical_accuracy"
    targets = labels if sparse else np.eye(9, dtype=np.float32)[labels]
    ours = metrics.get(name)(jnp.asarray(predictions), jnp.asarray(targets))
    np.testing.assert_array_equal(ours, getattr(keras.metrics, name)(targets, predictions, k=5))


@pytest.mark.parametrize(
    ("loss", "activation", "targets", "names"),
    [
        ("mse", None, TARGETS, ["mae", "root_mean_squared_error"]),
        ("binary_crossentropy", "sigmoid", BINARY, ["binary_accuracy"]),
        ("categorical_crossentropy", "softmax", ONE_HOT, ["accuracy"]),
        ("sparse_categorical_crossentropy", "softmax", LABELS, ["accuracy"]),
        ("kl_divergence", "softmax", TARGETS, []),
    ],
)
def test_a_model_trains_and_is_evaluated_as_by_keras(loss, activation, targets, names):
    ours = task(loss, names, activation)
    train_state = ours.init(KEY)
    theirs = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation=activation)])
    theirs.layers[-1].set_weights(
        [np.array(train_state.params["dense"][name]) for name in ("kernel", "bias")]
    )
    keras_names = [
        keras.metrics.RootMeanSquaredError() if name == "root_mean_squared_error" else name
        for name in names
    ]
    theirs.compile(keras.optimizers.SGD(0.1), loss, metrics=keras_names)
    step = jax.jit(ours.step)
    for _ in range(2):
        expected = theirs.train_on_batch(X, targets, return_dict=True)
        train_state, metrics = step(train_state, (X, targets))
    # Keras's metrics are means over both steps; the loss of a batch it gives as it is.
    kernel = train_state.params["dense"]["kernel"]
    np.testing.assert_allclose(kernel, theirs.layers[-1].kernel.value, rtol=1e-4, atol=1e-6)
    assert metrics.keys() == expected.keys() == {"loss", *names}
    expected = theirs.evaluate(X, targets, batch_size=4, verbose=0, return_dict=True)
    for size in (4, 256):
        evaluated = ours.evaluate(train_state, (X, targets), batch_size=size)
        assert evaluated.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(evaluated[name], value, rtol=1e-4)
    predictions = ours.predict(train_state, X, batch_size=3)
    np.testing.assert_allclose(predictions, theirs.predict(X, verbose=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "activation", "targets"),
    [
        ("binary_crossentropy", "sigmoid", BINARY),
        (optax.sigmoid_binary_cross_entropy, "sigmoid", BINARY),
        ("categorical_crossentropy", "softmax", ONE_HOT),
        (optax.softmax_cross_entropy_with_integer_labels, "softmax", LABELS),
    ],
)
def test_a_cross_entropy_is_the_same_with_and_without_the_activation(loss, activation, targets):
    squashed, plain = task(loss, (), activation), task(loss)
    train_state = squashed.init(KEY)
    ours = squashed.evaluate(train_state, (X, targets))
    np.testing.assert_array_equal(ours["loss"], plain.evaluate(train_state, (X, targets))["loss"])
    np.testing.assert_array_equal(squashed.predict(train_state, X), plain.predict(train_state, X))
    expected = squashed.model.apply(train_state.params, {}, X)[0]
    np.testing.assert_allclose(squashed.predict(train_state, X), expected, rtol=1e-6)


def test_a_loss_of_ones_own_gets_the_outputs_of_the_model():
    def quartic(predictions, targets):
        return (predictions - targets) ** 4

    ours = task(quartic, [quartic], "sigmoid")
    train_state = ours.init(KEY)
    expected = np.mean((1 / (1 + np.exp(-logits(train_state.params))) - TARGETS) ** 4)
    metrics = ours.evaluate(train_state, (X, TARGETS))
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["quartic"], expected, rtol=1e-5)


def test_targets_without_the_last_axis_are_those_of_one_output():
    ours = task(units=1)
    train_state = ours.init(KEY)
    expected = np.mean((logits(train_state.params)[:, 0] - TARGETS[:, 0]) ** 2)
    for targets in (TARGETS[:, 0], TARGETS[:, :1], TARGETS[:, 0].tolist()):
        metrics = ours.evaluate(train_state, (X, targets))
        np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


def test_an_autoencoder_takes_bytes_as_inputs_and_floats_as_targets():
    images = RNG.integers(256, size=(6, 2, 2, 1), dtype=np.uint8)
    model = Sequential(
        [layers.Flatten(), layers.Dense(4, activation="sigmoid"), layers.Reshape((2, 2, 1))],
        (2, 2, 1),
    )
    autoencoder = Supervised(model, optax.sgd(0.1), "binary_crossentropy")
    train_state = autoencoder.init(KEY)
    floats = images / np.float32(255)
    ours = autoencoder.evaluate(train_state, (images, floats))
    theirs = autoencoder.evaluate(train_state, (floats, floats))
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-6)
    for loss in ("binary_crossentropy", "mse"):
        other = Supervised(model, optax.sgd(0.1), loss)
        with pytest.raises(ValueError, match=r"Supervised: targets .*from 0 to 1.*got"):
            other.rows((images, images))


def test_a_data_set_with_labels_is_inputs_and_targets():
    images = RNG.integers(256, size=(6, 2, 2, 1), dtype=np.uint8)
    labels = np.arange(6, dtype=np.int32) % 3
    model = Sequential([layers.Flatten(), layers.Dense(3)], (2, 2, 1))
    ours = Supervised(model, optax.sgd(0.1), "sparse_categorical_crossentropy")
    rows = ours.rows(Dataset(images, labels, None, "noise"))
    assert rows[0] is images and rows[1] is labels
    with pytest.raises(TypeError, match="got no targets"):
        ours.rows(Dataset(images, None, None, "noise"))


def test_fit_trains_a_regression_and_validates_it():
    weights = RNG.normal(size=(5, 1)).astype(np.float32)
    targets = X @ weights
    ours = task(units=1, metrics=["root_mean_squared_error"], optimizer=optax.adam(0.1))
    config = FitConfig(steps=100, batch_size=4, log_every=50, evaluate_every=50)
    result = fit(ours, (X, targets), config, validation_data=(X, targets))
    assert ours.evaluate(result.train_state, (X, targets))["loss"] < 0.05


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"loss": "msee"}, r"ValueError.*Supervised: loss: unknown loss 'msee'; did you mean"),
        ({"loss": None}, "TypeError.*Supervised: loss: loss must be .* got None"),
        ({"metrics": "mae"}, r"TypeError.*Supervised: metrics must be a list .* got 'mae'"),
        ({"metrics": ["maee"]}, "ValueError.*Supervised: metrics: unknown metric 'maee'"),
        ({"metrics": [3]}, "TypeError.*Supervised: metrics: metric must be .* got 3"),
        ({"metrics": ["mae", "mae"]}, "ValueError.*unique names.* got mae, mae"),
        ({"loss": "binary_crossentropy", "activation": "softmax"}, "it ends in softmax"),
        ({"loss": "categorical_crossentropy", "activation": "sigmoid"}, "it ends in sigmoid"),
        ({"loss": "binary_crossentropy", "activation": "relu"}, "it ends in relu"),
        ({"optimizer": "adam"}, "TypeError.*Supervised: optimizer must be .*got 'adam'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error):
    with pytest.raises((TypeError, ValueError)) as raised:
        task(**arguments)
    assert re.search(error, f"{raised.type.__name__}: {raised.value}")


@pytest.mark.parametrize(
    ("loss", "data", "message"),
    [
        ("mse", X, "must be a tuple"),
        ("mse", (X[:, :4], TARGETS), r"inputs must be \[batch, 5\].*\(10, 4\)"),
        ("mse", (X, TARGETS[:, :2]), r"targets must be of shape \(10, 3\).*got .*\(10, 2\)"),
        ("mse", (X, TARGETS[:9]), r"targets must be of shape \(10, 3\).*got .*\(9, 3\)"),
        ("mse", (X, TARGETS * np.nan), "targets must be finite"),
        ("mse", (X * np.inf, TARGETS), "inputs must be finite"),
        ("mse", (X[:0], TARGETS[:0]), "at least one"),
        ("mse", (X, [["a", "b", "c"]] * 10), "targets must be an array of numbers"),
        ("binary_crossentropy", (X, 2 * BINARY + 1), "from 0 to 1, got 1.0 to 3.0"),
        ("categorical_crossentropy", (X, ONE_HOT * 5), "sum to 1, got"),
        ("sparse_categorical_crossentropy", (X, LABELS + 1), "from 0 to 2, .* got 3"),
        ("sparse_categorical_crossentropy", (X, TARGETS[:, 0]), "must be integers"),
    ],
)
def test_data_that_the_loss_does_not_take_are_refused(loss, data, message):
    ours = task(loss)
    train_state = ours.init(KEY)
    for refuse in (ours.rows, lambda data: ours.step(train_state, data)):
        with pytest.raises((TypeError, ValueError), match=f"Supervised: .*{message}"):
            refuse(data)


def test_a_loss_that_broadcasts_is_refused():
    ours = task(lambda p, t: (p - t.reshape(-1)) ** 2, units=1)
    with pytest.raises(ValueError, match=r"loss <lambda> must return .*got shape \(10, 10\)"):
        ours.step(ours.init(KEY), (X, TARGETS[:, 0]))
