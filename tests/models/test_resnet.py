"""The residual networks compared with the same models in Keras."""

from typing import Any

import jax
import keras
import pytest

from jaxlayers import layers
from jaxlayers.models import resnet
from tests.models.comparison import assert_same_layers, assert_same_outputs, keras_model

both_models = pytest.mark.parametrize("make", [resnet.resnet18, resnet.resnet50])


def keras_resnet18(shape: Any, classes: int, width: int, small: bool = False) -> keras.Model:
    """The model as torchvision constructs it, with the names of Keras's ResNet50."""
    k = keras.layers

    def convolve(x: Any, filters: int, size: int, strides: int, name: str) -> Any:
        if size > 1 and strides > 1:
            x = k.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
        padding = "same" if size > 1 and strides == 1 else "valid"
        x = k.Conv2D(
            filters,
            size,
            strides,
            padding,
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )(x)
        return k.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)

    image = k.Input(shape)
    x = convolve(image, width, 3 if small else 7, 1 if small else 2, "conv1")
    x = k.Activation("relu", name="conv1_relu")(x)
    if not small:
        x = k.ZeroPadding2D(1, name="pool1_pad")(x)
        x = k.MaxPooling2D(3, 2, name="pool1_pool")(x)
    for stage in (2, 3, 4, 5):
        for block in (1, 2):
            name, filters = f"conv{stage}_block{block}", width * 2 ** (stage - 2)
            strides = 2 if stage > 2 and block == 1 else 1
            shortcut = convolve(x, filters, 1, 2, f"{name}_0") if strides == 2 else x
            x = convolve(x, filters, 3, strides, f"{name}_1")
            x = convolve(k.Activation("relu", name=f"{name}_1_relu")(x), filters, 3, 1, f"{name}_2")
            x = k.Add(name=f"{name}_add")([shortcut, x])
            x = k.Activation("relu", name=f"{name}_out")(x)
    x = k.GlobalAveragePooling2D(name="avg_pool")(x)
    y = k.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(image, y, name="resnet18")


def count(model: Any) -> int:
    params, _ = jax.eval_shape(model.init, jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("small", [False, True])
def test_resnet18_equals_the_same_model_in_keras(small) -> None:
    expected = keras_model(keras_resnet18, (33, 40, 3), 10, 8, small)
    stem = "cifar" if small else "imagenet"
    model = resnet.resnet18((33, 40, 3), 10, width=8, stem=stem)
    assert_same_layers(model, expected)
    if not small:
        assert_same_outputs(model, expected)


def test_resnet18_has_as_many_params_as_in_torchvision() -> None:
    assert count(resnet.resnet18()) == 11_689_512


def test_resnet50_has_the_layers_of_keras() -> None:
    model = resnet.resnet50()
    expected = keras_model(keras.applications.ResNet50, weights=None)
    assert_same_layers(model, expected)
    assert count(model) == 25_583_592


@pytest.mark.slow
def test_outputs_of_resnet50_equal_keras() -> None:
    arguments = {"input_shape": (64, 48, 3), "classes": 10, "classifier_activation": None}
    expected = keras_model(keras.applications.ResNet50, weights=None, **arguments)
    assert_same_outputs(resnet.resnet50(**arguments), expected)


@both_models
def test_all_image_shapes_and_class_counts_are_accepted(make) -> None:
    for shape, classes, stem in [((1, 1, 1), 2, "cifar"), ((500, 31, 5), 100, "imagenet")]:
        model = make(shape, classes, width=1, stem=stem)
        assert (model.input_shape, model.output_shape()) == (shape, (classes,))


@both_models
def test_features_are_returned_without_the_top(make) -> None:
    channels = {resnet.resnet18: 8, resnet.resnet50: 32}[make] * 2
    for pooling, expected in [(None, (2, 3, channels)), ("avg", (channels,)), ("max", (channels,))]:
        model = make((64, 96, 3), include_top=False, pooling=pooling, width=2)
        assert model.output_shape() == expected


@both_models
def test_the_stem_for_small_images_keeps_their_size(make) -> None:
    shapes = {
        stem: make((32, 32, 3), include_top=False, width=1, stem=stem).output_shape()[:2]
        for stem in ("imagenet", "cifar")
    }
    assert shapes == {"imagenet": (1, 1), "cifar": (4, 4)}


@both_models
def test_the_momentum_of_the_moving_statistics_is_an_argument(make) -> None:
    found = make(momentum=0.5).layers
    assert {x.momentum for x in found if isinstance(x, layers.BatchNormalization)} == {0.5}


@both_models
def test_models_do_not_depend_on_the_configured_data_format(make, monkeypatch) -> None:
    expected = make()
    monkeypatch.setattr("jaxlayers.config._configured", "channels_first")
    assert make() == expected


@both_models
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (32, 32)}, r"input_shape must be \(height.*positive integers, got \(32"),
        ({"input_shape": (32, 0, 3)}, "input_shape must be .* got .32, 0, 3"),
        ({"classes": 0}, "classes must be a positive integer, got 0"),
        ({"classes": 1}, "classes must be at least 2 with classifier_activation='softmax', got 1"),
        ({"classifier_activation": "sotfmax"}, "classifier_activation: .*sotfmax"),
        ({"include_top": "no"}, "include_top must be True or False, got 'no'"),
        ({"pooling": "average"}, "pooling must be one of 'avg', 'max' or None, got 'average'"),
        ({"width": 0}, "width must be a positive integer, got 0"),
        ({"stem": "small"}, "stem must be one of 'imagenet', 'cifar', got 'small'"),
        ({"momentum": 1.5}, "momentum must be a number from 0 to 1, got 1.5"),
    ],
)
def test_wrong_arguments_are_refused(make, arguments, message) -> None:
    with pytest.raises(ValueError, match=f"^{make.__name__}: {message}"):
        make(**arguments)
