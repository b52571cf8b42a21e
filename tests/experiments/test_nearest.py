import json
import re

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import nearest
from experiments.generators import load_generator
from jaxlayers.runs import latents
from tests.experiments import generators


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    generators.save(path, generators.conditional())
    return path


@pytest.fixture
def training(tmp_path):
    """The path of an .npy file of 40 random images."""
    images = np.random.default_rng(0).integers(256, size=(40, 4, 4, 3), dtype=np.uint8)
    np.save(tmp_path / "training.npy", images)
    return str(tmp_path / "training.npy")


def test_copies_of_training_images_are_found(folder, training, capsys):
    generator = load_generator(folder)
    vectors = latents.uniform(jax.random.key(0), 12, 5)
    copies = np.rint(generator.images(vectors, generator.labels(12)) * 255).astype(np.uint8)
    np.save(training, np.concatenate([np.load(training), copies]))
    assert nearest.main(nearest.Config(folder, training, n=12, shown=2, k=3)) == 0
    output = capsys.readouterr().out
    assert "probability that a sample is nearer than a training image: 1.000" in output
    sample, row = re.search(r"of sample (\d+) to training image (\d+)", output).groups()
    assert int(row) == 40 + int(sample)
    assert output.endswith("2 samples and their neighbors written to nearest.png\n")
    with Image.open("nearest.png") as picture:
        pixels = np.asarray(picture)
    scale = 600 // 76  # two columns of 4 images of 4 pixels, and the gaps
    np.testing.assert_array_equal(pixels[::scale, ::scale][2:6, 14:18], np.load(training)[int(row)])


def test_the_training_images_are_those_of_the_run_by_default(folder, training, capsys):
    config = json.loads((folder / "config.json").read_text())
    saved = {"data": training, "background": "white", "color_mode": None}
    (folder / "config.json").write_text(json.dumps(config | saved))
    assert nearest.main(nearest.Config(folder, n=4, shown=3, k=1)) == 0
    assert "distance of a sample" in capsys.readouterr().out
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"does not contain the data of the run; pass --data"):
        nearest.main(nearest.Config(folder))


def test_features_of_a_classifier_are_compared(folder, tmp_path, monkeypatch, capsys):
    labels = np.arange(6) % 2
    images = np.random.default_rng(0).integers(256, size=(6, 4, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "labeled.npz", images=images, labels=labels)
    arguments = []

    def features_of(dataset):
        arguments.append(dataset)
        return lambda images: np.zeros((len(images), 2))

    monkeypatch.setattr(nearest.train, "classifier_features", features_of)
    config = nearest.Config(folder, str(tmp_path / "labeled.npz"), "classifier", n=3)
    assert nearest.main(config) == 0
    np.testing.assert_array_equal(arguments[0].labels, labels)
    assert "smallest distance: 0, of sample 0 to training image 0" in capsys.readouterr().out


def test_wrong_arguments_are_refused(folder, training, images):
    with pytest.raises(ValueError, match=r"shape \(4, 4, 3\), as those of the generator, got"):
        nearest.main(nearest.Config(folder, str(images)))
    for name in ("n", "shown", "k"):
        with pytest.raises(ValueError, match=f"{name} must be a positive integer, got 0"):
            nearest.main(nearest.Config(folder, training, **{name: 0}))
    with pytest.raises(ValueError, match="k must be at most 40"):
        nearest.main(nearest.Config(folder, training, k=41))
    with pytest.raises(ValueError, match=r"out must end in \.png, got a\.jpg"):
        nearest.main(nearest.Config(folder, training, out=nearest.Path("a.jpg")))
