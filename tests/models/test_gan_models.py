"""The small DCGAN, the DCGAN for 64 x 64 pixels and the residual GAN."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import Functional, Input, layers
from jaxlayers.interop import keras as keras_files
from jaxlayers.models import conditioning, dcgan64, residual_gan, small_dcgan
from tests.parity.oracle import assert_close

CONDITIONAL = {"image_shape": (8, 4, 1), "classes": 3}
TINY = {
    "conditional_generator": small_dcgan.generator(
        **CONDITIONAL, latent_size=5, width=16, mapping_layers=2
    ),
    "conditional_discriminator": small_dcgan.discriminator(**CONDITIONAL, width=1),
    "small_generator": small_dcgan.generator((8, 4, 1), latent_size=5, width=16, mapping_layers=2),
    "small_discriminator": small_dcgan.discriminator((8, 8, 1), width=4),
    "dcgan64_generator": dcgan64.generator((32, 16, 3), latent_size=5, width=16),
    "dcgan64_discriminator": dcgan64.discriminator((32, 16, 3), width=2),
    "residual_generator": residual_gan.generator((8, 8, 3), latent_size=5, width=2),
    "residual_discriminator": residual_gan.discriminator((8, 8, 3), width=2),
}


def weights_of(model, seed=0):
    """Returns random params and state without compiling the initializers."""
    rng = np.random.default_rng(seed)

    def weight(path, leaf):
        values = rng.uniform(0.2, 0.8, leaf.shape)
        if path[-1].key in ("kernel", "embeddings"):
            fan_in = np.prod(leaf.shape[:-1]) if path[-1].key == "kernel" else 1
            values = rng.standard_normal(leaf.shape) * np.sqrt(2 / fan_in)
        return jnp.asarray(values, leaf.dtype)

    return jax.tree_util.tree_map_with_path(weight, jax.eval_shape(model.init, jax.random.key(0)))


def inputs_of(model, labels=(0, 2, 1, 2)):
    rng = np.random.default_rng(1)
    shape = model.input_shape
    is_conditional = isinstance(shape[0], tuple)
    x = rng.standard_normal((len(labels), *(shape[0] if is_conditional else shape)))
    x = jnp.asarray(x, jnp.float32)
    return (x, jnp.asarray(labels)) if is_conditional else x


@pytest.mark.parametrize("name", TINY)
def test_keras_computes_the_same_from_a_saved_model(tmp_path, name) -> None:
    model = TINY[name]
    params, state = weights_of(model)
    keras_files.save(tmp_path / "model.keras", model, params, state)
    keras_model = keras.models.load_model(tmp_path / "model.keras")
    x = inputs_of(model)
    y, _ = model.apply(params, state, x)
    assert np.std(y) > 0.02  # not saturated
    assert_close(y, keras_model(list(x) if isinstance(x, tuple) else x), "float32", "output")


def test_conditional_batch_normalization_has_a_scale_and_an_offset_per_class() -> None:
    image, label = Input((2, 3, 4)), Input((), dtype="int32")
    y = conditioning.conditional_batch_normalization(image, label, 3, "bn")
    model = Functional([image, label], y)
    params, state = weights_of(model)
    rng = np.random.default_rng(2)
    x, labels = rng.standard_normal((5, 2, 3, 4)).astype(np.float32), np.array([2, 0, 1, 1, 2])
    y, _ = model.apply(params, state, (jnp.asarray(x), jnp.asarray(labels)), training=True)
    normalized = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3)
    gamma, beta = (np.asarray(params[f"bn_{name}"]["embeddings"]) for name in ("gamma", "beta"))
    expected = normalized * gamma[labels, None, None] + beta[labels, None, None]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_the_projection_is_the_inner_product_of_features_and_embedding() -> None:
    model = TINY["conditional_discriminator"]
    params, state = weights_of(model)
    images, labels = inputs_of(model)
    logits, _ = model.apply(params, state, (images, labels))
    features = model.submodel("features")
    x, _ = features.apply(params, state, (images, labels))
    dense = params["dense"]
    expected = x @ dense["kernel"] + dense["bias"]
    expected += (x * params["label_embedding"]["embeddings"][labels]).sum(-1, keepdims=True)
    np.testing.assert_allclose(logits, expected, rtol=1e-4)


def test_initial_samples_of_a_conditional_generator_do_not_depend_on_the_label() -> None:
    model = TINY["conditional_generator"]
    params, state = model.init(jax.random.key(0))
    latents = jnp.tile(inputs_of(model)[0][:1], (3, 1))
    images, _ = model.apply(params, state, (latents, jnp.arange(3)))
    np.testing.assert_array_equal(images[0], images[2])
    changed, _ = weights_of(model)
    images, _ = model.apply(changed, state, (latents, jnp.arange(3)))
    assert jnp.abs(images[0] - images[2]).max() > 1e-3


@pytest.mark.parametrize("count", [0, 3])
def test_the_mapping_network_has_the_given_number_of_layers(count) -> None:
    model = small_dcgan.generator((8, 4, 1), latent_size=5, width=16, mapping_layers=count)
    dense = [layer.units for layer in model.layers if isinstance(layer, layers.Dense)]
    assert dense == [256] * count + [2 * 1 * 16]


def test_dcgan64_has_the_feature_maps_of_the_paper() -> None:
    generator, discriminator = dcgan64.generator(), dcgan64.discriminator()
    shapes = [shape for shape in dict.fromkeys(generator.shapes()) if len(shape) == 3]
    assert shapes == [(4, 4, 1024), (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]
    shapes = [shape for shape in dict.fromkeys(discriminator.shapes()) if len(shape) == 3]
    assert shapes == [(32, 32, 128), (16, 16, 256), (8, 8, 512), (4, 4, 1024)]
    # There is no normalization of the images, neither as an output nor as an input.
    assert not generator.names[-2].startswith("batch")
    assert discriminator.names[:3] == ("conv2d", "leaky_re_lu", "conv2d_1")


def test_kernels_of_dcgan64_are_initialized_with_a_deviation_of_0_02() -> None:
    model = dcgan64.discriminator((16, 16, 3), width=8)
    params, _ = model.init(jax.random.key(0))
    kernels = [np.ravel(layer["kernel"]) for layer in params.values() if "kernel" in layer]
    # The relative error of a deviation of n values is about (2 n) ** -0.5; here n is 68,000.
    np.testing.assert_allclose(np.std(np.concatenate(kernels)), 0.02, rtol=0.015)


@pytest.mark.parametrize(
    "size, filters",
    [(4, {4: 3}), (32, {32: 3, 16: 6, 8: 12, 4: 24}), (128, {128: 3, 32: 12, 8: 24, 4: 24})],
)
def test_residual_models_have_one_block_for_each_size(size, filters) -> None:
    for make in (residual_gan.generator, residual_gan.discriminator):
        model = make((size, size, 1), width=3)
        shapes = dict(zip(model.names, (shape for _, shape in model.layer_shapes()), strict=True))
        blocks = {name: shapes[name] for name in shapes if name.endswith("_add")}
        assert len(blocks) == (size // 4).bit_length()
        for extent, channels in filters.items():
            assert blocks[f"block{extent}_add"] == (extent, extent, channels)


def test_residual_blocks_are_the_identity_at_first() -> None:
    model = TINY["residual_discriminator"]
    params, state = model.init(jax.random.key(0))
    x = inputs_of(model)
    before, after = (model.submodel(name).apply(params, state, x)[0] for name in ("first", "down4"))
    np.testing.assert_allclose(after, layers.AveragePooling2D(2).apply({}, {}, before)[0])


@pytest.mark.parametrize("name", ["dcgan64_discriminator", "residual_discriminator"])
def test_the_logit_of_an_image_depends_on_other_images_only_by_batch_normalization(name) -> None:
    model = TINY[name]
    params, state = weights_of(model)
    x = inputs_of(model)
    together, alone = (model.apply(params, state, x, training=True)[0] for x in (x, x[:2]))
    normalized = any(isinstance(layer, layers.BatchNormalization) for _, layer in model.items())
    assert np.allclose(together[:2], alone, rtol=1e-4) != normalized


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (small_dcgan.generator, {"classes": 0}, "generator: classes must be .* got 0"),
        (small_dcgan.generator, {"image_shape": (30, 28, 1)}, "multiples of 4.*got .30, 28"),
        (small_dcgan.generator, {"width": 10}, "multiple of 4, got 10"),
        (small_dcgan.generator, {"latent_size": 0}, "latent_size must be .* got 0"),
        (small_dcgan.generator, {"mapping_layers": -1}, "mapping_layers must be .* got -1"),
        (small_dcgan.discriminator, {"classes": 2.5}, "discriminator: classes must be"),
        (small_dcgan.discriminator, {"width": 0}, "discriminator: width must be .* got 0"),
        (dcgan64.generator, {"image_shape": (64, 40, 3)}, "multiples of 16, got .64, 40, 3"),
        (dcgan64.generator, {"width": 12}, "multiple of 8, got 12"),
        (dcgan64.discriminator, {"image_shape": (28, 28, 1)}, "multiples of 16, got .28, 28, 1"),
        (dcgan64.discriminator, {"width": -1}, "width must be .* got -1"),
        (residual_gan.generator, {"image_shape": (24, 24, 3)}, "power of 2 .*, got .24, 24, 3"),
        (residual_gan.generator, {"image_shape": (32, 64, 3)}, "equal height and width.*got .32"),
        (residual_gan.generator, {"image_shape": (2, 2, 3)}, "got .2, 2, 3"),
        (residual_gan.generator, {"latent_size": 0}, "generator: latent_size must be"),
        (residual_gan.discriminator, {"width": 1.5}, "discriminator: width must be .* got 1.5"),
    ],
)
def test_wrong_arguments_are_refused(make, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)
