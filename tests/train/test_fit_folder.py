"""`fit` creates and locks the folder of a run, and refuses one that is in use."""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optax
import pytest

from jaxlayers import runs
from jaxlayers.data import Dataset
from jaxlayers.models import cnn
from jaxlayers.runs.lock import FolderInUseError, locked
from jaxlayers.train import Classifier, FitConfig, NotFiniteError, fit
from tests.train import toys

ROOT = Path(__file__).parents[2]
IMAGES = np.random.default_rng(0).integers(256, size=(16, *toys.IMAGE_SHAPE), dtype=np.uint8)
CONFIG = FitConfig(steps=4, batch_size=8, log_every=2, samples=4)


def contents(path):
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_missing_folder_is_created(tmp_path):
    result = fit(toys.gan(), IMAGES, CONFIG, str(tmp_path / "a" / "b"))
    folder = runs.RunFolder(tmp_path / "a" / "b")
    assert folder.metrics()["step"].tolist() == result.history["step"].tolist() == [2, 4]
    assert {p.name for p in folder.path.iterdir() if not p.name.startswith("events")} == {
        "checkpoints",
        "config.json",
        "curves.png",
        "metrics.jsonl",
        "model.json",
        "parameters.npz",
        "report.html",
        "samples",
    }
    config = folder.config()
    assert config["steps"] == 4 and config["batch_size"] == 8 and config["examples"] == 16
    assert config["task"] == "GAN" and config["environment"]["device_count"] == 1


def test_a_used_folder_is_refused_and_unchanged(tmp_path):
    fit(toys.gan(), IMAGES, CONFIG, tmp_path / "run")
    before = contents(tmp_path / "run")
    with pytest.raises(FileExistsError, match=r"run: is not an empty folder.*resume=True"):
        fit(toys.gan(), IMAGES, CONFIG, tmp_path / "run")
    assert contents(tmp_path / "run") == before


def test_a_folder_in_use_by_another_process_is_refused(tmp_path):
    code = (
        "from tests.train.test_fit_folder import *; import dataclasses, sys\n"
        "from pathlib import Path\n"
        "def print_step(step, metrics, state): print(step, flush=True)\n"
        "config = dataclasses.replace(CONFIG, steps=10**6, log_every=1)\n"
        "fit(toys.gan(), IMAGES, config, sys.argv[1], callbacks=[print_step], verbose=False)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "1\n"
        # The killed run is resumed from its first checkpoint, at step 500.
        while not (tmp_path / "run" / "checkpoints" / "500").exists():
            time.sleep(0.05)
        with pytest.raises(FolderInUseError, match=f"another run is writing .*{process.pid}"):
            fit(toys.gan(), IMAGES, CONFIG, tmp_path / "run", resume=True)
    finally:
        process.kill()
        process.communicate()
    with pytest.raises(ValueError, match=r"steps must be at least \d+, the steps that"):
        fit(toys.gan(), IMAGES, CONFIG, tmp_path / "run", resume=True)
    config = dataclasses.replace(CONFIG, steps=500)
    result = fit(toys.gan(), IMAGES, config, tmp_path / "run", resume=500)
    assert result.train_state.step == 500


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({"devices": 99}, {}, "devices"),
        ({"best": "nosuch"}, {}, "best must be a metric of the task, .*got 'nosuch'"),
        ({"batch_size": 17}, {}, "16 rows do not fill one batch"),
        ({}, {"validation_data": (IMAGES[:, :3],)}, "GAN"),
        ({}, {"initial": 3}, "initial must be a tuple"),
        ({}, {"resume": -1}, "resume must be a bool or the step of a checkpoint, got -1"),
    ],
)
def test_refused_arguments_create_no_folder(tmp_path, changes, arguments, message):
    config = dataclasses.replace(CONFIG, **changes)
    with pytest.raises((ValueError, TypeError), match=message):
        fit(toys.gan(), IMAGES, config, tmp_path / "run", **arguments)
    assert not list(tmp_path.iterdir())


def test_an_error_during_tracing_removes_the_folder(tmp_path):
    class FailingTask(toys.SumTask):
        def step(self, train_state, batch):
            raise ZeroDivisionError("failed")

    with pytest.raises(ZeroDivisionError):
        fit(FailingTask(), IMAGES, CONFIG, tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_nan_in_the_first_step_keeps_the_folder(tmp_path):
    with pytest.raises(NotFiniteError, match="step 1"):
        fit(toys.gan(generator_optimizer=optax.sgd(np.nan)), IMAGES, CONFIG, tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists()


def test_a_refused_resume_changes_nothing(tmp_path):
    fit(toys.gan(), IMAGES, CONFIG, tmp_path / "run")
    before = contents(tmp_path / "run")
    for config, images in [
        (dataclasses.replace(CONFIG, seed=1), IMAGES),
        (dataclasses.replace(CONFIG, steps=9), IMAGES + 1),
    ]:
        with pytest.raises(ValueError, match="has another configuration"):
            fit(toys.gan(), images, config, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == before


def test_a_folder_with_only_a_lock_is_unused(tmp_path):
    with locked(tmp_path):
        runs.RunFolder(tmp_path).check_unused()


def test_the_run_of_a_classifier_is_loaded_with_model_and_class_names(tmp_path):
    images = np.random.default_rng(0).integers(256, size=(20, 28, 28, 1), dtype=np.uint8)
    labels = np.arange(20, dtype=np.int32) % 3
    dataset = Dataset(images, labels, ("a", "b", "ç"), "toy")
    model = cnn.lenet(classes=3, width=2, hidden=4)
    task = Classifier(model, optax.adam(1e-3))
    result = fit(task, dataset, CONFIG, tmp_path / "run", validation_data=dataset, verbose=False)
    read, params, state = runs.load(tmp_path / "run")
    assert read == model
    assert json.loads((tmp_path / "run" / "model.json").read_text())["class_names"][2] == "ç"
    probabilities, _ = read.apply(params, state, images / np.float32(255))
    accuracy = np.mean(np.argmax(probabilities, -1) == labels)
    np.testing.assert_allclose(accuracy, result.history["val_accuracy"][-1], rtol=1e-6)


def test_initial_sets_params_or_continues_a_train_state(tmp_path):
    task = toys.gan()
    first = fit(task, IMAGES, CONFIG, tmp_path / "run", verbose=False)
    trees = first.train_state.params, first.train_state.state
    restarted = fit(
        task, IMAGES, dataclasses.replace(CONFIG, steps=1), initial=trees, verbose=False
    )
    kernels = [
        np.asarray(state.params["generator"]["dense"]["kernel"])
        for state in (first.train_state, restarted.train_state)
    ]
    assert not np.array_equal(*kernels)
    np.testing.assert_allclose(*kernels, atol=0.1)
    with pytest.raises(
        ValueError, match=r"config\.steps, the step at which training ends, must be above 4"
    ):
        fit(task, IMAGES, CONFIG, initial=first.train_state)
    longer = dataclasses.replace(CONFIG, steps=6)
    continued = fit(task, IMAGES, longer, initial=first.train_state, verbose=False)
    uninterrupted = fit(task, IMAGES, longer, verbose=False)
    np.testing.assert_array_equal(
        *(r.train_state.params["generator"]["dense"]["kernel"] for r in (continued, uninterrupted))
    )


def test_verbose_false_prints_nothing(tmp_path, capsys):
    fit(toys.gan(), IMAGES, CONFIG, tmp_path / "run", verbose=False)
    assert capsys.readouterr() == ("", "")
