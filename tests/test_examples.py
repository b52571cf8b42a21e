"""The programs in examples/ run, with few steps, and are short."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxlayers import Sequential, layers
from jaxlayers.interop import keras as keras_files

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


def run(name, *arguments):
    """Calls `main` of an example with the arguments of the command line."""
    path = next(path for path in EXAMPLES if path.stem == name)
    return runpy.run_path(str(path))["main"]([str(argument) for argument in arguments])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_below_60_lines_and_state_their_command(path):
    text = path.read_text()
    assert len(text.splitlines()) < 60
    assert f"\npython examples/{path.name}" in text


@pytest.mark.parametrize("name", ["own_layer", "own_loop"])
def test_a_classifier_of_digits_learns(name):
    assert run(name, "--steps", 30) > 0.5  # of ten classes


def test_a_dcgan_is_trained_on_a_folder_of_images_and_resumed(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    random = np.random.default_rng(0)
    for number in range(8):
        image = random.integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(image).save(photos / f"{number}.png")
    out = tmp_path / "samples.png"
    options = ["--size", 8, "--width", 8, "--batch-size", 4, "--steps", 1]
    for _ in range(2):  # the second run continues from the last step of the first
        run("dcgan_on_folder", photos, *options, "--run", tmp_path / "run", "--out", out)
    with Image.open(out) as picture:
        assert picture.size == (64, 64) and picture.mode == "RGB"


def test_a_keras_file_becomes_a_stablehlo_file(tmp_path, capsys):
    model = Sequential([layers.Dense(4, activation="relu"), layers.Dense(2)], input_shape=(3,))
    params = {
        "dense": {"kernel": np.ones((3, 4), np.float32), "bias": np.zeros(4, np.float32)},
        "dense_1": {"kernel": np.ones((4, 2), np.float32), "bias": np.zeros(2, np.float32)},
    }
    keras_files.save(tmp_path / "model.keras", model, params, {})
    target = tmp_path / "model.bin"
    assert run("keras_to_stablehlo", tmp_path / "model.keras", target) < 1e-6
    assert f"{target.stat().st_size:,} bytes for cpu, cuda, tpu" in capsys.readouterr().out
