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
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


ALL = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


def send(number):
    os.kill(os.getpid(), number)
    time.sleep(0.1)  # until the thread that listens has heard of it


@pytest.fixture
def signal_before_step(monkeypatch):
    """Returns a function that has a signal come before the call with the step of a number."""

    def at(number, step):
        take = OnDevice.take

        def interrupted(self, train_state, before, count):
            if before < step <= before + count:
                send(number)
            return take(self, train_state, before, count)

        monkeypatch.setattr(OnDevice, "take", interrupted)

    return at


@ALL
def test_a_signal_ends_the_run_after_the_call_at_hand_with_all_of_it_written(
    tmp_path, signal_before_step, number
):
    signal_before_step(number, 4)
    folder = RunFolder(tmp_path)
    images = np.ones((8, *toys.IMAGE_SHAPE), np.uint8)
    fitted = fit(toys.gan(), images, FitConfig(batch_size=4, log_every=2), folder)
    assert fitted.interrupted and fitted.signal == number
    assert fitted.train_state.step == 4
    assert folder.metrics()["step"].tolist() == [2, 4]
    assert folder.sample_path(4).exists() and (folder.path / "curves.png").exists()
    assert (folder.path / "checkpoints" / "4").is_dir()
    np.testing.assert_array_equal(
        folder.load_parameters()[0]["generator"]["dense"]["kernel"],
        fitted.train_state.params["generator"]["dense"]["kernel"],
    )


def test_a_signal_in_the_last_step_interrupts_nothing(signal_before_step):
    signal_before_step(signal.SIGINT, 3)
    assert not fit(toys.Metered(), IMAGES, FitConfig(steps=3, batch_size=2)).interrupted


SLEEPING = """
import time, jax, jax.numpy as jnp, numpy as np
from jaxlayers.train import FitConfig, fit
from tests.train import toys

class Sleeping(toys.Metered):
    def step(self, train_state, batch):
        print("sleeps", flush=True)
        slept = jax.pure_callback(lambda: (time.sleep(100), np.float32(0))[1], jnp.zeros(()))
        return super().step(train_state, batch + slept)

fit(Sleeping(), np.ones((8, 1, 1, 1), np.uint8), FitConfig(batch_size=2))
"""


@BOTH
def test_a_second_signal_ends_the_process_at_once_whatever_it_does(number):
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPING],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "sleeps\n", process.stderr.read()
    time.sleep(1)
    process.send_signal(number)
    assert process.stderr.readline().startswith("stopping after this step; repeat")
    assert process.poll() is None
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == 128 + number


def test_a_second_hang_up_does_not_end_the_process():
    with interruptible() as interruption:
        send(signal.SIGHUP)
        send(signal.SIGHUP)
        assert interruption.signal == signal.SIGHUP


def test_a_hang_up_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as interruption:
            send(signal.SIGHUP)
            assert not interruption.stop_requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_mean_again_afterwards_what_they_meant_before():
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


def test_other_threads_train_without_it():
    fitted = []
    thread = threading.Thread(
        target=lambda: fitted.append(fit(toys.Metered(), IMAGES, FitConfig(steps=2, batch_size=2)))
    )
    thread.start()
    thread.join()
    assert fitted[0].train_state.step == 2
