import dataclasses
import json
import sys
from typing import get_args

import numpy as np
import optax
import pytest

from experiments import command_line, compare
from experiments.compare import Config
from experiments.presets import PRESETS
from jaxlayers import metrics, train
from jaxlayers.runs import RunFolder
from jaxlayers.train.gan_regularizers import R1, R2, GradientPenalty
from tests.train import toys

LOSSES = ("non_saturating", "hinge")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The path of an .npz file of forty 4 x 4 images of two classes."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    images = np.random.default_rng(0).integers(256, size=(40, 4, 4, 1), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(40) % 2)
    return path


@pytest.fixture
def small(monkeypatch):
    """Replaces the models by the smallest ones, and the classifier by one that is not trained."""

    def features(_, images):
        flat = images.reshape(-1, 16)
        return flat[:, :3], flat[:, :2]

    linear = metrics.Features("classifier", features, size=3, classes=2)
    monkeypatch.setattr(train, "classifier_features", lambda training: linear)
    monkeypatch.setattr(compare, "_SCORES", ("frechet_distance", "classes"))
    monkeypatch.setattr(compare, "_task", lambda each: toys.gan(loss=each.loss))


def config(digits, out, **options):
    common = {"steps": 3, "batch_size": 8, "seeds": 1, "samples": 32, "checkpoint_every": 1}
    choices = {"losses": LOSSES, "regularizers": ("none",)}
    return Config(out, (str(digits),), **(choices | common | options))


def read(path):
    return [json.loads(line) for line in (path / "results.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("small")
def test_an_interrupted_comparison_continues_within_its_run(digits, tmp_path, monkeypatch, capsys):
    fit, resumed = train.fit, []

    def crashes_in_the_second_run(*arguments, resume):
        def crash(step, *_):
            if len(resumed) == 2 and step == 2:
                raise KeyboardInterrupt

        resumed.append(resume)
        return fit(*arguments, resume=resume, callbacks=[crash])

    monkeypatch.setattr(train, "fit", crashes_in_the_second_run)
    options = config(digits, tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        compare.main(options)
    assert [row["loss"] for row in read(options.out)] == [None, "non_saturating"]
    capsys.readouterr()
    assert compare.main(options) == 0
    assert compare.main(options) == 0  # repeats nothing
    assert resumed == [False, False, True]
    assert "run 2 of 2: digits, hinge, none, seed 0" in capsys.readouterr().out

    rows = read(options.out)
    assert [row["loss"] for row in rows] == [None, "non_saturating", "hinge"]
    for row in rows:
        assert row["scores"].keys() == {
            "classifier_frechet_distance",
            "classifier_confidence",
            "classifier_class_entropy",
            "classifier_smallest_class",
        }
        assert (row["loss"] is None) == (row["seconds_per_step"] is None)
    for loss in LOSSES:
        folder = RunFolder(options.out / "digits" / f"{loss}-none-0")
        assert folder.metrics()["step"].tolist() == [1, 2, 3]
        assert list(folder.samples()) == [3]
        assert not (folder.path / "checkpoints").exists()
    text = (options.out / "table.md").read_text()
    assert "\n## digits\n\n| Fréchet distance (real images: " in text
    starts = [line.split(" | ")[:3] for line in text.splitlines() if line.startswith("| ")]
    first = starts.index(["| loss", "regularizer", "Fréchet distance"])
    assert [start[:2] for start in starts[first + 2 :]] == [
        ["| real images", ""],
        ["| non_saturating", "none"],
        ["| hinge", "none"],
    ]


@pytest.mark.usefixtures("small")
def test_a_run_that_becomes_nan_is_a_row(digits, tmp_path, monkeypatch):
    task = compare._task
    diverges = {"generator_optimizer": optax.sgd(1e38), "discriminator_optimizer": optax.sgd(1e38)}
    monkeypatch.setattr(compare, "_task", lambda each: dataclasses.replace(task(each), **diverges))
    options = config(digits, tmp_path / "out", losses=("wasserstein",))
    assert compare.main(options) == 0
    _, row = read(options.out)
    assert 0 <= row["failed_at"] < 3
    assert row["scores"] == {} and row["seconds_per_step"] is None
    assert (
        f"| 1, not finite after step {row['failed_at']} |" in (options.out / "table.md").read_text()
    )


@pytest.mark.usefixtures("small")
def test_a_signal_ends_the_comparison_after_its_run_is_saved(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "fit", lambda *_, **__: train.FitResult(None, signal=15))
    options = config(digits, tmp_path / "out")
    assert compare.main(options) == 143
    assert [row["loss"] for row in read(options.out)] == [None]
    assert "run the same command again" in capsys.readouterr().out


def test_every_loss_and_regularizer_can_be_compared(digits, tmp_path):
    assert set(get_args(compare.Loss)) == set(train.gan_losses.BY_NAME) == set(Config().losses)
    assert set(get_args(compare.Penalties)) == set(Config().regularizers)
    (source,) = compare._sources(config(digits, tmp_path))
    small = PRESETS["small"]
    weight, every = small.regularizer_weight, small.regularizer_every
    regularizers = {
        "none": (),
        "r1": (R1(weight, every),),
        "r1+r2": (R1(weight, every), R2(weight, every)),
        "gradient_penalty": (GradientPenalty(10.0),),
    }
    for loss in Config().losses:
        for name, expected in regularizers.items():
            task = compare._task(compare._Run(source, loss, name, 0))
            assert (task.loss, task.regularizers) == (loss, expected)
            assert task.image_shape == (4, 4, 1)


def test_the_time_of_a_step_excludes_compilation():
    history = {"step": np.array([1, 2, 4, 8]), "seconds": np.array([60.0, 60.5, 62.5, 64.5])}
    assert compare._seconds_per_step(history) == 0.5
    assert compare._seconds_per_step({name: values[:1] for name, values in history.items()}) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "error: --seeds must be a positive integer, got 0"),
        (["--samples", "-1"], "error: --samples must be a positive integer, got -1"),
        (["--steps", "0"], "error: --steps must be a positive integer, got 0"),
        (["--data", "mnits"], "Did you mean 'mnist'?"),
    ],
)
def test_user_errors_are_messages_and_create_no_folder(
    tmp_path, monkeypatch, capsys, arguments, message
):
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["compare", "--out", str(out), *arguments])
    assert command_line.run(compare.main, Config) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_programs_are_compiled_without_a_cache(digits, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(compare, "disable_compilation_cache", lambda: calls.append(True))
    with pytest.raises(ValueError, match="seeds"):
        compare.main(config(digits, tmp_path, seeds=0))
    assert calls == [True]


def test_data_sets_of_the_same_name_are_refused(digits, tmp_path):
    with pytest.raises(ValueError, match="data must be sources with different names, got digits"):
        compare.main(dataclasses.replace(config(digits, tmp_path), data=(str(digits),) * 2))
