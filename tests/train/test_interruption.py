import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from jaxlayers.runs import RunFolder
from jaxlayers.train import FitConfig, fit
from jaxlayers.train.interruption import interruptible
from jaxlayers.train.steps import OnDevice
from tests.train import toys

ROOT = Path(__file__).parents[2]
IMAGES = np.ones((8, 1, 1, 1), np.uint8)
ending_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


all_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


def send(number):
    os.kill(os.getpid(), number)
    time.sleep(0.1)  # until the thread that handles signals has received it


@pytest.fixture
def signal_before_step(monkeypatch):
    """Returns a function that sends a signal before the call that includes a given step."""

    def send_before(number, step):
        take = OnDevice.take

        def interrupting_take(self, train_state, before, count):
            if before < step <= before + count:
                send(number)
            return take(self, train_state, before, count)

        monkeypatch.setattr(OnDevice, "take", interrupting_take)

    return send_before


@all_signals
def test_a_signal_ends_the_run_after_the_current_call_with_all_outputs(
    tmp_path, signal_before_step, number
):
    signal_before_step(number, 4)
    folder = RunFolder(tmp_path)
    images = np.ones((8, *toys.IMAGE_SHAPE), np.uint8)
    result = fit(toys.gan(), images, FitConfig(batch_size=4, log_every=2), folder)
    assert result.interrupted and result.signal == number
    assert result.train_state.step == 4
    assert folder.metrics()["step"].tolist() == [2, 4]
    assert folder.sample_path(4).exists() and (folder.path / "curves.png").exists()
    assert (folder.path / "checkpoints" / "4").is_dir()
    np.testing.assert_array_equal(
        folder.load_parameters()[0]["generator"]["dense"]["kernel"],
        result.train_state.params["generator"]["dense"]["kernel"],
    )


def test_a_signal_in_the_last_step_is_ignored(signal_before_step):
    signal_before_step(signal.SIGINT, 3)
    assert not fit(toys.SumTask(), IMAGES, FitConfig(steps=3, batch_size=2)).interrupted


SLEEPING = """
import time, jax, jax.numpy as jnp, numpy as np
from jaxlayers.train import FitConfig, fit
from tests.train import toys

class SleepingTask(toys.SumTask):
    def step(self, train_state, batch):
        print("sleeping", flush=True)
        zero = jax.pure_callback(lambda: (time.sleep(100), np.float32(0))[1], jnp.zeros(()))
        return super().step(train_state, batch + zero)

fit(SleepingTask(), np.ones((8, 1, 1, 1), np.uint8), FitConfig(batch_size=2))
"""


@ending_signals
def test_a_second_signal_ends_the_process_immediately(number):
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPING],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "sleeping\n", process.stderr.read()
    time.sleep(1)
    process.send_signal(number)
    assert process.stderr.readline().startswith("stopping after this step; repeat")
    assert process.poll() is None
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == 128 + number


def test_a_second_sighup_does_not_end_the_process():
    with interruptible() as interruption:
        send(signal.SIGHUP)
        send(signal.SIGHUP)
        assert interruption.signal == signal.SIGHUP


def test_an_ignored_sighup_remains_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as interruption:
            send(signal.SIGHUP)
            assert not interruption.stop_requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signal_handlers_are_restored():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as interruption:
        assert signal.getsignal(signal.SIGINT) is not before
        assert not interruption.stop_requested
        send(signal.SIGINT)
        assert interruption.stop_requested
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(RuntimeError), interruptible():
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) is before
    with interruptible() as interruption:
        assert not interruption.stop_requested


def test_fit_runs_in_other_threads():
    results = []
    thread = threading.Thread(
        target=lambda: results.append(fit(toys.SumTask(), IMAGES, FitConfig(steps=2, batch_size=2)))
    )
    thread.start()
    thread.join()
    assert results[0].train_state.step == 2
