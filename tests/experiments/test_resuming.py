"""A run is resumed with the arguments it was started with."""

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
def call(monkeypatch, capsys):
    """Calls a command in this process; returns its status, output and errors."""

    def call(module, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        try:
            status = command_line.run(module.main, module.Config)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    "config",
    [
        dcgan.Config(),
        dcgan.Config(
            preset="seed",
            data="-odd name",
            steps=7,
            ema=0.5,
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
    """The folder of a run of six steps that were asked for, not the two of the preset."""
    out = tmp_path_factory.mktemp("first") / "run"
    preset = dataclasses.replace(dcgan.PRESETS["small"], **TINY)
    flags = ["--steps", 6, "--seed", 1, "--checkpoint-every", 2, "--no-compilation-cache"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(dcgan.PRESETS, "small", preset)
        patch.setattr(sys, "argv", [str(a) for a in ("x", "--data", images, *flags, "--out", out)])
        assert command_line.run(dcgan.main, dcgan.Config) == 0
    return out


@pytest.fixture
def started(first_run, tmp_path, tiny):
    """A copy of that folder."""
    return shutil.copytree(first_run, tmp_path / "run")


def configuration(out):
    return json.loads((out / "config.json").read_text())


def test_resume_alone_goes_on_with_everything_the_run_was_started_with(call, started, images):
    status, output, errors = call(dcgan, "--out", started, "--resume-step", 4)
    assert (status, errors) == (0, "")
    assert "step 6/6" in output
    config = configuration(started)
    assert config["steps"] == 6 and config["seed"] == 1 and config["data"] == str(images)
    assert RunFolder(started).metrics()["step"][-1] == 6


def test_steps_given_again_override_and_stay(call, started):
    assert call(dcgan, "--out", started, "--resume", "--steps", 8)[0] == 0
    assert configuration(started)["steps"] == 8
    assert "--steps=8" in configuration(started)["arguments"]
    assert RunFolder(started).metrics()["step"][-1] == 8


CHANGES = {
    "preset": "seed",
    "batch_size": 3,
    "seed": 2,
    "precision": "bfloat16",
    "ema": 0.9,
    "accumulate": 2,
    "size": (8, 8),
    "background": "black",
    "color_mode": "rgb",
    "workers": 2,
}
FREE = {
    "data",
    "steps",
    "devices",
    "log_every",
    "sample_every",
    "skip_unreadable",
    "checkpoint_every",
    "best",
    "out",
    "resume",
    "resume_step",
    "machines",
    "compilation_cache",
}


def test_every_flag_is_either_free_or_refused():
    assert {field.name for field in dataclasses.fields(dcgan.Config)} == {*CHANGES, *FREE}


@pytest.mark.parametrize("name", CHANGES)
def test_a_flag_that_numbers_depend_on_is_refused_by_name(call, started, name):
    before = configuration(started)
    value = CHANGES[name]
    values = value if isinstance(value, tuple) else (value,)
    flag = "--" + name.replace("_", "-")
    status, _, errors = call(dcgan, "--out", started, "--resume", flag, *values)
    assert status == 1 and f"{flag} was {before.get(name)} and is {value}" in errors
    assert configuration(started) == before


def test_flags_given_again_as_they_were_are_taken(call, started, images):
    flags = ("--seed", 1, "--batch-size", 4, "--preset", "small", "--precision", "float32")
    assert call(dcgan, "--data", images, "--out", started, "--resume", *flags)[0] == 0


def test_data_may_lie_elsewhere_but_be_no_other(call, started, images, tmp_path):
    pixels = np.load(images)
    np.savez(tmp_path / "moved.npz", images=pixels)
    arguments = ("--out", started, "--resume", "--steps", 7, "--data")
    assert call(dcgan, *arguments, tmp_path / "moved.npz")[0] == 0
    np.save(tmp_path / "other.npy", 255 - pixels)
    before = configuration(started)
    status, _, errors = call(dcgan, *arguments, tmp_path / "other.npy")
    assert status == 1 and "data was" in errors
    assert configuration(started) == before


def test_how_often_something_is_written_is_free(call, started):
    flags = ("--log-every", 3, "--sample-every", 4, "--checkpoint-every", 5, "--devices", 1)
    best = ("--best", "generator_loss", "--no-compilation-cache")
    assert call(dcgan, "--out", started, "--resume", "--steps", 9, *flags, *best)[0] == 0
    assert configuration(started)["log_every"] == 3


def test_epochs_are_free_where_the_schedule_does_not_depend_on_them():
    cosine, constant = cnn.Config(epochs=3), cnn.Config(epochs=3, schedule="constant")
    assert "epochs" not in cosine.changeable(cosine) and "epochs" in constant.changeable(constant)


def test_workers_are_free_where_images_stream_already():
    streamed = dcgan.Config(workers=1)
    assert "workers" in dcgan.Config(workers=2).changeable(streamed)
    assert "workers" not in dcgan.Config().changeable(streamed)


def test_resume_needs_the_folder_of_a_run_of_the_same_command(call, tmp_path, started):
    status, _, errors = call(dcgan, "--resume")
    assert status == 1 and "pass the folder of the run to resume, --out DIR" in errors
    status, _, errors = call(dcgan, "--resume", "--out", tmp_path / "nowhere")
    assert status == 1 and "is not the folder of a run" in errors
    assert not (tmp_path / "nowhere").exists()
    status, _, errors = call(cnn, "--resume", "--out", started)
    assert status == 1 and "cannot be resumed by python -m experiments.cnn" in errors


@pytest.mark.parametrize("arguments", [["--stpes=3"], ["--help"], [3], "no list", [["x"]], None])
def test_arguments_in_a_folder_from_a_stranger_are_an_error(call, started, arguments):
    config = configuration(started) | {"arguments": arguments}
    (started / "config.json").write_text(json.dumps(config))
    status, output, errors = call(dcgan, "--out", started, "--resume")
    assert status == 1 and str(started) in errors and "Traceback" not in output + errors


def test_errors_name_flags_and_leave_out_what_jax_says_of_its_frames(monkeypatch, capsys):
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
