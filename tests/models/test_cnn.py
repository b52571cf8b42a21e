"""The classifiers compared with the same models in Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import layers
from jaxlayers.models import cnn

both_models = pytest.mark.parametrize("make", [cnn.lenet, cnn.vgg])


def keras_lenet() -> keras.Model:
    k = keras.layers
    model = keras.Sequential([k.Input((28, 28, 1))])
    for filters in (32, 64):
        model.add(k.Conv2D(filters, 5, padding="same"))
        model.add(k.ReLU())
        model.add(k.MaxPooling2D(2))
    model.add(k.Flatten())
    model.add(k.Dense(128, activation="relu"))
    model.add(k.Dropout(0.5))
    model.add(k.Dense(10, activation="softmax"))
    return model


def keras_vgg() -> keras.Model:
    k = keras.layers
    model = keras.Sequential([k.Input((28, 28, 1))])
    for filters in (32, 64, 128):
        if filters > 32:
            model.add(k.MaxPooling2D(2))
        for _ in range(2):
            model.add(k.Conv2D(filters, 3, padding="same", use_bias=False))
            model.add(k.BatchNormalization(momentum=0.9))
            model.add(k.ReLU())
    model.add(k.GlobalAveragePooling2D())
    model.add(k.Dropout(0))
    model.add(k.Dense(10, activation="softmax"))
    return model


@pytest.mark.parametrize(
    ("make", "make_keras"), [(cnn.lenet, keras_lenet), (cnn.vgg, keras_vgg)], ids=["lenet", "vgg"]
)
def test_layers_and_outputs_equal_those_of_the_keras_model(make, make_keras) -> None:
    keras.backend.clear_session()
    model, keras_model = make(), make_keras()
    assert f" Total params: {keras_model.count_params():,} " in model.summary()
    assert list(model.names) == [layer.name for layer in keras_model.layers]
    assert [(None, *shape) for shape in model.shapes()] == [
        x.output.shape for x in keras_model.layers
    ]
    params, state = model.init(jax.random.key(0))
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda a: jnp.asarray(rng.uniform(0.5, 1, a.shape), a.dtype), state)
    for (name, layer), keras_layer in zip(model.items(), keras_model.layers, strict=True):
        weights = params.get(name, {}) | state.get(name, {})
        keras_weights = {v.name: v for v in keras_layer.weights if "seed" not in v.name}
        assert keras_weights.keys() == weights.keys()
        for weight, value in weights.items():
            keras_weights[weight].assign(value)
        for argument in ("momentum", "epsilon", "rate"):
            if hasattr(layer, argument):
                assert getattr(layer, argument) == getattr(keras_layer, argument)
    x = jnp.asarray(rng.uniform(size=(2, 28, 28, 1)), jnp.float32)
    y, _ = jax.jit(model.apply)(params, state, x)
    # Six layers, with sums of up to 3,136 float32 products.
    np.testing.assert_allclose(y, jax.jit(keras_model)(x), rtol=1e-4, atol=1e-6)


@both_models
@pytest.mark.parametrize(
    ("image_shape", "classes"), [((4, 4, 1), 2), ((32, 32, 3), 100), ((9, 30, 2), 4)]
)
def test_outputs_are_probabilities_for_all_image_shapes_and_class_counts(
    make, image_shape, classes
) -> None:
    model = make(image_shape, classes, width=2)
    assert model.input_shape == image_shape
    params, state = model.init(jax.random.key(0))
    x = jax.random.uniform(jax.random.key(1), (3, *image_shape))
    y, _ = jax.jit(model.apply)(params, state, x)
    assert y.shape == (3, *model.output_shape()) == (3, classes)
    assert (np.asarray(y) >= 0).all()
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-5)


@both_models
def test_logits_are_the_inputs_of_the_softmax_on_the_same_params(make) -> None:
    model = make((8, 8, 1), 3, width=2)
    params, state = model.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, 8, 8, 1))
    logits, _ = jax.jit(model.logits().apply)(params, state, x)
    probabilities, _ = jax.jit(model.apply)(params, state, x)
    np.testing.assert_allclose(jax.nn.softmax(logits), probabilities, rtol=1e-5)


def test_the_second_convolution_of_lenet_has_twice_the_filters() -> None:
    model = cnn.lenet(width=3, hidden=5, dropout=0.1)
    assert [x.filters for x in model.layers if isinstance(x, layers.Conv2D)] == [3, 6]
    assert [x.units for x in model.layers if isinstance(x, layers.Dense)] == [5, 10]
    assert [x.rate for x in model.layers if isinstance(x, layers.Dropout)] == [0.1]


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_each_stage_of_vgg_doubles_the_filters_and_halves_the_size(stages) -> None:
    model = cnn.vgg((16, 24, 1), width=3, stages=stages, dropout=0.2)
    filters = [x.filters for x in model.layers if isinstance(x, layers.Conv2D)]
    assert filters == [3 * 2**stage for stage in range(stages) for _ in range(2)]
    shapes = dict(zip(model.names, model.shapes(), strict=True))
    last = [shape for shape in shapes.values() if len(shape) == 3][-1]
    assert last == (16 // 2 ** (stages - 1), 24 // 2 ** (stages - 1), filters[-1])
    assert [x.rate for x in model.layers if isinstance(x, layers.Dropout)] == [0.2]


@both_models
def test_models_are_named_after_their_functions(make) -> None:
    assert make().name == make.__name__
    assert make() == make((28, 28, 1), 10)


@both_models
def test_models_do_not_depend_on_the_configured_data_format(make, monkeypatch) -> None:
    expected = make()
    monkeypatch.setattr("jaxlayers.config._configured", "channels_first")
    assert make() == expected


@pytest.mark.parametrize(
    ("make", "arguments", "least"),
    [
        (cnn.lenet, {"image_shape": (3, 28, 1)}, 4),
        (cnn.lenet, {"image_shape": (28, 3, 1)}, 4),
        (cnn.vgg, {"image_shape": (3, 3, 1)}, 4),
        (cnn.vgg, {"image_shape": (7, 8, 1), "stages": 4}, 8),
    ],
)
def test_images_that_are_too_small_for_the_pooling_are_refused(make, arguments, least) -> None:
    message = (
        f"{make.__name__}: image_shape must be at least {least} x {least}.*{least.bit_length() - 1}"
    )
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_vgg_with_one_stage_accepts_a_single_pixel() -> None:
    assert cnn.vgg((1, 1, 1), stages=1).output_shape() == (10,)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        *(
            (make, {"image_shape": shape}, "image_shape must be .*positive")
            for make in (cnn.lenet, cnn.vgg)
            for shape in [(28, 28), (28, 0, 1), (28, 28, 1.0), 28, "28", None]
        ),
        *(
            (make, {name: value}, f"{make.__name__}: {name} must be .* got {value!r}")
            for make, name in [
                (cnn.lenet, "width"),
                (cnn.lenet, "hidden"),
                (cnn.lenet, "classes"),
                (cnn.vgg, "width"),
                (cnn.vgg, "stages"),
                (cnn.vgg, "classes"),
            ]
            for value in [0, -8, 8.0, "8", None, True]
        ),
        (cnn.lenet, {"classes": 1}, "lenet: classes must be .* at least 2, got 1"),
        (cnn.vgg, {"classes": 1}, "vgg: classes must be .* at least 2, got 1"),
        (cnn.lenet, {"dropout": 1.5}, "lenet: dropout must be .* got 1.5"),
        (cnn.vgg, {"dropout": -1}, "vgg: dropout must be .* got -1"),
    ],
)
def test_wrong_arguments_are_refused(make, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)
