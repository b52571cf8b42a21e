"""Resumed runs equal uninterrupted ones, bit for bit."""

import dataclasses
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxlayers.runs import RunFolder
from jaxlayers.train import AdaptiveProbability, CheckpointError, fit, frozen
from jaxlayers.train.augmentation import Color, Flip
from jaxlayers.train.gan_regularizers import R1
from tests.train import toys
from tests.train.killable import IMAGES, config

ROOT = Path(__file__).parents[2]


def new_folder(path):
    return RunFolder(path)


def assert_same_run(actual, expected):
    """Compares the outputs of two runs, except times."""
    for a, b in zip(
        *(jax.tree.leaves(folder.load_parameters()) for folder in (actual, expected)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    actual_metrics, expected_metrics = actual.metrics(), expected.metrics()
    assert list(actual_metrics) == list(expected_metrics)
    for name in set(actual_metrics) - {"seconds"}:
        np.testing.assert_array_equal(actual_metrics[name], expected_metrics[name])
    assert list(actual.samples()) == list(expected.samples())
    for a, b in zip(actual.samples().values(), expected.samples().values(), strict=True):
        assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize(
    "optimizer",
    [pytest.param("plain", marks=pytest.mark.slow), "accumulating", "frozen", "regularized"],
)
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, optimizer):
    import optax

    adam = optax.adam(1e-2)
    if optimizer == "accumulating":
        adam = optax.MultiSteps(adam, 3).gradient_transformation()
    if optimizer == "frozen":
        adam = frozen(adam, {"dense": False, "batch_normalization": True, "dense_1": True})
    arguments = {}
    if optimizer == "regularized":
        arguments = {
            "discriminator_optimizer": optax.adam(1e-2),
            "loss": "relativistic_pairing",
            "regularizers": [R1(1.0, every=4), "gradient_penalty"],
            "instance_noise": 0.1,
            "discriminator_steps": 2,
            "ema_warmup": 0.1,
            "augmentations": [Flip(), Color()],
            "augmentation_probability": AdaptiveProbability(target=0.0, interval=3, images=200),
        }
    task = toys.gan(generator_optimizer=adam, ema=0.9, **arguments)
    uninterrupted, resumed = (
        new_folder(tmp_path / "uninterrupted"),
        new_folder(tmp_path / "resumed"),
    )
    fit(task, IMAGES, config(50), uninterrupted)
    fit(task, IMAGES, config(23), resumed)
    result = fit(task, IMAGES, config(50), resumed, resume=True)
    assert result.train_state.step == 50
    # The run of 23 steps also has outputs of its last step, which the uninterrupted run has not.
    np.testing.assert_array_equal(
        *(
            folder.load_parameters()[0]["generator"]["dense"]["kernel"]
            for folder in (uninterrupted, resumed)
        )
    )
    np.testing.assert_array_equal(
        uninterrupted.metrics()["generator_loss"][-3:], resumed.metrics()["generator_loss"][-3:]
    )


def test_resuming_from_an_earlier_checkpoint_removes_later_outputs(tmp_path):
    uninterrupted, resumed = (
        new_folder(tmp_path / "uninterrupted"),
        new_folder(tmp_path / "resumed"),
    )
    fit(toys.gan(), IMAGES, config(60), uninterrupted)
    shutil.copytree(uninterrupted.path, resumed.path)
    fit(toys.gan(), IMAGES, config(60), resumed, resume=20)
    assert_same_run(resumed, uninterrupted)


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    folder = new_folder(tmp_path / "run")
    first = fit(toys.gan(), IMAGES, config(20), folder)
    resumed = fit(toys.gan(), IMAGES, config(20), folder, resume=True)
    assert resumed.train_state.step == 20 and not resumed.interrupted
    jax.tree.map(
        np.testing.assert_array_equal, first.train_state.params, resumed.train_state.params
    )


def test_resuming_requires_a_folder_and_a_checkpoint(tmp_path):
    with pytest.raises(ValueError, match="resume needs folder, the folder of the run to resume"):
        fit(toys.gan(), IMAGES, config(20), resume=True)
    with pytest.raises(FileNotFoundError, match="run: is not the folder of a run"):
        fit(toys.gan(), IMAGES, config(20), tmp_path / "run", resume=True)
    assert not list(tmp_path.iterdir())
    folder = new_folder(tmp_path / "killed")  # a run killed before its first checkpoint
    with folder.open():
        folder.write_config({"steps": 3})
    with pytest.raises(CheckpointError, match="there is no checkpoint to resume from"):
        fit(toys.gan(), IMAGES, config(20), folder, resume=True)
    assert folder.config() == {"steps": 3}


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """The path of a run of 20 steps."""
    path = tmp_path_factory.mktemp("finished") / "run"
    fit(toys.gan(), IMAGES, config(20), new_folder(path))
    return path


@pytest.fixture
def copied_run(finished_run, tmp_path):
    return new_folder(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.mark.parametrize(
    ("change", "images", "message"),
    [
        ({"seed": 1}, IMAGES, "seed was 0 and is 1"),
        ({"batch_size": 4}, IMAGES, "batch_size was 8 and is 4"),
        ({}, IMAGES[:-1], "data was .*and is"),
    ],
)
def test_the_error_for_another_configuration_names_the_differences(
    copied_run, change, images, message
):
    changed = dataclasses.replace(config(40), **change)
    with pytest.raises(CheckpointError, match=message):
        fit(toys.gan(), images, changed, copied_run, resume=True)


def test_the_error_for_another_model_names_the_differences(copied_run):
    with pytest.raises(CheckpointError, match=r"opt_state\.ema\..* was missing and is float32"):
        fit(toys.gan(ema=0.9), IMAGES, config(40), copied_run, resume=True)


def kill_and_resume(path, steps, kills, seed):
    """Runs in processes that are killed a number of times, then until the end."""
    rng = random.Random(seed)
    killed = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.train.killable", str(path), str(steps)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if killed < kills:
            assert process.stdout.readline() == "started\n", process.stderr.read()
            time.sleep(rng.uniform(0, 4))
            if process.poll() is None:
                process.kill()
                killed += 1
        _, errors = process.communicate(timeout=120)
        if process.returncode == 0 and killed == kills:
            return
        # The process was killed, or ended before it was killed; everything else is an error.
        assert process.returncode in (-9, 0), errors
        if process.returncode == 0:
            killed += 1


def check_kills(tmp_path, kills, seed, steps):
    uninterrupted = new_folder(tmp_path / "uninterrupted")
    fit(toys.gan(ema=0.9), IMAGES, config(steps), uninterrupted)
    kill_and_resume(tmp_path / "killed", steps, kills, seed)
    assert_same_run(RunFolder(tmp_path / "killed"), uninterrupted)


@pytest.mark.usefixtures("compilation_cache")
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(tmp_path):
    check_kills(tmp_path, kills=2, seed=0, steps=500)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_repeatedly_killed_run_equals_an_uninterrupted_one(tmp_path, seed):
    check_kills(tmp_path, kills=12, seed=seed + 1, steps=1000)
