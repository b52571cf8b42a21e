import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.generators import load_generator
from jaxlayers import Sequential, layers
from tests.experiments import generators

LATENTS = jax.random.uniform(jax.random.key(1), (6, 5), minval=-1, maxval=1)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def test_a_generator_returns_images_from_0_to_1(folder):
    model = generators.unconditional()
    params, state = generators.save(folder, model)
    generator = load_generator(folder)
    assert (generator.latent_size, generator.image_shape) == (5, (4, 4, 1))
    assert generator.class_names == ()
    images = generator.images(LATENTS)
    assert (images.shape, images.dtype) == ((6, 4, 4, 1), np.float32)
    expected, _ = model.apply(params, state, LATENTS)
    np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-6)


def test_a_conditional_generator_has_the_classes_of_its_embedding(folder):
    model = generators.conditional(classes=3)
    params, state = generators.save(folder, model)
    generator = load_generator(folder)
    assert generator.class_names == ("0", "1", "2")
    labels = jnp.array([0, 1, 2, 0, 1, 2])
    expected, _ = model.apply(params, state, (LATENTS, labels))
    images = generator.images(LATENTS, labels)
    np.testing.assert_allclose(images, (expected + 1) / 2, rtol=1e-5, atol=1e-6)


def test_class_names_are_those_of_the_training_data(folder):
    generators.save(folder, generators.conditional(classes=2))
    description = json.loads((folder / "model.json").read_text())
    names = {"class_names": ["cat", "dog"]}
    (folder / "model.json").write_text(json.dumps(description | names))
    assert load_generator(folder).class_names == ("cat", "dog")
    (folder / "model.json").write_text(json.dumps(description | {"class_names": 3}))
    with pytest.raises(ValueError, match=r"class_names must be a list of the names .* got 3"):
        load_generator(folder)


@pytest.mark.parametrize(
    "model",
    [
        Sequential([layers.Dense(2)], input_shape=(5,)),
        Sequential([layers.Conv2D(3, 1)], input_shape=(4, 4, 3)),
    ],
)
def test_other_models_are_refused(folder, model):
    generators.save(folder, model)
    with pytest.raises(ValueError, match=r"must contain a generator, .* got a model that maps"):
        load_generator(folder)
    with pytest.raises(FileNotFoundError, match=r"nowhere: has no model\.json"):
        load_generator(folder / "nowhere")
