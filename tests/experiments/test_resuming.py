"""Arguments of resumed runs."""

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest

from experiments import cnn, command_line, dcgan
from experiments.command_line import parse
from experiments.machines import Machines
from experiments.resuming import arguments_of
from jaxlayers.runs import RunFolder
from tests.experiments.conftest import TINY


@pytest.fixture
def run_main(monkeypatch, capsys):
    """Runs a command in this process; returns its status, output and errors."""

    def run_main(module, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        try:
            status = command_line.run(module.main, module.Config)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run_main


@pytest.mark.parametrize(
    "config",
    [
        dcgan.Config(),
        dcgan.Config(
            preset="seed",
            data="-odd name",
            steps=7,
            ema=0.5,
            regularizers=(),
            augmentations=("flip", "color"),
            augmentation_probability="adaptive",
            size=(8, 9),
            workers=0,
            best="generator_loss",
            out=dcgan.Path("a b/c"),
            machines=Machines(distributed=True, coordinator="a:1", processes=2, process=0),
            compilation_cache=False,
        ),
        cnn.Config(augment=("shift", "flip"), learning_rate=1e-3, class_weights="balanced"),
    ],
)
def test_the_arguments_of_a_config_parse_to_it(config):
    assert parse(type(config), arguments_of(config)) == config


@pytest.fixture(scope="module")
def first_run(images, tmp_path_factory):
    """The folder of a run of six steps, which differ from the two of the preset."""
    out = tmp_path_factory.mktemp("first") / "run"
    preset = dataclasses.replace(dcgan.PRESETS["small"], **TINY)
    flags = ["--steps", 6, "--seed", 1, "--checkpoint-every", 2, "--no-compilation-cache"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(dcgan.PRESETS, "small", preset)
        patch.setattr(sys, "argv", [str(a) for a in ("x", "--data", images, *flags, "--out", out)])
        assert command_line.run(dcgan.main, dcgan.Config) == 0
    return out


@pytest.fixture
def run_folder(first_run, tmp_path, tiny_preset):
    """A copy of the folder of the first run."""
    return shutil.copytree(first_run, tmp_path / "run")


def read_config(out):
    return json.loads((out / "config.json").read_text())


def test_resume_uses_the_original_arguments(run_main, run_folder, images):
    status, output, errors = run_main(dcgan, "--out", run_folder, "--resume-step", 4)
    assert (status, errors) == (0, "")
    assert "step 6/6" in output
    config = read_config(run_folder)
    assert config["steps"] == 6 and config["seed"] == 1 and config["data"] == str(images)
    assert RunFolder(run_folder).metrics()["step"][-1] == 6


def test_new_steps_replace_the_original_ones(run_main, run_folder):
    assert run_main(dcgan, "--out", run_folder, "--resume", "--steps", 8)[0] == 0
    assert read_config(run_folder)["steps"] == 8
    assert "--steps=8" in read_config(run_folder)["arguments"]
    assert RunFolder(run_folder).metrics()["step"][-1] == 8


FIXED = {
    "preset": "seed",
    "batch_size": 3,
    "seed": 2,
    "precision": "bfloat16",
    "ema": 0.9,
    "accumulate": 2,
    "loss": "hinge",
    "regularizers": ("r1",),
    "regularizer_weight": 2.0,
    "regularizer_every": 2,
    "augmentations": ("flip",),
    "augmentation_probability": "adaptive",
    "discriminator_steps": 2,
    "generator_width": 16,
    "discriminator_width": 2,
    "generator_learning_rate": 0.5,
    "discriminator_learning_rate": 0.5,
    "size": (8, 8),
    "background": "black",
    "color_mode": "rgb",
    "workers": 2,
}
CHANGEABLE = {
    "data",
    "steps",
    "devices",
    "log_every",
    "sample_every",
    "score_every",
    "skip_unreadable",
    "checkpoint_every",
    "best",
    "out",
    "resume",
    "resume_step",
    "machines",
    "compilation_cache",
}


def test_every_flag_is_either_fixed_or_changeable():
    assert {field.name for field in dataclasses.fields(dcgan.Config)} == {*FIXED, *CHANGEABLE}


@pytest.mark.parametrize("name", FIXED)
def test_changes_of_fixed_flags_are_refused_by_name(run_main, run_folder, name):
    before = read_config(run_folder)
    value, old = FIXED[name], before.get(name)
    old = tuple(old) if isinstance(old, list) else old
    values = value if isinstance(value, tuple) else (value,)
    flag = "--" + name.replace("_", "-")
    status, _, errors = run_main(dcgan, "--out", run_folder, "--resume", flag, *values)
    assert status == 1 and f"{flag} was {old} and is {value}" in errors
    assert read_config(run_folder) == before


def test_repeated_unchanged_flags_are_accepted(run_main, run_folder, images):
    flags = ("--seed", 1, "--batch-size", 4, "--preset", "small", "--precision", "float32")
    assert run_main(dcgan, "--data", images, "--out", run_folder, "--resume", *flags)[0] == 0


def test_the_path_of_the_data_may_change_but_not_its_content(
    run_main, run_folder, images, tmp_path
):
    pixels = np.load(images)
    np.savez(tmp_path / "moved.npz", images=pixels)
    arguments = ("--out", run_folder, "--resume", "--steps", 7, "--data")
    assert run_main(dcgan, *arguments, tmp_path / "moved.npz")[0] == 0
    np.save(tmp_path / "other.npy", 255 - pixels)
    before = read_config(run_folder)
    status, _, errors = run_main(dcgan, *arguments, tmp_path / "other.npy")
    assert status == 1 and "data was" in errors
    assert read_config(run_folder) == before


def test_intervals_of_outputs_may_change(run_main, run_folder):
    flags = ("--log-every", 3, "--sample-every", 4, "--checkpoint-every", 5, "--devices", 1)
    best = ("--best", "generator_loss", "--no-compilation-cache")
    assert run_main(dcgan, "--out", run_folder, "--resume", "--steps", 9, *flags, *best)[0] == 0
    assert read_config(run_folder)["log_every"] == 3


def test_epochs_may_change_unless_the_schedule_depends_on_them():
    cosine, constant = cnn.Config(epochs=3), cnn.Config(epochs=3, schedule="constant")
    assert "epochs" not in cosine.changeable(cosine) and "epochs" in constant.changeable(constant)


def test_workers_may_change_if_images_are_streamed():
    streamed = dcgan.Config(workers=1)
    assert "workers" in dcgan.Config(workers=2).changeable(streamed)
    assert "workers" not in dcgan.Config().changeable(streamed)


def test_resume_requires_a_folder_of_the_same_command(run_main, tmp_path, run_folder):
    status, _, errors = run_main(dcgan, "--resume")
    assert status == 1 and "pass the folder of the run to resume, --out DIR" in errors
    status, _, errors = run_main(dcgan, "--resume", "--out", tmp_path / "nowhere")
    assert status == 1 and "is not the folder of a run" in errors
    assert not (tmp_path / "nowhere").exists()
    status, _, errors = run_main(cnn, "--resume", "--out", run_folder)
    assert status == 1 and "cannot be resumed by python -m experiments.cnn" in errors


@pytest.mark.parametrize("arguments", [["--stpes=3"], ["--help"], [3], "no list", [["x"]], None])
def test_invalid_arguments_in_config_json_are_refused(run_main, run_folder, arguments):
    config = read_config(run_folder) | {"arguments": arguments}
    (run_folder / "config.json").write_text(json.dumps(config))
    status, output, errors = run_main(dcgan, "--out", run_folder, "--resume")
    assert status == 1 and str(run_folder) in errors and "Traceback" not in output + errors


def test_errors_name_flags_and_omit_notes_of_jax(monkeypatch, capsys):
    def main(config):
        error = ValueError("FitConfig: batch_size must be a positive integer, got 0; try resume=7")
        error.add_note("In layer 3 of Sequential 'model', 'dense'.")
        error.add_note("For simplicity, JAX has removed its internal frames from the traceback")
        raise error

    monkeypatch.setattr(sys, "argv", ["command"])
    assert command_line.run(main, dcgan.Config) == 1
    assert capsys.readouterr().err == (
        "error: --batch-size must be a positive integer, got 0; try --resume-step 7\n"
        "In layer 3 of Sequential 'model', 'dense'.\n"
    )
