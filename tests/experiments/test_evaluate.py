import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import evaluate
from experiments.evaluate import Config
from jaxlayers import Functional, Input, Sequential, data, layers, runs
from jaxlayers.data import sources
from jaxlayers.data.stacked import stacked_splits
from jaxlayers.interop import keras
from jaxlayers.metrics import Features, frechet_distance
from jaxlayers.models import dcgan
from jaxlayers.runs.scores import read_scores

SHAPE = (8, 8, 1)
RANDOM = np.random.default_rng(0)
LABELS = np.arange(60) % 2
IMAGES = RANDOM.integers(0, 80, (60, *SHAPE), np.uint8) + 150 * LABELS[:, None, None, None]
SAMPLES = RANDOM.random((30, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with real images, generated images, a model of features and two runs."""
    path = tmp_path_factory.mktemp("evaluate")
    np.savez(path / "real.npz", images=IMAGES.astype(np.uint8), labels=LABELS)
    np.save(path / "samples.npy", SAMPLES)
    features = Sequential([layers.Flatten(), layers.Dense(3)], input_shape=SHAPE)
    keras.save(path / "features.keras", features, *features.init(jax.random.key(0)))
    generator = dcgan.generator(image_shape=SHAPE, latent_size=5, width=8)
    save_run(path / "run", generator, path / "real.npz")
    save_run(path / "conditional", conditional_generator(), path / "real.npz")
    return path


def save_run(path, model, real):
    """Saves the run of a generator, as experiments.dcgan does."""
    params, state = model.init(jax.random.key(0))
    if "embedding" in params:  # bright images of class 1
        params["embedding"]["embeddings"] = jnp.array([[-2.0], [2.0]])
        params["dense"] = {"kernel": jnp.ones((6, 64)) * 2, "bias": jnp.zeros(64)}
        params["dense"]["kernel"] = params["dense"]["kernel"].at[:5].set(0.01)
    runs.save(path, model, params, state)
    folder = runs.RunFolder(path)
    folder.write_config({"data": str(real), "background": "white", "size": None, "steps": 20})
    folder.write_model(folder.model() | {"class_names": ["dark", "bright"]})
    folder.log(10, {"generator_loss": 0.5})
    folder.log(20, {"generator_loss": 0.25})


def conditional_generator():
    latents, label = Input((5,)), Input((), dtype="int32")
    x = layers.Concatenate()([latents, layers.Embedding(2, 1)(label)])
    x = layers.Reshape(SHAPE)(layers.Dense(64, activation="sigmoid")(x))
    return Functional((latents, label), x)


def score(path, **arguments):
    assert evaluate.main(Config(path, compilation_cache=False, **arguments)) == 0


def test_a_run_is_compared_with_its_own_data(files, capsys):
    score(files / "run", n=20)
    table = read_scores(files / "run" / "scores.json")
    assert (table.features, table.samples, table.step) == ("classifier", 20, 20)
    assert (table.real, table.validation) == (48, 12)
    assert table.validation_scores.pop("classifier_label_accuracy") == 1
    assert table.scores.keys() == table.validation_scores.keys()
    assert len(table.scores) == 10
    assert table.validation_class_fractions == {"0": 0.5, "1": 0.5}
    # Images of noise differ more from real images than other real images do.
    name = "classifier_frechet_distance"
    assert table.scores[name] > 2 * table.validation_scores[name]
    output = capsys.readouterr().out
    assert (
        f"{table.scores[name]:.4g}" in output and f"{table.validation_scores[name]:.4g}" in output
    )
    assert "20 samples" in output and "12 real images of real" in output
    assert "Scores of samples" in (files / "run" / "report.html").read_text()


def test_a_conditional_generator_is_scored_by_the_class_that_was_asked_for(files):
    score(files / "conditional", n=20, scores=("classes",))
    table = read_scores(files / "conditional" / "scores.json")
    assert table.scores["classifier_label_accuracy"] == 1
    assert table.class_fractions == {"0": 0.5, "1": 0.5}


def test_a_file_of_images_is_compared_with_given_data(files, tmp_path):
    out = tmp_path / "scores.json"
    features = files / "features.keras"
    score(
        files / "samples.npy",
        data=str(files / "real.npz"),
        features=str(features),
        scores=("frechet_distance",),
        json=out,
    )
    compute = keras.features(features)
    real = compute(IMAGES[np.arange(60) % 5 != 4].astype(np.uint8))
    fake = compute(np.rint(SAMPLES * 255).astype(np.uint8))
    assert json.loads(out.read_text())["scores"] == pytest.approx(
        {"features_frechet_distance": float(frechet_distance(real, fake))}, rel=1e-5
    )
    table = read_scores(out)
    assert (table.samples, table.real, table.validation, table.step) == (30, 48, 12, None)


def test_wrong_arguments_are_errors(files, tmp_path):
    with pytest.raises(ValueError, match="data must be the real images to compare with"):
        score(files / "samples.npy")
    with pytest.raises(FileNotFoundError, match="missing"):
        score(files / "missing")
    with pytest.raises(ValueError, match="n must be an integer of at least 6, got 5"):
        score(files / "run", n=5)
    real = dict(np.load(files / "real.npz"))
    np.save(tmp_path / "unlabeled.npy", real["images"])
    with pytest.raises(ValueError, match="'unlabeled' has no labels; use the features of another"):
        score(files / "run", data=str(tmp_path / "unlabeled.npy"))
    np.save(tmp_path / "large.npy", np.zeros((9, 9, 9, 1)))
    with pytest.raises(ValueError, match=r"classifier features: images must be \[N, 8, 8, 1\]"):
        score(tmp_path / "large.npy", data=str(files / "real.npz"))


def test_help_describes_every_option(capsys):
    from experiments.command_line import parse

    with pytest.raises(SystemExit):
        parse(Config, ["--help"])
    output = capsys.readouterr().out
    for field in dataclasses.fields(Config)[1:]:
        assert f"--{field.name.replace('_', '-')}" in output


def test_the_modes_of_stacked_images_are_counted(files, tmp_path, monkeypatch):
    single = data.load(files / "real.npz")
    splits = dict.fromkeys(("train", "test"), lambda: single)
    stack = functools.partial(stacked_splits, splits, train=90, test=80)
    monkeypatch.setitem(sources._NAMES, "stacked-mnist-5k", stack)
    # Red is bright, green is dark, blue is both in turn.
    generated = IMAGES[[1, 0] * 15][..., [0, 0, 0]]
    generated[..., 0], generated[..., 1] = IMAGES[1, ..., 0], IMAGES[0, ..., 0]
    np.save(tmp_path / "generated.npy", generated.astype(np.uint8))
    out = tmp_path / "scores.json"
    chosen = ("classes", "modes")
    score(tmp_path / "generated.npy", data="stacked-mnist-5k", json=out, scores=chosen)
    table = read_scores(out)
    assert table.scores["classifier_modes"] == 2
    assert table.scores["classifier_mode_divergence"] == pytest.approx(np.log(4))
    assert table.validation_scores["classifier_modes"] == 8
    # By default, they are counted in stacked images only.
    classifier = Features("classifier", lambda _, images: (images, images), size=2, classes=8)
    names = [evaluate._all_scores(classifier, x) for x in (data.stacked(single, n=2), single)]
    assert ("modes" in names[0], "modes" in names[1]) == (True, False)
    assert set(names[0]) - set(names[1]) == {"modes"} and set(chosen) < set(names[0])
