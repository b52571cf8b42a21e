"""MobileNetV2 compared with Keras's."""

import keras
import pytest

from jaxlayers import layers
from jaxlayers.models.mobilenet_v2 import mobilenet_v2
from tests.models.comparison import assert_same_layers, assert_same_outputs, keras_model


def test_the_number_of_params_is_that_of_keras() -> None:
    assert " Total params: 3,538,984 " in mobilenet_v2().summary()


def test_layers_without_the_top_equal_those_of_keras() -> None:
    arguments = {"input_shape": (96, 96, 1), "alpha": 1.4, "include_top": False, "pooling": "max"}
    expected = keras_model(keras.applications.MobileNetV2, weights=None, **arguments)
    assert_same_layers(mobilenet_v2(**arguments), expected)


def test_outputs_equal_keras() -> None:
    arguments = {"input_shape": (64, 33, 3), "classes": 7, "alpha": 0.35}
    expected = keras_model(keras.applications.MobileNetV2, weights=None, **arguments)
    model = mobilenet_v2(**arguments)
    assert_same_layers(model, expected)
    assert_same_outputs(model, expected)


@pytest.mark.slow
def test_outputs_equal_keras_at_full_size() -> None:
    expected = keras_model(keras.applications.MobileNetV2, weights=None)
    assert_same_outputs(mobilenet_v2(), expected)


def test_all_image_shapes_and_numbers_of_filters_are_accepted() -> None:
    for shape, alpha in [((1, 1, 1), 0.01), ((70, 31, 5), 2.5)]:
        assert mobilenet_v2(shape, 4, alpha=alpha).output_shape() == (4,)


def test_the_momentum_of_the_moving_statistics_is_an_argument() -> None:
    found = mobilenet_v2(momentum=0.5).layers
    assert {x.momentum for x in found if isinstance(x, layers.BatchNormalization)} == {0.5}


def test_models_do_not_depend_on_the_configured_data_format(monkeypatch) -> None:
    expected = mobilenet_v2()
    monkeypatch.setattr("jaxlayers.config._configured", "channels_first")
    assert mobilenet_v2() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (32, 32)}, r"input_shape must be \(height.*positive integers, got \(32"),
        ({"classes": True}, "classes must be a positive integer, got True"),
        ({"classes": 1}, "classes must be at least 2 with classifier_activation='softmax', got 1"),
        ({"alpha": 0}, "alpha must be a finite number above 0, got 0"),
        ({"alpha": "1"}, "alpha must be a finite number above 0, got '1'"),
        ({"pooling": "sum"}, "pooling must be one of 'avg', 'max' or None, got 'sum'"),
        ({"momentum": 1.5}, "momentum must be a number from 0 to 1, got 1.5"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=f"^mobilenet_v2: {message}"):
        mobilenet_v2(**arguments)
