"""The supervised task compared with Keras's `fit`, `evaluate` and metrics."""

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


LOSSES = sorted(
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


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("axes", [2, 3])
def test_losses_equal_keras(name, axes):
    outputs, targets = PREDICTIONS, BINARY if "hinge" in name else TARGETS
    if name == "huber":
        outputs = 4 * outputs  # errors on both sides of 1
    if axes == 3:
        outputs, targets = outputs.reshape(2, 5, 3), targets.reshape(2, 5, 3)
    actual = losses.get(name)(jnp.asarray(outputs), targets)
    expected = keras.losses.get(name)(targets, outputs)
    assert actual.shape == outputs.shape[:-1]
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("binary_crossentropy", BINARY),
        ("categorical_crossentropy", ONE_HOT),
        ("sparse_categorical_crossentropy", LABELS),
    ],
)
def test_cross_entropies_of_logits_equal_keras(name, targets):
    outputs = 5 * PREDICTIONS
    expected = getattr(keras.losses, name)(targets, outputs, from_logits=True)
    np.testing.assert_allclose(losses.get(name)(jnp.asarray(outputs), targets), expected, rtol=1e-5)


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
def test_metrics_equal_keras(name, targets):
    actual = metrics.get(name)(jnp.asarray(PREDICTIONS), jnp.asarray(targets)).mean()
    classes = {"root_mean_squared_error": "RootMeanSquaredError"} | {
        "cosine_similarity": "CosineSimilarity"
    }
    if name in classes:
        expected = getattr(keras.metrics, classes[name])()(targets, PREDICTIONS)
    else:
        expected = np.mean(keras.metrics.get(name)(targets, PREDICTIONS))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("sparse", [False, True])
def test_top_k_accuracy_equals_keras(sparse):
    predictions = RNG.uniform(size=(40, 9)).astype(np.float32)
    labels = RNG.integers(9, size=40)
    name = "sparse_top_k_categorical_accuracy" if sparse else "top_k_categorical_accuracy"
    targets = labels if sparse else np.eye(9, dtype=np.float32)[labels]
    actual = metrics.get(name)(jnp.asarray(predictions), jnp.asarray(targets))
    np.testing.assert_array_equal(actual, getattr(keras.metrics, name)(targets, predictions, k=5))


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
def test_training_and_evaluation_equal_keras(loss, activation, targets, names):
    supervised = task(loss, names, activation)
    train_state = supervised.init(KEY)
    keras_model = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(3, activation=activation)]
    )
    keras_model.layers[-1].set_weights(
        [np.array(train_state.params["dense"][name]) for name in ("kernel", "bias")]
    )
    keras_names = [
        keras.metrics.RootMeanSquaredError() if name == "root_mean_squared_error" else name
        for name in names
    ]
    keras_model.compile(keras.optimizers.SGD(0.1), loss, metrics=keras_names)
    step = jax.jit(supervised.step)
    for _ in range(2):
        expected = keras_model.train_on_batch(X, targets, return_dict=True)
        train_state, metrics = step(train_state, (X, targets))
    # Keras's training metrics are means over both steps, so that only their names are compared.
    kernel = train_state.params["dense"]["kernel"]
    np.testing.assert_allclose(kernel, keras_model.layers[-1].kernel.value, rtol=1e-4, atol=1e-6)
    assert metrics.keys() == expected.keys() == {"loss", *names}
    expected = keras_model.evaluate(X, targets, batch_size=4, verbose=0, return_dict=True)
    for size in (4, 256):
        evaluated = supervised.evaluate(train_state, (X, targets), batch_size=size)
        assert evaluated.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(evaluated[name], value, rtol=1e-4)
    predictions = supervised.predict(train_state, X, batch_size=3)
    np.testing.assert_allclose(predictions, keras_model.predict(X, verbose=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "activation", "targets"),
    [
        ("binary_crossentropy", "sigmoid", BINARY),
        (optax.sigmoid_binary_cross_entropy, "sigmoid", BINARY),
        ("categorical_crossentropy", "softmax", ONE_HOT),
        (optax.softmax_cross_entropy_with_integer_labels, "softmax", LABELS),
    ],
)
def test_cross_entropies_with_and_without_the_activation_are_equal(loss, activation, targets):
    with_activation, without_activation = task(loss, (), activation), task(loss)
    train_state = with_activation.init(KEY)
    actual = with_activation.evaluate(train_state, (X, targets))
    np.testing.assert_array_equal(
        actual["loss"], without_activation.evaluate(train_state, (X, targets))["loss"]
    )
    np.testing.assert_array_equal(
        with_activation.predict(train_state, X), without_activation.predict(train_state, X)
    )
    expected = with_activation.model.apply(train_state.params, {}, X)[0]
    np.testing.assert_allclose(with_activation.predict(train_state, X), expected, rtol=1e-6)


