"""The DCGAN compared with the same models in Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import layers
from jaxlayers.models import dcgan


def keras_generator() -> keras.Model:
    k = keras.layers
    model = keras.Sequential([k.Input((100,)), k.Dense(7 * 7 * 256)])
    model.add(k.BatchNormalization(momentum=0.9))
    model.add(k.Activation("relu"))
    model.add(k.Reshape((7, 7, 256)))
    model.add(k.Dropout(0.4))
    for filters, upsample in [(128, True), (64, True), (32, False)]:
        if upsample:
            model.add(k.UpSampling2D())
        model.add(k.Conv2DTranspose(filters, 5, padding="same"))
        model.add(k.BatchNormalization(momentum=0.9))
        model.add(k.Activation("relu"))
    model.add(k.Conv2DTranspose(1, 5, padding="same"))
    model.add(k.Activation("sigmoid"))
    return model


def keras_discriminator() -> keras.Model:
    k = keras.layers
    model = keras.Sequential([k.Input((28, 28, 1))])
    for filters, strides in [(64, 2), (128, 2), (256, 2), (512, 1)]:
        model.add(k.Conv2D(filters, 5, strides=strides, padding="same"))
        model.add(k.LeakyReLU(negative_slope=0.2))
        model.add(k.Dropout(0.4))
    model.add(k.Flatten())
    model.add(k.Dense(1))
    model.add(k.Activation("sigmoid"))
    return model


MODELS = [
    (dcgan.generator, keras_generator, "2,394,241"),
    (dcgan.discriminator, keras_discriminator, "4,311,553"),
]


@pytest.mark.parametrize(
    ("make", "make_keras", "count"), MODELS, ids=["generator", "discriminator"]
)
def test_layers_and_outputs_equal_those_of_the_keras_model(make, make_keras, count) -> None:
    keras.backend.clear_session()
    model, keras_model = make(), make_keras()
    assert f" Total params: {count} " in model.summary()
    assert f"{keras_model.count_params():,}" == count
    assert list(model.names) == [layer.name for layer in keras_model.layers]
    assert [(None, *shape) for shape in model.shapes()] == [
        x.output.shape for x in keras_model.layers
    ]
    params, state = model.init(jax.random.key(0))
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda a: jnp.asarray(rng.uniform(0.5, 1, a.shape), a.dtype), state)
    for (name, _), layer in zip(model.items(), keras_model.layers, strict=True):
        weights = params.get(name, {}) | state.get(name, {})
        keras_weights = {v.name: v for v in layer.weights}
        seeds = {name for name in keras_weights if name.startswith("seed_generator")}
        assert keras_weights.keys() - seeds == weights.keys()
        for weight, value in weights.items():
            keras_weights[weight].assign(value)
    x = jnp.asarray(rng.standard_normal((2, *model.input_shape)), jnp.float32)
    y, _ = jax.jit(model.apply)(params, state, x)
    # Twelve layers, with sums of up to 12,800 float32 products.
    np.testing.assert_allclose(y, jax.jit(keras_model)(x), rtol=1e-4, atol=1e-5)
    for (_, layer), keras_layer in zip(model.items(), keras_model.layers, strict=True):
        for argument in ("momentum", "epsilon", "rate", "negative_slope", "activation"):
            assert hasattr(layer, argument) == hasattr(keras_layer, argument)
            if argument != "activation" and hasattr(layer, argument):
                assert getattr(layer, argument) == getattr(keras_layer, argument)


@pytest.mark.parametrize("make", [dcgan.generator, dcgan.discriminator])
def test_logits_are_the_inputs_of_the_sigmoid_on_the_same_params(make) -> None:
    model = make(width=8)
    with_logits = make(width=8, logits=True)
    params, state = model.init(jax.random.key(0))
    assert jax.tree.structure(with_logits.init(jax.random.key(0))) == jax.tree.structure(
        (params, state)
    )
    x = jax.random.normal(jax.random.key(1), (2, *model.input_shape))
    logits, _ = jax.jit(with_logits.apply)(params, state, x)
    probability, _ = jax.jit(model.apply)(params, state, x)
    np.testing.assert_allclose(jax.nn.sigmoid(logits), probability, rtol=1e-5)
    assert with_logits == model.logits()


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (32, 24, 3), (4, 4, 2), (64, 64, 3)])
def test_the_generator_supports_image_sizes_that_are_multiples_of_4(image_shape) -> None:
    generator = dcgan.generator(image_shape, latent_size=7, width=16)
    assert generator.input_shape == (7,)
    assert generator.output_shape() == image_shape
    shapes = dict(zip(generator.names, generator.shapes(), strict=True))
    assert shapes["reshape"] == (image_shape[0] // 4, image_shape[1] // 4, 16)
    channels = [shapes[name][-1] for name in shapes if name.startswith("conv2d_transpose")]
    assert channels == [8, 4, 2, image_shape[2]]


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (31, 5, 3), (1, 1, 1)])
def test_the_discriminator_supports_all_image_sizes(image_shape) -> None:
    discriminator = dcgan.discriminator(image_shape, width=3)
    assert discriminator.output_shape() == (1,)
    filters = [x.filters for x in discriminator.layers if isinstance(x, layers.Conv2D)]
    assert filters == [3, 6, 12, 24]


@pytest.mark.parametrize("make", [dcgan.generator, dcgan.discriminator])
def test_the_dropout_rate_is_an_argument(make) -> None:
    rates = {x.rate for x in make(width=8, dropout=0.1).layers if isinstance(x, layers.Dropout)}
    assert rates == {0.1}


def test_models_do_not_depend_on_the_configured_data_format(monkeypatch) -> None:
    expected = dcgan.generator(), dcgan.discriminator()
    monkeypatch.setattr("jaxlayers.config._configured", "channels_first")
    assert (dcgan.generator(), dcgan.discriminator()) == expected


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        *(
            (make, {"image_shape": shape}, "image_shape must be .*positive")
            for make in (dcgan.generator, dcgan.discriminator)
            for shape in [(28, 28), (28, 28, 0), (28, 28, 1.0), 28, "28", (28, 28, True), None]
        ),
        *(
            (make, {"width": width}, f"{make.__name__}: width must be .* got {width!r}")
            for make in (dcgan.generator, dcgan.discriminator)
            for width in [0, -8, 8.0, "8", None, True]
        ),
        (dcgan.generator, {"width": 12}, "width must be a positive multiple of 8, got 12"),
        (dcgan.generator, {"image_shape": (30, 28, 1)}, "multiples of 4.*got .30, 28, 1"),
        (dcgan.generator, {"image_shape": (28, 30, 1)}, "multiples of 4.*got .28, 30, 1"),
        (dcgan.generator, {"latent_size": 0}, "generator: latent_size must be .* got 0"),
        (dcgan.generator, {"latent_size": 1.5}, "generator: latent_size must be .* got 1.5"),
        (dcgan.generator, {"dropout": 1.5}, "generator: dropout must be .* got 1.5"),
        (dcgan.discriminator, {"dropout": -1}, "discriminator: dropout must be .* got -1"),
    ],
)
def test_wrong_arguments_are_refused(make, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)
