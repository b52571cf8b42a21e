import gzip
import json
import signal
import struct
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import command_line, dcgan
from experiments.dcgan import Config
from jaxlayers import data, train
from jaxlayers.models import dcgan as models
from jaxlayers.runs import RunFolder
from tests.experiments import commands


def names(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


def test_the_command_leaves_all_that_comes_of_a_run_in_its_folder(tmp_path, images):
    out = tmp_path / "run"
    done = commands.run(
        "dcgan", "--data", images, "--steps", 3, "--batch-size", 4, "--seed", 7, "--out", out
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 images of 4 x 4 x 1" in done.stdout and "step 3/3" in done.stdout
    assert str(out) in done.stdout.splitlines()[-1]
    assert {name for name in names(out) if not name.startswith(("checkpoints/", "events."))} == {
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
    assert "conv2d_transpose" in (out / "report.html").read_text()
    config = json.loads((out / "config.json").read_text())
    asked = {"preset": "small", "data": str(images), "steps": 3, "batch_size": 4, "seed": 7}
    assert config.items() >= asked.items()
    (line,) = (out / "metrics.jsonl").read_text().splitlines()
    metrics = json.loads(line)
    assert metrics["step"] == 3
    assert {"discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy"} < set(metrics)
    params, _ = RunFolder(out).load_parameters()
    for model, layer in ((m, layer) for m in params for layer in params[m].values()):
        assert all(np.isfinite(weight).all() for weight in layer.values())
        # Zero at first; a bias before a normalization has nothing to learn.
        assert np.all(layer["beta" if "beta" in layer else "bias"]) or model == "generator"
    with Image.open(out / "samples" / "step_0000003.png") as picture:
        assert picture.mode == "L"
        # 8 x 8 samples of 4 x 4 with gaps of 2, in whole multiples.
        assert picture.width == picture.height == 600 // (8 * 6 + 2) * (8 * 6 + 2)


def stopped_by(number, command, out):
    """Sends a signal to a command once it has logged; returns its exit status and output."""
    running = subprocess.Popen(
        command,
        env=commands.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 90
    while not (out / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(number)
    output, _ = running.communicate(timeout=60)
    return running.returncode, output


def test_ctrl_c_ends_the_command_with_status_130_and_a_whole_folder(tmp_path, images):
    out = tmp_path / "run"
    command = commands.command("dcgan", "--data", images, "--batch-size", 4, "--out", out)
    status, output = stopped_by(signal.SIGINT, command, out)
    assert status == 130, output
    assert "Traceback" not in output
    last = RunFolder(out).metrics()["step"][-1]
    assert output.splitlines()[-1] == (
        f"stopped at step {last:.0f} of 3000; "
        f"to resume: python -m experiments.dcgan --out {out} --resume"
    )
    assert 10 <= last < 3000
    assert f"samples/step_{last:07d}.png" in names(out)
    assert RunFolder(out).load_parameters()[0].keys() == {"generator", "discriminator"}


def test_a_signal_and_resume_give_what_one_run_gives(tmp_path, images):
    def command(out, *arguments):
        return commands.command("dcgan", "--out", out, *arguments)

    out = tmp_path / "run"
    started = ("--data", images, "--batch-size", 4, "--ema", 0.9)
    status, output = stopped_by(signal.SIGTERM, command(out, *started, "--steps", 100000), out)
    assert status == 143, output
    stopped = int(RunFolder(out).metrics()["step"][-1])
    for folder, extra in ((out, ["--resume"]), (tmp_path / "whole", started)):
        ended = subprocess.run(
            command(folder, *extra, "--steps", stopped + 5),
            env=commands.environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == 0, ended.stderr
    ours, theirs = (RunFolder(f).load_parameters()[0] for f in (out, tmp_path / "whole"))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.slow
def test_compiled_programs_are_kept_in_the_cache(tmp_path, images):
    cache = tmp_path / "cache" / "compiled"
    arguments = ("dcgan", "--data", images, "--batch-size", 4, "--steps", 1, "--out")
    assert commands.run(*arguments, tmp_path / "a", "--no-compilation-cache").returncode == 0
    assert not cache.exists()
    assert commands.run(*arguments, tmp_path / "b").returncode == 0
    kept = {path.name for path in cache.glob("*-cache")}
    assert any("take" in name for name in kept)
    assert commands.run(*arguments, tmp_path / "c").returncode == 0
    assert {path.name for path in cache.glob("*-cache")} == kept


def test_image_files_are_read_while_training(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(9):
        pixels = rng.integers(256, size=(4, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    arguments = ("dcgan", "--data", tmp_path / "pictures", "--batch-size", 4, "--steps", 5)
    for name, workers in (("one", 1), ("none", 0)):
        done = commands.run(*arguments, "--workers", workers, "--out", tmp_path / name)
        assert (done.returncode, done.stderr) == (0, "")
    ours, theirs = (RunFolder(tmp_path / name).load_parameters()[0] for name in ("one", "none"))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.usefixtures("tiny")
def test_options_reach_the_task(tmp_path, images, fitted):
    dcgan.main(
        Config(data=str(images), precision="bfloat16", ema=0.9, accumulate=2, out=tmp_path / "run")
    )
    ((task, *_),) = fitted
    assert isinstance(task.generator, train.InBfloat16) and task.ema == 0.9
    train_state = task.init(jax.random.key(0))
    assert "MultiSteps" in str(jax.tree.structure(train_state.opt_state["generator"]))


@pytest.fixture
def fitted(monkeypatch):
    """What `main` hands to `fit`, without training."""
    calls = []

    def fit(task, dataset, config, folder, *, resume):
        calls.append((task, dataset, config, folder))
        return train.FitResult(task.init(jax.random.key(0)))

    monkeypatch.setattr(train, "fit", fit)
    return calls


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def idx_folder(path):
    path.mkdir()
    for split, count in (("train", 5), ("t10k", 3)):
        write_idx(path / f"{split}-images-idx3-ubyte.gz", np.zeros((count, 8, 8), np.uint8))
        write_idx(path / f"{split}-labels-idx1-ubyte.gz", np.zeros(count, np.uint8))
    return path


def npz(path):
    np.savez(path, images=np.zeros((8, 8, 8, 3), np.uint8), labels=np.zeros(8, np.int32))
    return path


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    "make, count, shape",
    [
        (lambda tmp_path: "mnist-5k", 5000, (28, 28, 1)),
        (lambda tmp_path: idx_folder(tmp_path / "idx"), 8, (8, 8, 1)),
        (lambda tmp_path: npz(tmp_path / "images.npz"), 8, (8, 8, 3)),
    ],
    ids=["name", "idx", "npz"],
)
def test_it_trains_on_all_images_of_a_source_at_their_size(tmp_path, fitted, make, count, shape):
    source = str(make(tmp_path))
    assert dcgan.main(Config(data=source, out=tmp_path / "run")) == 0
    ((task, dataset, _, folder),) = fitted
    assert len(dataset) == count
    assert task.image_shape == shape
    assert folder.extra_config["data"] == source


def test_presets_give_what_is_not_asked_for(images, fitted, tmp_path):
    dcgan.main(Config(data=str(images), batch_size=4, out=tmp_path / "a"))
    dcgan.main(Config("seed", data=str(images), steps=5, batch_size=3, seed=9, out=tmp_path / "b"))
    (_, _, small, _), (task, _, config, _) = fitted
    assert (small.steps, small.batch_size, small.seed) == (3000, 4, 0)
    assert (config.steps, config.batch_size, config.seed) == (5, 3, 9)
    assert task.generator == models.generator((4, 4, 1), width=256, dropout=0.4)
    assert task.discriminator == models.discriminator((4, 4, 1), 64, 0.4, logits=True)


@pytest.mark.usefixtures("tiny")
def test_without_out_the_folder_is_named_after_preset_and_time(images, fitted):
    dcgan.main(Config(data=str(images)))
    ((*_, folder),) = fitted
    assert str(folder.path).startswith("runs/dcgan-small-2")


@pytest.fixture
def call(monkeypatch, capsys):
    """Calls the command in this process; returns its status, output and errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["dcgan", *map(str, arguments)])
        try:
            status = command_line.run(dcgan.main, Config)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return call


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
def test_what_a_person_can_mend_is_a_message_and_leaves_no_folder(
    call, tmp_path, images, arguments, message
):
    if "--data" not in arguments:
        arguments = ["--data", images, *arguments]
    status, output, errors = call(*arguments, "--out", tmp_path / "run")
    assert status == 1
    assert errors.startswith("error: ") and message in errors
    assert "Traceback" not in output + errors
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "shape, message",
    [((12, 6, 6, 1), r"multiples of 4, got (6, 6, 1)"), ((12, 4, 4, 2), "1 or 3 channels")],
)
def test_images_that_the_model_does_not_make_are_refused(call, tmp_path, fitted, shape, message):
    np.save(tmp_path / "images.npy", np.zeros(shape, np.uint8))
    arguments = ["--data", tmp_path / "images.npy", "--batch-size", 4, "--out", tmp_path / "run"]
    status, _, errors = call(*arguments)
    assert status == 1 and message in errors
    assert not fitted and not (tmp_path / "run").exists()


def test_a_folder_of_another_run_is_refused_and_left_alone(call, tmp_path, images):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "parameters.npz").write_text("weeks of work")
    status, _, errors = call("--data", images, "--batch-size", 4, "--out", tmp_path / "run")
    assert status == 1 and "is not an empty folder" in errors and "with --resume" in errors
    assert names(tmp_path / "run") == ["parameters.npz"]


@pytest.mark.parametrize(
    "arguments", [["--steps", "many"], ["--preset", "large"], ["--stpes", "3"], ["3"]]
)
def test_arguments_that_do_not_parse_end_with_status_2_and_say_which(call, fitted, arguments):
    status, output, errors = call(*arguments)
    assert status == 2 and not fitted
    assert arguments[-1] in errors or arguments[0] in errors
    assert "Traceback" not in output + errors


def test_help_tells_every_argument(call):
    status, output, _ = call("--help")
    assert status == 0
    for argument in ("--preset", "--data", "--steps", "--batch-size", "--seed", "--out"):
        assert argument in output


def test_the_embedded_digits_fit_both_presets():
    shape = data.load("mnist-5k").images.shape[1:]
    for preset in dcgan.PRESETS.values():
        assert models.generator(shape, width=preset.generator_width).output_shape() == shape
