import os
import signal
import threading

import numpy as np
import pytest

from jaxlayers.train import FitConfig, RunFolder, fit, loop
from jaxlayers.train.interruption import interruptible
from tests.train import toys

IMAGES = np.ones((8, 1, 1, 1), np.uint8)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def interrupt_before_step(monkeypatch):
    """Returns a function that has Ctrl-C come, so many times, before the step of a number."""

    def at(number, times=1):
        batch_at = loop.batch_at

        def interrupting(data, batch_size, *, seed, step):
            for _ in range(times * (step + 1 == number)):
                interrupt()
            return batch_at(data, batch_size, seed=seed, step=step)

        monkeypatch.setattr(loop, "batch_at", interrupting)

    return at


def test_ctrl_c_ends_the_run_after_the_step_at_hand_with_all_of_it_written(
    tmp_path, interrupt_before_step
):
    interrupt_before_step(4)
    folder = RunFolder(tmp_path)
    folder.create({}, {})
    images = np.ones((8, *toys.IMAGE_SHAPE), np.uint8)
    fitted = fit(toys.gan(), images, FitConfig(batch_size=4), folder)
    assert fitted.interrupted
    assert fitted.train_state.step == 4
    assert folder.metrics()["step"].tolist() == [4]
    assert folder.sample_path(4).exists() and (folder.path / "curves.png").exists()
    np.testing.assert_array_equal(
        folder.load_parameters()[0]["generator"]["dense"]["kernel"],
        fitted.train_state.params["generator"]["dense"]["kernel"],
    )


def test_ctrl_c_in_the_last_step_interrupts_nothing(interrupt_before_step):
    interrupt_before_step(3)
    assert not fit(toys.Metered(), IMAGES, FitConfig(steps=3, batch_size=2)).interrupted


def test_a_second_ctrl_c_raises_at_once(interrupt_before_step):
    interrupt_before_step(2, times=2)
    with pytest.raises(KeyboardInterrupt):
        fit(toys.Metered(), IMAGES, FitConfig(batch_size=2))


def test_ctrl_c_means_again_afterwards_what_it_meant_before():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as interruption:
        assert signal.getsignal(signal.SIGINT) is not before
        assert not interruption.asked
        interrupt()
        assert interruption.asked
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(RuntimeError), interruptible():
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) is before
    with interruptible() as interruption:
        assert not interruption.asked


def test_other_threads_train_without_it():
    fitted = []
    thread = threading.Thread(
        target=lambda: fitted.append(fit(toys.Metered(), IMAGES, FitConfig(steps=2, batch_size=2)))
    )
    thread.start()
    thread.join()
    assert fitted[0].train_state.step == 2