def test_user_defined_losses_receive_the_outputs_of_the_model():
    def quartic(predictions, targets):
        return (predictions - targets) ** 4

    supervised = task(quartic, [quartic], "sigmoid")
    train_state = supervised.init(KEY)
    expected = np.mean((1 / (1 + np.exp(-logits(train_state.params))) - TARGETS) ** 4)
    metrics = supervised.evaluate(train_state, (X, TARGETS))
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["quartic"], expected, rtol=1e-5)


def test_targets_of_one_output_need_no_last_axis():
    supervised = task(units=1)
    train_state = supervised.init(KEY)
    expected = np.mean((logits(train_state.params)[:, 0] - TARGETS[:, 0]) ** 2)
    for targets in (TARGETS[:, 0], TARGETS[:, :1], TARGETS[:, 0].tolist()):
        metrics = supervised.evaluate(train_state, (X, targets))
        np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


def test_inputs_can_be_uint8_but_targets_cannot():
    images = RNG.integers(256, size=(6, 2, 2, 1), dtype=np.uint8)
    model = Sequential(
        [layers.Flatten(), layers.Dense(4, activation="sigmoid"), layers.Reshape((2, 2, 1))],
        (2, 2, 1),
    )
    autoencoder = Supervised(model, optax.sgd(0.1), "binary_crossentropy")
    train_state = autoencoder.init(KEY)
    floats = images / np.float32(255)
    from_bytes = autoencoder.evaluate(train_state, (images, floats))
    from_floats = autoencoder.evaluate(train_state, (floats, floats))
    np.testing.assert_allclose(from_bytes["loss"], from_floats["loss"], rtol=1e-6)
    for loss in ("binary_crossentropy", "mse"):
        other = Supervised(model, optax.sgd(0.1), loss)
        with pytest.raises(ValueError, match=r"Supervised: targets .*from 0 to 1.*got"):
            other.rows((images, images))


def test_images_and_labels_of_a_data_set_are_inputs_and_targets():
    images = RNG.integers(256, size=(6, 2, 2, 1), dtype=np.uint8)
    labels = np.arange(6, dtype=np.int32) % 3
    model = Sequential([layers.Flatten(), layers.Dense(3)], (2, 2, 1))
    supervised = Supervised(model, optax.sgd(0.1), "sparse_categorical_crossentropy")
    rows = supervised.rows(Dataset(images, labels, None, "noise"))
    assert rows[0] is images and rows[1] is labels
    with pytest.raises(TypeError, match="got no targets"):
        supervised.rows(Dataset(images, None, None, "noise"))


def test_fit_trains_and_validates_a_regression():
    weights = RNG.normal(size=(5, 1)).astype(np.float32)
    targets = X @ weights
    supervised = task(units=1, metrics=["root_mean_squared_error"], optimizer=optax.adam(0.1))
    config = FitConfig(steps=100, batch_size=4, log_every=50, evaluate_every=50)
    result = fit(supervised, (X, targets), config, validation_data=(X, targets))
    assert supervised.evaluate(result.train_state, (X, targets))["loss"] < 0.05


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
    with pytest.raises((TypeError, ValueError)) as error_info:
        task(**arguments)
    assert re.search(error, f"{error_info.type.__name__}: {error_info.value}")


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
def test_invalid_data_is_refused(loss, data, message):
    supervised = task(loss)
    train_state = supervised.init(KEY)
    for call in (supervised.rows, lambda data: supervised.step(train_state, data)):
        with pytest.raises((TypeError, ValueError), match=f"Supervised: .*{message}"):
            call(data)


def test_a_loss_that_broadcasts_is_refused():
    supervised = task(lambda p, t: (p - t.reshape(-1)) ** 2, units=1)
    with pytest.raises(ValueError, match=r"loss <lambda> must return .*got shape \(10, 10\)"):
        supervised.step(supervised.init(KEY), (X, TARGETS[:, 0]))
