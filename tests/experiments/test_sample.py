import json
import sys

import jax
import jax.numpy as jnp
import keras as keras_itself
import numpy as np
import optax
import pytest
from PIL import Image

from experiments import command_line, sample
from experiments.sample import Config
from jaxlayers import Sequential, data, layers, runs, train
from jaxlayers.interop import keras
from jaxlayers.interop.keras.__main__ import convert
from jaxlayers.models import dcgan
from jaxlayers.runs import RunFolder, latents
from tests.experiments import commands, generators

ARGUMENTS = {"image_shape": (4, 4, 3), "latent_size": 5, "width": 8}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, and its generator."""
    path = tmp_path_factory.mktemp("run")
    generator = dcgan.generator(**ARGUMENTS)
    params, state = generator.init(jax.random.key(0))
    runs.save(path, generator, params, state)
    return path, (generator, params, state)


def draw(run, path, **arguments):
    assert sample.main(Config(run[0], out=path, **arguments)) == 0
    return np.load(path)


def test_the_command_requires_only_the_folder(run, tmp_path):
    process = commands.run("sample", run[0], "--n", 5, "--out", tmp_path / "samples.npy")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == f"5 samples written to {tmp_path / 'samples.npy'}\n"
    images = np.load(tmp_path / "samples.npy")
    assert (images.shape, images.dtype) == ((5, 4, 4, 3), np.float32)
    assert 0 <= images.min() < images.max() <= 1


def test_samples_are_outputs_for_uniform_latents(run, tmp_path):
    generator, params, state = run[1]
    latents = jax.random.uniform(jax.random.key(3), (6, 5), minval=-1.0, maxval=1.0)
    expected, _ = generator.apply(params, state, latents)
    samples = draw(run, tmp_path / "samples.npy", n=6, seed=3)
    np.testing.assert_allclose(samples, expected, rtol=1e-5, atol=1e-6)


def test_samples_depend_only_on_the_seed(run, tmp_path):
    first, repeated, other = (draw(run, tmp_path / "s.npy", n=4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, repeated)
    assert np.abs(first - other).max() > 1e-4


def test_samples_of_several_batches_are_different(run, tmp_path):
    many = draw(run, tmp_path / "many.npy", n=300)
    assert many.shape == (300, 4, 4, 3)
    assert len(np.unique(many.reshape(300, -1), axis=0)) == 300
    # The first samples do not depend on the number of samples.
    few = draw(run, tmp_path / "few.npy", n=4)
    np.testing.assert_allclose(many[:4], few, rtol=1e-5, atol=1e-6)


def test_a_png_shows_samples_in_a_grid(run, tmp_path):
    images = draw(run, tmp_path / "samples.npy", n=4)
    sample.main(Config(run[0], n=4, out=tmp_path / "samples.png"))
    with Image.open(tmp_path / "samples.png") as picture:
        pixels = np.asarray(picture)
    scale = 600 // 14
    assert pixels.shape == (14 * scale, 14 * scale, 3)
    np.testing.assert_array_equal(pixels[::scale, ::scale][2:6, 8:12], np.round(images[1] * 255))


def test_latent_vectors_can_be_truncated(run, tmp_path):
    generator, params, state = run[1]
    vectors = 0.3 * latents.uniform(jax.random.key(0), 4, 5)
    expected, _ = generator.apply(params, state, vectors)
    samples = draw(run, tmp_path / "samples.npy", n=4, truncation=0.3)
    np.testing.assert_allclose(samples, expected, rtol=1e-5, atol=1e-6)


def test_each_row_of_an_interpolation_goes_from_one_image_to_another(run, tmp_path):
    samples = draw(run, tmp_path / "samples.npy", n=8, interpolate="spherical")
    ends = latents.uniform(jax.random.key(0), 6, 5)
    middle = latents.spherical(ends[::2], ends[1::2], 0.5)
    vectors = np.stack([ends[::2], middle, ends[1::2]], 1).reshape(9, 5)
    generator, params, state = run[1]
    expected, _ = generator.apply(params, state, vectors)
    # The last of three rows is not complete.
    np.testing.assert_allclose(samples, expected[:8], rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory):
    """The folder of a run with three classes, and its generator."""
    path = tmp_path_factory.mktemp("conditional")
    generator = generators.conditional()
    params, state = generator.init(jax.random.key(0))
    runs.save(path, generator, params, state)
    description = json.loads((path / "model.json").read_text())
    description |= {"class_names": ["cat", "dog", "1"]}
    (path / "model.json").write_text(json.dumps(description))
    return path, (generator, params, state)


@pytest.mark.parametrize("label, number", [("dog", 1), ("0", 0), ("1", 2)])
def test_samples_of_one_class_can_be_requested(conditional_run, tmp_path, label, number):
    generator, params, state = conditional_run[1]
    vectors = latents.uniform(jax.random.key(0), 4, 5)
    expected, _ = generator.apply(params, state, (vectors, jnp.full(4, number)))
    samples = draw(conditional_run, tmp_path / "samples.npy", n=4, label=label)
    np.testing.assert_allclose(samples, (expected + 1) / 2, rtol=1e-5, atol=1e-6)


def test_by_default_each_row_shows_ten_samples_of_a_class(conditional_run, tmp_path):
    generator, params, state = conditional_run[1]
    samples = draw(conditional_run, tmp_path / "samples.npy")
    inputs = latents.uniform(jax.random.key(0), 30, 5), jnp.repeat(jnp.arange(3), 10)
    expected, _ = generator.apply(params, state, inputs)
    np.testing.assert_allclose(samples, (expected + 1) / 2, rtol=1e-5, atol=1e-6)
    sample.main(Config(conditional_run[0], out=tmp_path / "samples.png"))
    with Image.open(tmp_path / "samples.png") as picture:
        scale = 600 // 62
        assert picture.size == (62 * scale, 20 * scale)


def test_the_class_is_the_same_along_an_interpolation(conditional_run, tmp_path):
    generator, params, state = conditional_run[1]
    samples = draw(conditional_run, tmp_path / "samples.npy", n=4, interpolate="linear")
    start, end = latents.uniform(jax.random.key(0), 4, 5)[2:]
    # The second row begins with the third of four samples, which is of the second of three classes.
    expected, _ = generator.apply(params, state, (jnp.stack([start, end]), jnp.full(2, 1)))
    np.testing.assert_allclose(samples[2:], (expected + 1) / 2, rtol=1e-5, atol=1e-6)


@pytest.fixture
def error_of(monkeypatch, capsys):
    """Returns a function that runs the command in this process and returns its error message."""

    def error_of(*arguments):
        monkeypatch.setattr(sys, "argv", ["sample", *map(str, arguments)])
        assert command_line.run(sample.main, Config) == 1
        output, error = capsys.readouterr()
        assert error.startswith("error: ") and not output
        return error

    return error_of


def test_user_errors_are_messages(run, tmp_path, error_of):
    assert "n must be a positive integer, got 0" in error_of(run[0], "--n", 0)
    assert "out must end in .png or .npy, got a.jpg" in error_of(run[0], "--out", "a.jpg")
    assert "No such file or directory" in error_of(run[0], "--out", tmp_path / "no" / "a.png")
    assert "nowhere: has no model.json" in error_of(tmp_path / "nowhere")
    assert "seed must be" in error_of(run[0], "--seed", 2**70)
    assert "truncation must be a number from 0 to 1" in error_of(run[0], "--truncation", 2)
    assert "label must be omitted" in error_of(run[0], "--label", "7")
    assert "n must be at least 2" in error_of(run[0], "--n", 1, "--interpolate", "linear")


@pytest.mark.parametrize("label", ["bird", "3", "-1"])
def test_unknown_classes_are_refused(conditional_run, error_of, label):
    message = "label must be the name of a class, cat, dog, 1, or its number from 0 to 2, got"
    assert f"{message} {label}" in error_of(conditional_run[0], f"--label={label}")


def test_a_run_that_has_not_ended_is_refused(run, tmp_path, error_of):
    (tmp_path / "model.json").write_bytes((run[0] / "model.json").read_bytes())
    assert "has no parameters.npz; use the folder of a finished run" in error_of(tmp_path)


def keras_generator(*last):
    return Sequential(
        [layers.Dense(48), layers.Reshape((4, 4, 3)), *last], input_shape=(5,), name="generator"
    )


@pytest.mark.parametrize(
    "last, to_unit",
    [
        ([layers.Activation("sigmoid")], lambda y: y),
        ([layers.Conv2D(1, 1, activation="tanh")], lambda y: (y + 1) / 2),
    ],
)
def test_samples_of_a_converted_keras_file_are_scaled_to_0_to_1(tmp_path, last, to_unit):
    generator = keras_generator(*last)
    params, state = generator.init(jax.random.key(0))
    keras.save(tmp_path / "generator.keras", generator, params, state)
    convert(tmp_path / "generator.keras", tmp_path / "run")
    images = draw((tmp_path / "run",), tmp_path / "samples.npy", n=6, seed=3)
    latents = jax.random.uniform(jax.random.key(3), (6, 5), minval=-1.0, maxval=1.0)
    expected = to_unit(generator.apply(params, state, latents)[0])
    np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-6)


def test_keras_computes_the_same_samples_from_a_saved_generator(tmp_path, images):
    models = {"image_shape": (4, 4, 1), "width": 8}
    task = train.GAN(
        dcgan.generator(latent_size=5, **models),
        dcgan.discriminator((4, 4, 1), width=1, logits=True),
        optax.adam(1e-3),
        optax.adam(1e-3),
    )
    folder = RunFolder(tmp_path / "run")
    train.fit(task, data.load(images), train.FitConfig(steps=2, batch_size=4), folder)
    samples = draw((folder.path,), tmp_path / "samples.npy", n=6, seed=3)

    keras.save(tmp_path / "generator.keras", *runs.load(folder.path))
    keras_model = keras_itself.models.load_model(tmp_path / "generator.keras")
    latents = jax.random.uniform(jax.random.key(3), (6, 5), minval=-1.0, maxval=1.0)
    np.testing.assert_allclose(samples, keras_model(latents, training=False), rtol=1e-5, atol=1e-5)


def test_models_that_are_not_generators_are_refused(tmp_path, error_of):
    for name, model in {
        "vectors": Sequential([layers.Dense(2)], input_shape=(5,)),
        "images": Sequential([layers.Conv2D(3, 1)], input_shape=(4, 4, 3)),
        "channels": keras_generator(layers.Conv2D(2, 1)),
    }.items():
        keras.save(tmp_path / f"{name}.keras", model, *model.init(jax.random.key(0)))
        convert(tmp_path / f"{name}.keras", tmp_path / name)
    assert "must contain a generator" in error_of(tmp_path / "vectors")
    assert "maps (4, 4, 3) to (4, 4, 3)" in error_of(tmp_path / "images")
    assert "use --out FILE.npy" in error_of(tmp_path / "channels", "--out", tmp_path / "a.png")


@pytest.mark.parametrize(
    "content, message",
    [
        ({"models": {"generator": {"class_name": "os.system"}}}, "os.system"),
        ({"layers": []}, "model.json"),
    ],
)
def test_an_invalid_model_json_is_refused(run, tmp_path, error_of, content, message):
    (tmp_path / "model.json").write_text(json.dumps(content))
    assert message in error_of(tmp_path)
