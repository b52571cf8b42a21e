"""Runs of the presets of `experiments.dcgan`."""

import dataclasses
import signal
import subprocess
import time
from typing import get_args, get_type_hints

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import dcgan, sample
from experiments.dcgan import Config
from experiments.presets import PRESETS
from jaxlayers import train
from jaxlayers.runs import RunFolder
from tests.experiments import commands
from tests.experiments.conftest import TINY


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """The path of an .npz file of twelve 4 x 4 images of three classes."""
    path = tmp_path_factory.mktemp("labeled") / "images.npz"
    images = np.random.default_rng(0).integers(256, size=(12, 4, 4, 1), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(12) % 3)
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_presets_accept_images_of_their_size(name):
    preset = PRESETS[name]
    shape = (*(preset.size or (28, 28)), 1)
    classes = 10 if preset.conditional else None
    widths = preset.generator_width, preset.discriminator_width
    generator, discriminator = preset.models(shape, classes, *widths)
    latent = (generator.input_shape[0], ()) if classes else generator.input_shape
    assert generator.input_shape == latent and generator.output_shape() == shape
    assert discriminator.input_shape == ((shape, ()) if classes else shape)
    assert set(get_args(get_type_hints(Config)["preset"])) == set(PRESETS)


def test_a_conditional_run_has_samples_of_one_class_per_row(labeled, tmp_path, monkeypatch):
    preset = dataclasses.replace(PRESETS["conditional"], **TINY)
    monkeypatch.setitem(PRESETS, "conditional", preset)
    run = tmp_path / "run"
    assert dcgan.main(Config("conditional", data=str(labeled), out=run)) == 0
    assert RunFolder(run).model()["class_names"] == ["0", "1", "2"]
    with Image.open(run / "samples" / "step_0000002.png") as picture:
        scale = 600 // 62
        assert picture.size == (62 * scale, 20 * scale)
    assert sample.main(sample.Config(run, n=5, label="2", out=tmp_path / "twos.npy")) == 0
    assert np.load(tmp_path / "twos.npy").shape == (5, 4, 4, 1)


def test_scores_are_computed_during_training(labeled, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "small", dataclasses.replace(PRESETS["small"], **TINY))
    scored = []

    def fit(task, dataset, config, folder, *, resume, scores):
        scored.append((dataset, config.score_every, config.best, scores.names(task)))
        return train.FitResult(task.init(jax.random.key(0)))

    def classifier_features(dataset):
        return train_classifier_features(dataset, cache=tmp_path / "cache", steps=2)

    train_classifier_features = train.classifier_features
    monkeypatch.setattr(train, "fit", fit)
    monkeypatch.setattr(train, "classifier_features", classifier_features)
    best = "classifier_frechet_distance"
    config = Config(data=str(labeled), score_every=3, best=best, out=tmp_path / "run")
    assert dcgan.main(config) == 0
    ((dataset, every, named, names),) = scored
    assert (every, named) == (3, best) and best in names
    assert dataset.labels is not None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"preset": "conditional"}, "data: must have labels for the preset conditional, such as"),
        ({"score_every": 5}, "data: must have labels for scores, such as"),
        ({"preset": "conditional", "workers": 1}, "workers must be omitted for the preset"),
        ({"score_every": 5, "workers": 1}, "workers must be omitted for scores"),
    ],
)
def test_labels_are_required_by_conditional_models_and_scores(images, options, message):
    with pytest.raises(ValueError, match=message):
        dcgan.main(Config(data=str(images), **options))


# The widths, and a size with few layers.
SMALLEST = {
    "small": (),
    "conditional": (),
    "seed": (),
    "dcgan64": ("--size", 16, 16),
    "modern64": ("--size", 8, 8),
    "cifar32": ("--size", 8, 8),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_a_killed_run_is_resumed_bit_for_bit(tmp_path, labeled, name):
    widths = ("--generator-width", 8, "--discriminator-width", 2, "--batch-size", 4)
    options = ("--preset", name, "--data", labeled, *widths, *SMALLEST[name])
    every = ("--checkpoint-every", 3, "--log-every", 1)

    def command(out, *arguments):
        return commands.command("dcgan", "--out", out, *arguments)

    killed, uninterrupted = tmp_path / "killed", tmp_path / "uninterrupted"
    process = subprocess.Popen(
        command(killed, *options, *every, "--steps", 10**6),
        env=commands.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def checkpoints():
        return [int(p.name) for p in killed.glob("checkpoints/*") if p.name.isdigit()]

    deadline = time.monotonic() + 300
    while len(checkpoints()) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    steps = ("--steps", max(checkpoints()) + 8)
    for arguments in (
        command(killed, "--resume", *steps),
        command(uninterrupted, *options, *every, *steps),
    ):
        ended = subprocess.run(
            arguments, env=commands.environment(), capture_output=True, text=True, timeout=600
        )
        assert ended.returncode == 0, ended.stderr
    resumed, expected = (RunFolder(out).load_parameters() for out in (killed, uninterrupted))
    jax.tree.map(np.testing.assert_array_equal, resumed, expected)
    last, expected_last = (RunFolder(out).rows()[-1] for out in (killed, uninterrupted))
    assert last | {"seconds": 0} == expected_last | {"seconds": 0}
