"""Validation data: its metrics, when they are logged, and how the best checkpoint is chosen."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.data import Dataset
from jaxlayers.runs import RunFolder
from jaxlayers.runs.checkpoint import Checkpoints
from jaxlayers.train import CheckpointError, Classifier, FitConfig, Supervised, fit
from jaxlayers.train.evaluation import Evaluation
from jaxlayers.train.sharding import Devices
from tests.train import toys

SHAPE = (2, 2, 1)
RNG = np.random.default_rng(0)
DATA = (
    RNG.integers(256, size=(12, *SHAPE), dtype=np.uint8),
    RNG.integers(3, size=12).astype(np.int32),
)
VALIDATION = (
    RNG.integers(256, size=(7, *SHAPE), dtype=np.uint8),
    RNG.integers(3, size=7).astype(np.int32),
)
CONFIG = FitConfig(
    steps=7, batch_size=4, log_every=100, evaluate_every=3, checkpoint_every=100, keep=1
)


def classifier():
    model = Sequential(
        [
            layers.Flatten(),
            layers.BatchNormalization(momentum=0.5),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ],
        input_shape=SHAPE,
    )
    return Classifier(model, optax.sgd(0.5))


def new_folder(path):
    return RunFolder(path)


@pytest.fixture
def folder(tmp_path):
    return new_folder(tmp_path / "run")


class GivenLosses(toys.SumTask):
    """A task whose validation loss at each step is given by `LOSSES`."""

    LOSSES = jnp.array([9.0, 5.0, 4.0, 2.0, 3.0, 6.0, 7.0, 8.0])

    def evaluate(self, train_state, batch):
        return {"loss": jnp.full(len(batch), self.LOSSES[train_state.step])}


NUMBERS = np.arange(6, dtype=np.float32)


@pytest.mark.parametrize("count", [1, 3, 4, 7, 8])
def test_means_over_all_examples_equal_numpy(count):
    class Task:
        def evaluate(self, train_state, batch):
            values, factors = batch
            return {"product": train_state * values * factors, "square": values**2}

    values, factors = np.random.default_rng(count).uniform(1, 2, (2, count)).astype(np.float32)
    evaluation = Evaluation(Task(), (values, factors), 4, Devices(1, 4))
    for scale in (1.0, 3.0):
        means = evaluation.means(jnp.float32(scale))
        assert means.keys() == {"val_product", "val_square"}
        expected = scale * (values.astype(np.float64) * factors).mean()
        # Sums of a few float32 numbers.
        np.testing.assert_allclose(means["val_product"], expected, rtol=1e-6)
        np.testing.assert_allclose(means["val_square"], (values**2).mean(), rtol=1e-6)


def test_means_of_a_classifier_do_not_depend_on_the_batch_size():
    task = classifier()
    train_state = task.init(jax.random.key(0))
    evaluation = Evaluation(task, VALIDATION, 4, Devices(1, 4))
    expected = task.evaluate(train_state, VALIDATION)
    means = evaluation.means(train_state)
    assert means.keys() == {"val_loss", "val_accuracy"}
    for name, values in expected.items():
        np.testing.assert_allclose(means[f"val_{name}"], np.mean(values), rtol=1e-5)


def test_root_mean_squared_error_is_computed_over_all_examples():
    x = RNG.normal(size=(7, 2)).astype(np.float32)
    y = RNG.normal(size=(7, 1)).astype(np.float32)
    model = Sequential([layers.Dense(1)], (2,))
    task = Supervised(model, optax.sgd(0.1), "mse", ["root_mean_squared_error", "mae"])
    train_state = task.init(jax.random.key(0))
    errors = np.asarray(task.predict(train_state, x) - y, np.float64)
    means = Evaluation(task, (x, y), 3, Devices(1, 3)).means(train_state)
    root = np.sqrt(np.mean(errors**2))
    np.testing.assert_allclose(means["val_root_mean_squared_error"], root, rtol=1e-5)
    np.testing.assert_allclose(means["val_mae"], np.abs(errors).mean(), rtol=1e-5)
    np.testing.assert_allclose(
        task.evaluate(train_state, (x, y), 3)["root_mean_squared_error"], root, rtol=1e-5
    )


def test_fit_logs_validation_metrics_every_evaluate_every_steps_and_at_the_end(folder):
    task = classifier()
    result = fit(task, DATA, CONFIG, folder, validation_data=VALIDATION)
    metrics = folder.metrics()
    assert metrics["step"].tolist() == [3, 6, 7]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= metrics.keys()
    assert np.isfinite(metrics["val_loss"]).all()
    expected = np.mean(task.evaluate(result.train_state, VALIDATION)["loss"])
    np.testing.assert_allclose(metrics["val_loss"][-1], expected, rtol=1e-5)


def test_validation_metrics_are_logged_at_their_step(folder):
    fit(
        GivenLosses(),
        NUMBERS,
        dataclasses.replace(CONFIG, log_every=2),
        folder,
        validation_data=NUMBERS,
    )
    metrics = folder.metrics()
    assert metrics["step"].tolist() == [2, 3, 4, 6, 7]
    assert metrics["number"].tolist() == [1, 2, 3, 5, 6]
    # NaN at steps without an evaluation.
    expected = [np.nan, 2, np.nan, 7, 8]
    np.testing.assert_allclose(metrics["val_loss"], expected, rtol=1e-6)


def test_evaluate_every_can_be_smaller_than_log_every(folder):
    config = dataclasses.replace(CONFIG, log_every=3, evaluate_every=2)
    fit(GivenLosses(), NUMBERS, config, folder, validation_data=NUMBERS)
    metrics = folder.metrics()
    assert metrics["step"].tolist() == [2, 3, 4, 6, 7]
    assert np.isfinite(metrics["some_loss"]).all()
    assert np.isnan(metrics["val_loss"]).tolist() == [False, True, False, False, False]
    assert (folder.path / "curves.png").exists()


def test_validation_data_does_not_change_training(folder):
    with_validation = fit(classifier(), DATA, CONFIG, folder, validation_data=VALIDATION)
    without_validation = fit(classifier(), DATA, CONFIG)
    jax.tree.map(
        np.testing.assert_array_equal,
        with_validation.train_state.params,
        without_validation.train_state.params,
    )


def test_validation_data_can_be_a_data_set(tmp_path):
    a, b = new_folder(tmp_path / "a"), new_folder(tmp_path / "b")
    config = dataclasses.replace(CONFIG, steps=1)
    fit(classifier(), DATA, config, a, validation_data=VALIDATION)
    datasets = (Dataset(*arrays, None, "noise") for arrays in (DATA, VALIDATION))
    fit(classifier(), next(datasets), config, b, validation_data=next(datasets))
    np.testing.assert_array_equal(a.metrics()["val_loss"], b.metrics()["val_loss"])


def checkpoints_of(folder):
    checkpoints = Checkpoints(folder.path / "checkpoints", {})
    steps = checkpoints.steps()
    checkpoints.close()
    return steps


def test_the_checkpoint_with_the_smallest_val_loss_is_kept(folder):
    config = dataclasses.replace(CONFIG, checkpoint_every=1, best="val_loss")
    fit(GivenLosses(), NUMBERS, config, folder, validation_data=NUMBERS)
    assert checkpoints_of(folder) == [3, 7]
    # Metrics are evaluated at every checkpoint, so that the best one is known.
    np.testing.assert_allclose(folder.metrics()["val_loss"], GivenLosses.LOSSES[1:], rtol=1e-6)


def test_only_the_last_checkpoints_are_kept_without_best(folder):
    config = dataclasses.replace(CONFIG, checkpoint_every=1)
    fit(GivenLosses(), NUMBERS, config, folder, validation_data=NUMBERS)
    assert checkpoints_of(folder) == [7]


@pytest.mark.parametrize("best", ["val_loss", "val_lose"])
def test_a_best_that_is_not_a_metric_is_refused(folder, best):
    config = dataclasses.replace(CONFIG, best=best)
    validation = None if best == "val_loss" else NUMBERS
    with pytest.raises(ValueError, match=f"best must be a metric of the task, .*got '{best}'"):
        fit(GivenLosses(), NUMBERS, config, folder, validation_data=validation)
    assert not folder.metrics() and not checkpoints_of(folder)


def test_validation_data_requires_a_task_with_evaluate():
    with pytest.raises(
        ValueError, match="fit: validation_data requires a task with a method evaluate, got SumTask"
    ):
        fit(toys.SumTask(), NUMBERS, CONFIG, validation_data=NUMBERS)


def test_invalid_validation_data_is_refused():
    with pytest.raises(ValueError, match="labels must be from 0 to 2"):
        fit(classifier(), DATA, CONFIG, validation_data=(VALIDATION[0], VALIDATION[1] + 1))
    with pytest.raises(ValueError, match="images must be"):
        fit(classifier(), DATA, CONFIG, validation_data=(VALIDATION[0][:, :1], VALIDATION[1]))


def test_empty_validation_data_is_refused():
    with pytest.raises(ValueError, match="images must have at least one image"):
        fit(classifier(), DATA, CONFIG, validation_data=(VALIDATION[0][:0], VALIDATION[1][:0]))


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    config = dataclasses.replace(
        CONFIG, steps=10, log_every=5, checkpoint_every=5, evaluate_every=2, best="val_loss"
    )
    uninterrupted_folder, resumed_folder = (
        new_folder(tmp_path / "uninterrupted_folder"),
        new_folder(tmp_path / "resumed"),
    )
    expected = fit(classifier(), DATA, config, uninterrupted_folder, validation_data=VALIDATION)
    fit(
        classifier(),
        DATA,
        dataclasses.replace(config, steps=5),
        resumed_folder,
        validation_data=VALIDATION,
    )
    resumed = fit(
        classifier(), DATA, config, resumed_folder, validation_data=VALIDATION, resume=True
    )
    for a, b in zip(
        *(jax.tree.leaves(each.train_state._replace(key=0)) for each in (resumed, expected)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    assert checkpoints_of(resumed_folder) == checkpoints_of(uninterrupted_folder)
    a, b = resumed_folder.metrics(), uninterrupted_folder.metrics()
    assert a.keys() == b.keys()
    for name in a.keys() - {"seconds"}:
        np.testing.assert_array_equal(a[name], b[name])


def test_resuming_with_other_labels_is_refused(folder):
    config = dataclasses.replace(CONFIG, steps=1)
    fit(classifier(), DATA, config, folder)
    with pytest.raises(CheckpointError, match="data was"):
        fit(classifier(), (DATA[0], 2 - DATA[1]), config, folder, resume=True)
