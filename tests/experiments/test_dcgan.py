import dataclasses
import gzip
import json
import os
import signal
import struct
import subprocess
import sys
import time
from typing import get_args, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments import command_line, dcgan
from experiments.dcgan import Config
from experiments.presets import AUGMENTATIONS, PRESETS
from jaxlayers import train
from jaxlayers.models import dcgan as models
from jaxlayers.models import small_dcgan
from jaxlayers.runs import RunFolder
from tests.experiments import commands
from tests.experiments.conftest import CHEAP, TINY


def relative_paths(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


def test_the_command_writes_all_outputs_to_its_folder(tmp_path, images):
    out = tmp_path / "run"
    numbers = ("--steps", 3, "--batch-size", 4, "--seed", 7)
    process = commands.run("dcgan", "--data", images, *numbers, *CHEAP, "--out", out)
    assert (process.returncode, process.stderr) == (0, "")
    assert "12 images of 4 x 4 x 1" in process.stdout and "step 3/3" in process.stdout
    assert str(out) in process.stdout.splitlines()[-1]
    assert {
        name for name in relative_paths(out) if not name.startswith(("checkpoints/", "events."))
    } == {
        "checkpoints",
        "config.json",
        "curves.png",
        "metrics.jsonl",
        "model.json",
        "parameters.npz",
        "report.html",
        "samples",
        "samples/step_0000003.png",
    }
    assert (out / "checkpoints" / "3").is_dir() and list(out.glob("events.*"))
    assert "up_sampling2d" in (out / "report.html").read_text()
    config = json.loads((out / "config.json").read_text())
    expected = {"preset": "small", "data": str(images), "steps": 3, "batch_size": 4, "seed": 7}
    assert config.items() >= expected.items()
    (line,) = (out / "metrics.jsonl").read_text().splitlines()
    metrics = json.loads(line)
    assert metrics["step"] == 3
    assert {"discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy"} < set(metrics)
    params, _ = RunFolder(out).load_parameters()
    for model, layer in ((m, layer) for m in params for layer in params[m].values()):
        assert all(np.isfinite(weight).all() for weight in layer.values())
        # Biases and offsets are initialized to zero.
        assert all(np.any(layer[name]) for name in ("beta", "bias") if name in layer), model
    with Image.open(out / "samples" / "step_0000003.png") as picture:
        assert picture.mode == "L"
        # A grid of 8 x 8 samples of 4 x 4 pixels with gaps of 2, scaled by an integer.
        assert picture.width == picture.height == 600 // (8 * 6 + 2) * (8 * 6 + 2)


def interrupt(number, command, out):
    """Sends a signal to a command once it has logged; returns its exit status and output."""
    process = subprocess.Popen(
        command,
        env=commands.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 90
    while not (out / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def test_ctrl_c_ends_the_command_with_status_130_and_a_complete_folder(tmp_path, images):
    out = tmp_path / "run"
    command = commands.command("dcgan", "--data", images, "--batch-size", 4, "--out", out, *CHEAP)
    status, output = interrupt(signal.SIGINT, command, out)
    assert status == 130, output
    assert "Traceback" not in output
    last = RunFolder(out).metrics()["step"][-1]
    assert output.splitlines()[-1] == (
        f"stopped at step {last:.0f} of {PRESETS['small'].steps}; "
        f"to resume: python -m experiments.dcgan --out {out} --resume"
    )
    assert 10 <= last < PRESETS["small"].steps
    assert f"samples/step_{last:07d}.png" in relative_paths(out)
    assert RunFolder(out).load_parameters()[0].keys() == {"generator", "discriminator"}


def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(tmp_path, images):
    def command(out, *arguments):
        return commands.command("dcgan", "--out", out, *arguments)

    out = tmp_path / "run"
    constant = ("--learning-rate-decay", 0)
    started = ("--data", images, "--batch-size", 4, "--ema", 0.9, *constant, *CHEAP)
    status, output = interrupt(signal.SIGTERM, command(out, *started, "--steps", 100000), out)
    assert status == 143, output
    stopped = int(RunFolder(out).metrics()["step"][-1])
    for folder, extra in ((out, ["--resume"]), (tmp_path / "uninterrupted", started)):
        ended = subprocess.run(
            command(folder, *extra, "--steps", stopped + 5),
            env=commands.environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == 0, ended.stderr
    resumed, uninterrupted = (
        RunFolder(f).load_parameters()[0] for f in (out, tmp_path / "uninterrupted")
    )
    jax.tree.map(np.testing.assert_array_equal, resumed, uninterrupted)


@pytest.mark.slow
def test_compiled_programs_are_cached(tmp_path, images, monkeypatch):
    monkeypatch.setenv("JAXLAYERS_CACHE", str(tmp_path / "cache"))
    cache = tmp_path / "cache" / "compiled"
    arguments = ("dcgan", "--data", images, "--batch-size", 4, "--steps", 1, *CHEAP, "--out")
    assert commands.run(*arguments, tmp_path / "a", "--no-compilation-cache").returncode == 0
    assert not cache.exists()
    assert commands.run(*arguments, tmp_path / "b").returncode == 0
    cached = {path.name for path in cache.glob("*-cache")}
    assert any("take" in name for name in cached)
    assert commands.run(*arguments, tmp_path / "c").returncode == 0
    assert {path.name for path in cache.glob("*-cache")} == cached


def test_images_can_be_streamed_from_files(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(9):
        pixels = rng.integers(256, size=(4, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    pictures = ("--data", tmp_path / "pictures", *CHEAP)
    arguments = ("dcgan", *pictures, "--batch-size", 4, "--steps", 5)
    for name, workers in (("one", 1), ("none", 0)):
        process = commands.run(*arguments, "--workers", workers, "--out", tmp_path / name)
        assert (process.returncode, process.stderr) == (0, "")
    threaded, unthreaded = (
        RunFolder(tmp_path / name).load_parameters()[0] for name in ("one", "none")
    )
    jax.tree.map(np.testing.assert_array_equal, threaded, unthreaded)


@pytest.mark.usefixtures("tiny_preset")
def test_options_are_passed_to_the_task(tmp_path, images, fit_calls):
    dcgan.main(
        Config(data=str(images), precision="bfloat16", ema=0.9, accumulate=2, out=tmp_path / "run")
    )
    ((task, *_),) = fit_calls
    assert isinstance(task.generator, train.InBfloat16) and task.ema == 0.9
    train_state = task.init(jax.random.key(0))
    assert "MultiSteps" in str(jax.tree.structure(train_state.opt_state["generator"]))


@pytest.fixture
def fit_calls(monkeypatch):
    """The arguments of the calls of `fit`, which is replaced."""
    calls = []

    def fit(task, dataset, config, folder, *, resume, scores):
        calls.append((task, dataset, config, folder))
        return train.FitResult(task.init(jax.random.key(0)))

    monkeypatch.setattr(train, "fit", fit)
    return calls


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def write_idx_folder(path):
    path.mkdir()
    for split, count in (("train", 5), ("t10k", 3)):
        write_idx(path / f"{split}-images-idx3-ubyte.gz", np.zeros((count, 8, 8), np.uint8))
        write_idx(path / f"{split}-labels-idx1-ubyte.gz", np.zeros(count, np.uint8))
    return path


def write_npz(path):
    np.savez(path, images=np.zeros((8, 8, 8, 3), np.uint8), labels=np.zeros(8, np.int32))
    return path


@pytest.mark.usefixtures("tiny_preset")
@pytest.mark.parametrize(
    "make, count, shape",
    [
        (lambda tmp_path: "mnist-5k", 5000, (28, 28, 1)),
        (lambda tmp_path: write_idx_folder(tmp_path / "idx"), 8, (8, 8, 1)),
        (lambda tmp_path: write_npz(tmp_path / "images.npz"), 8, (8, 8, 3)),
    ],
    ids=["name", "idx", "npz"],
)
def test_training_uses_all_images_of_a_source(tmp_path, fit_calls, make, count, shape):
    source = str(make(tmp_path))
    assert dcgan.main(Config(data=source, out=tmp_path / "run")) == 0
    ((task, dataset, _, folder),) = fit_calls
    assert len(dataset) == count
    assert task.image_shape == shape
    assert folder.extra_config["data"] == source


def test_defaults_are_taken_from_the_preset(images, fit_calls, tmp_path):
    dcgan.main(Config(data=str(images), batch_size=4, out=tmp_path / "a"))
    dcgan.main(Config("seed", data=str(images), steps=5, batch_size=3, seed=9, out=tmp_path / "b"))
    (_, _, small, _), (task, _, config, _) = fit_calls
    assert (small.steps, small.batch_size, small.seed) == (PRESETS["small"].steps, 4, 0)
    assert (config.steps, config.batch_size, config.seed) == (5, 3, 9)
    assert task.generator == models.generator((4, 4, 1), width=256, dropout=0.4)
    assert task.discriminator == models.discriminator((4, 4, 1), 64, 0.4, logits=True)
    assert task.loss == "non_saturating" and task.regularizers == () and task.ema is None


def test_options_replace_those_of_the_preset(images, fit_calls, tmp_path):
    names = get_args(get_args(get_type_hints(Config)["loss"])[0])
    assert set(names) == set(train.gan_losses.BY_NAME)
    names = get_args(get_args(get_type_hints(Config)["regularizers"])[0])
    assert set(get_args(names[0])) == set(train.gan_regularizers.BY_NAME)
    names = get_args(get_args(get_type_hints(Config)["augmentations"])[0])
    assert set(get_args(names[0])) == set(AUGMENTATIONS)
    given = {
        "loss": "hinge",
        "regularizers": ("r1", "gradient_penalty"),
        "regularizer_weight": 2.0,
        "regularizer_every": 3,
        "augmentations": ("flip", "cutout"),
        "augmentation_probability": 0.5,
        "discriminator_steps": 2,
        "generator_width": 16,
        "discriminator_width": 3,
        "ema": 0.0,
    }
    dcgan.main(Config(data=str(images), batch_size=4, out=tmp_path / "run", **given))
    ((task, *_),) = fit_calls
    assert (task.loss, task.discriminator_steps, task.ema) == ("hinge", 2, None)
    assert task.augmentations == (train.augmentation.Flip(), train.augmentation.Cutout(2))
    assert task.augmentation_probability == 0.5
    r1, penalty = task.regularizers
    assert r1 == train.gan_regularizers.R1(2.0, 3)
    assert penalty == train.gan_regularizers.GradientPenalty(2.0, 3)
    assert task.generator == small_dcgan.generator((4, 4, 1), width=16)
    assert task.discriminator == small_dcgan.discriminator((4, 4, 1), width=3)


def test_learning_rates_replace_those_of_the_preset():
    preset = dataclasses.replace(
        PRESETS["small"], generator_learning_rate=0.25, discriminator_learning_rate=0.125, **TINY
    )
    task = preset.task((4, 4, 1))
    for name, optimizer in (("generator", 0.25), ("discriminator", 0.125)):
        update = getattr(task, f"{name}_optimizer")
        gradient = {"kernel": jnp.full(2, 3.0)}
        step, _ = update.update(gradient, update.init(gradient), gradient)
        # The first step of Adam is the learning rate.
        np.testing.assert_allclose(step["kernel"], -optimizer, rtol=1e-4)


@pytest.mark.usefixtures("tiny_preset")
def test_the_default_folder_is_named_after_preset_and_time(images, fit_calls):
    dcgan.main(Config(data=str(images)))
    ((*_, folder),) = fit_calls
    assert str(folder.path).startswith("runs/dcgan-small-2")


@pytest.fixture
def run_main(monkeypatch, capsys):
    """Runs the command in this process; returns its status, output and errors."""

    def run_main(*arguments):
        monkeypatch.setattr(sys, "argv", ["dcgan", *map(str, arguments)])
        try:
            status = command_line.run(dcgan.main, Config)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run_main


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--data", "mnist"], "could not fetch https://"),
        (["--data", "mnits"], "Did you mean 'mnist'?"),
        (["--data", "nowhere.npy"], "neither a name nor a path"),
        (["--steps", "0"], "error: --steps must be a positive integer, got 0"),
        (["--batch-size", "13"], "12 rows do not fill one batch of --batch-size 13"),
        (["--batch-size", "4", "--seed", "-1"], "--seed must be an integer from 0"),
        (["--batch-size", "4", "--log-every", "0"], "--log-every must be a positive integer"),
        (["--batch-size", "4", "--ema", "1"], "--ema must be "),
        (["--batch-size", "4", "--accumulate", "0"], "accumulate must be a positive integer"),
        (["--batch-size", "4", "--devices", "0"], "--devices must be a positive integer or None"),
        (["--batch-size", "4", "--devices", "99"], "error: --devices must be at most"),
        (["--batch-size", "4", "--best", "nosuch"], "error: --best must be a metric of the task"),
        (
            ["--machines.processes", "2"],
            "coordinator, processes and process must be given together",
        ),
    ],
)
def test_user_errors_are_messages_and_create_no_folder(
    run_main, tmp_path, images, arguments, message
):
    if "--data" not in arguments:
        arguments = ["--data", images, *arguments]
    status, output, errors = run_main(*arguments, "--out", tmp_path / "run")
    assert status == 1
    assert errors.startswith("error: ") and message in errors
    assert "Traceback" not in output + errors
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "shape, message",
    [((12, 6, 6, 1), r"multiples of 4, got (6, 6, 1)"), ((12, 4, 4, 2), "1 or 3 channels")],
)
def test_images_that_the_model_cannot_generate_are_refused(
    run_main, tmp_path, fit_calls, shape, message
):
    np.save(tmp_path / "images.npy", np.zeros(shape, np.uint8))
    arguments = ["--data", tmp_path / "images.npy", "--batch-size", 4, "--out", tmp_path / "run"]
    status, _, errors = run_main(*arguments)
    assert status == 1 and message in errors
    assert not fit_calls and not (tmp_path / "run").exists()


def test_the_folder_of_another_run_is_refused_and_unchanged(run_main, tmp_path, images):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "parameters.npz").write_text("earlier results")
    status, _, errors = run_main("--data", images, "--batch-size", 4, "--out", tmp_path / "run")
    assert status == 1 and "is not an empty folder" in errors and "with --resume" in errors
    assert relative_paths(tmp_path / "run") == ["parameters.npz"]


@pytest.mark.parametrize(
    "arguments", [["--steps", "many"], ["--preset", "large"], ["--stpes", "3"], ["3"]]
)
def test_invalid_arguments_end_with_status_2_and_are_named(run_main, fit_calls, arguments):
    status, output, errors = run_main(*arguments)
    assert status == 2 and not fit_calls
    assert arguments[-1] in errors or arguments[0] in errors
    assert "Traceback" not in output + errors


def test_help_to_a_closed_pipe_is_not_an_error():
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        commands.command("nearest", "--help"),
        env=commands.environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=120,
    )
    os.close(writer)
    assert result.returncode == 0 and not result.stderr


def test_help_lists_every_argument(run_main):
    status, output, _ = run_main("--help")
    assert status == 0
    for argument in ("--preset", "--data", "--steps", "--batch-size", "--seed", "--out"):
        assert argument in output
