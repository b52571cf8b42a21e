"""A run that goes on is the run that was never interrupted, bit for bit."""

import dataclasses
import random
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxlayers.runs import RunFolder
from jaxlayers.train import CheckpointError, fit
from tests.train import toys
from tests.train.killable import IMAGES, config

ROOT = Path(__file__).parents[2]


def new_folder(path):
    return RunFolder(path)


def assert_same_run(ours, theirs):
    """Compares what two folders hold, but for the times in it."""
    for a, b in zip(
        *(jax.tree.leaves(folder.load_parameters()) for folder in (ours, theirs)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    ours_metrics, theirs_metrics = ours.metrics(), theirs.metrics()
    assert list(ours_metrics) == list(theirs_metrics)
    for name in set(ours_metrics) - {"seconds"}:
        np.testing.assert_array_equal(ours_metrics[name], theirs_metrics[name])
    assert list(ours.samples()) == list(theirs.samples())
    for a, b in zip(ours.samples().values(), theirs.samples().values(), strict=True):
        assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize("optimizer", ["plain", "accumulating"])
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path, optimizer):
    import optax

    adam = optax.adam(1e-2)
    if optimizer == "accumulating":
        adam = optax.MultiSteps(adam, 3).gradient_transformation()
    task = toys.gan(a_optimizer=adam, ema=0.9)
    whole, parts = new_folder(tmp_path / "whole"), new_folder(tmp_path / "parts")
    fit(task, IMAGES, config(50), whole)
    fit(task, IMAGES, config(23), parts)
    fitted = fit(task, IMAGES, config(50), parts, resume=True)
    assert fitted.train_state.step == 50
    # The run of 23 steps logged and drew its last one; the run in one part did not.
    np.testing.assert_array_equal(
        *(folder.load_parameters()[0]["generator"]["dense"]["kernel"] for folder in (whole, parts))
    )
    np.testing.assert_array_equal(
        whole.metrics()["generator_loss"][-3:], parts.metrics()["generator_loss"][-3:]
    )


def test_resuming_from_an_earlier_checkpoint_forgets_what_came_after(tmp_path):
    whole, again = new_folder(tmp_path / "whole"), new_folder(tmp_path / "again")
    for folder in (whole, again):
        fit(toys.gan(), IMAGES, config(60), folder)
    fit(toys.gan(), IMAGES, config(60), again, resume=20)
    assert_same_run(again, whole)


def test_resuming_a_run_that_is_over_changes_nothing(tmp_path):
    folder = new_folder(tmp_path / "run")
    first = fit(toys.gan(), IMAGES, config(20), folder)
    again = fit(toys.gan(), IMAGES, config(20), folder, resume=True)
    assert again.train_state.step == 20 and not again.interrupted
    jax.tree.map(np.testing.assert_array_equal, first.train_state.params, again.train_state.params)


def test_resuming_needs_a_folder_and_a_checkpoint(tmp_path):
    with pytest.raises(ValueError, match="resume needs folder, the folder of the run to resume"):
        fit(toys.gan(), IMAGES, config(20), resume=True)
    with pytest.raises(FileNotFoundError, match="run: is not the folder of a run"):
        fit(toys.gan(), IMAGES, config(20), tmp_path / "run", resume=True)
    assert not list(tmp_path.iterdir())
    folder = new_folder(tmp_path / "killed")  # before its first checkpoint
    with folder.open():
        folder.write_config({"steps": 3})
    with pytest.raises(CheckpointError, match="there is no checkpoint to resume from"):
        fit(toys.gan(), IMAGES, config(20), folder, resume=True)
    assert folder.config() == {"steps": 3}


@pytest.mark.parametrize(
    ("change", "images", "said"),
    [
        ({"seed": 1}, IMAGES, "seed was 0 and is 1"),
        ({"batch_size": 4}, IMAGES, "batch_size was 8 and is 4"),
        ({}, IMAGES[:-1], "data was .*and is"),
    ],
)
def test_another_configuration_is_refused_by_what_differs(tmp_path, change, images, said):
    folder = new_folder(tmp_path / "run")
    fit(toys.gan(), IMAGES, config(20), folder)
    with pytest.raises(CheckpointError, match=said):
        fit(toys.gan(), images, dataclasses.replace(config(40), **change), folder, resume=True)


def test_another_model_is_refused_by_what_differs(tmp_path):
    folder = new_folder(tmp_path / "run")
    fit(toys.gan(), IMAGES, config(20), folder)
    with pytest.raises(CheckpointError, match=r"opt_state\.ema\..* was missing and is float32"):
        fit(toys.gan(ema=0.9), IMAGES, config(40), folder, resume=True)


def killed_and_resumed(path, steps, kills, seed):
    """Runs in processes that are killed so many times, and then to the end."""
    rng = random.Random(seed)
    done = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.train.killable", str(path), str(steps)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done < kills:
            assert process.stdout.readline() == "begins\n", process.stderr.read()
            time.sleep(rng.uniform(0, 4))
            if process.poll() is None:
                process.kill()
                done += 1
        _, errors = process.communicate(timeout=120)
        if process.returncode == 0 and done == kills:
            return
        # Killed, or faster than the kill; any other end is an error.
        assert process.returncode in (-9, 0), errors
        if process.returncode == 0:
            done += 1


def check_kills(tmp_path, kills, seed):
    steps = 1000
    whole = new_folder(tmp_path / "whole")
    fit(toys.gan(ema=0.9), IMAGES, config(steps), whole)
    killed_and_resumed(tmp_path / "killed", steps, kills, seed)
    assert_same_run(RunFolder(tmp_path / "killed"), whole)


def test_a_run_that_is_killed_ends_as_if_it_had_not_been(tmp_path):
    check_kills(tmp_path, kills=2, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_many_kills(tmp_path, seed):
    check_kills(tmp_path, kills=12, seed=seed + 1)
