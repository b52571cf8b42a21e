import dataclasses
import math
import types

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers.train import EarlyStopping, FitConfig, fit
from tests.train import toys

ROWS = np.arange(8, dtype=np.float32)[:, None]
CONFIG = FitConfig(steps=20, batch_size=4, log_every=1, checkpoint_every=100, sample_every=100)


class GivenLosses(toys.SumTask):
    """A task with given validation losses."""

    LOSSES = (5.0, 4.0, 3.0, 3.5, 3.25, 3.75, 2.0, 1.0)

    def evaluate(self, train_state, batch):
        losses = jnp.array(self.LOSSES)
        return {"loss": losses[jnp.clip(train_state.step - 1, 0, len(losses) - 1)]}


def keras_stopping_epoch(values, **arguments):
    callback = keras.callbacks.EarlyStopping(**arguments)
    model = types.SimpleNamespace(stop_training=False, metrics=[], optimizer=None)
    callback._model = model
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {callback.monitor: value})
        if model.stop_training:
            return epoch
    return None


def stopping_epoch(values, **arguments):
    callback = EarlyStopping(**arguments)
    for epoch, value in enumerate(values):
        if callback(epoch, {callback.monitor: value}, None):
            return epoch
    return None


@pytest.mark.parametrize("seed", range(20))
def test_early_stopping_stops_at_the_epoch_of_keras(seed):
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=30).cumsum(), 1).tolist()
    for patience in (0, 1, 2, 5):
        for monitor, mode in (("val_loss", "min"), ("val_accuracy", "max")):
            arguments = {"monitor": monitor, "patience": patience, "min_delta": 0.25}
            assert stopping_epoch(values, **arguments) == keras_stopping_epoch(
                values, mode=mode, **arguments
            )


def test_missing_and_nan_values_are_not_improvements():
    early_stopping = EarlyStopping("val_loss", 2)
    assert [early_stopping(0, {"val_loss": v}, None) for v in (1.0, math.nan)] == [False, False]
    assert not early_stopping(0, {"loss": 3.0}, None)
    assert early_stopping(0, {"val_loss": math.nan}, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"monitor": 3}, "monitor must be a string.*got 3"),
        ({"patience": -1}, "patience must be an integer that is not negative, got -1"),
        ({"patience": 1.5}, "patience must be .*got 1.5"),
        ({"restore_best": "yes"}, "restore_best must be True or False, got 'yes'"),
        ({"min_delta": math.nan}, "min_delta must be .*got nan"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"EarlyStopping: {message}"):
        EarlyStopping(**arguments)


def test_callbacks_are_called_at_logged_steps_and_can_end_training(tmp_path):
    calls = []

    def callback(step, metrics, train_state):
        calls.append((step, sorted(metrics), int(train_state.step)))
        return step == 6

    config = dataclasses.replace(CONFIG, log_every=2)
    result = fit(toys.SumTask(), ROWS, config, tmp_path / "run", callbacks=[callback])
    assert calls == [(step, ["number", "some_loss"], step) for step in (2, 4, 6)]
    assert result.train_state.step == 6 and not result.interrupted
    assert result.history["step"].tolist() == [2, 4, 6]
    assert (tmp_path / "run" / "checkpoints" / "6").is_dir()


def test_the_best_state_is_restored_and_its_checkpoint_kept(tmp_path):
    early_stopping = EarlyStopping("val_loss", patience=2, restore_best=True)
    config = dataclasses.replace(CONFIG, evaluate_every=1, keep=1)
    result = fit(
        GivenLosses(),
        ROWS,
        config,
        tmp_path / "run",
        validation_data=ROWS,
        callbacks=[early_stopping],
    )
    assert result.history["val_loss"].tolist() == [5, 4, 3, 3.5, 3.25]
    assert result.best.step == 3 and result.best.metric == 3.0
    assert result.train_state is result.best.state and result.train_state.step == 3
    checkpoints = {int(p.name) for p in (tmp_path / "run" / "checkpoints").iterdir()}
    assert checkpoints == {3, 5}


def test_a_resumed_run_stops_at_the_same_step(tmp_path):
    def run(folder, steps, **arguments):
        early_stopping = EarlyStopping("val_loss", patience=2, restore_best=True)
        config = dataclasses.replace(CONFIG, evaluate_every=1, steps=steps)
        return fit(
            GivenLosses(),
            ROWS,
            config,
            folder,
            validation_data=ROWS,
            callbacks=[early_stopping],
            **arguments,
        )

    uninterrupted = run(tmp_path / "uninterrupted", 20)
    assert run(tmp_path / "resumed", 4).best.step == 3
    resumed = run(tmp_path / "resumed", 20, resume=True)
    assert (
        resumed.history["step"].tolist()
        == uninterrupted.history["step"].tolist()
        == [1, 2, 3, 4, 5]
    )
    assert resumed.best[:2] == uninterrupted.best[:2] == (3, 3.0)
    assert resumed.train_state.step == 3
    np.testing.assert_array_equal(
        resumed.train_state.params["model"]["sum"], uninterrupted.train_state.params["model"]["sum"]
    )
    assert len(run(tmp_path / "resumed", 20, resume=True).history["step"]) == 5


def test_invalid_callbacks_are_refused(tmp_path):
    for wrong in (EarlyStopping("val_loss"), ["val_loss"]):
        with pytest.raises(TypeError, match="fit: callbacks must be a list of functions"):
            fit(toys.SumTask(), ROWS, CONFIG, tmp_path / "run", callbacks=wrong)
    with pytest.raises(ValueError, match=r"best must be 'val_loss' or None.*got 'number'"):
        fit(
            GivenLosses(),
            ROWS,
            dataclasses.replace(CONFIG, best="number"),
            tmp_path / "run",
            validation_data=ROWS,
            callbacks=[EarlyStopping("val_loss", restore_best=True)],
        )
    with pytest.raises(ValueError, match=r"monitor must be .*got 'val_loss'; metrics that"):
        fit(
            toys.SumTask(),
            ROWS,
            CONFIG,
            tmp_path / "run",
            callbacks=[EarlyStopping("val_loss")],
        )
    with pytest.raises(ValueError, match=r"monitor must be a metric of the task, .*got 'los'"):
        fit(toys.SumTask(), ROWS, CONFIG, tmp_path / "run", callbacks=[EarlyStopping("los")])
    assert not (tmp_path / "run").exists()
