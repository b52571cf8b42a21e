"""The U-Net compared with the same model in Keras."""

from typing import Any

import jax
import keras
import pytest

from jaxlayers import layers
from jaxlayers.models.unet import unet
from tests.models.comparison import assert_same_layers, assert_same_outputs, keras_model


def keras_unet(shape: Any, classes: int, filters: int, depth: int) -> keras.Model:
    k = keras.layers

    def convolve(x: Any, filters: int, name: str) -> Any:
        for number in (1, 2):
            x = k.Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"{name}_conv{number}",
            )(x)
        return x

    image = k.Input(shape)
    x, skipped = image, {}
    for level in range(1, depth + 1):
        skipped[level] = convolve(x, filters * 2 ** (level - 1), f"down{level}")
        x = k.MaxPooling2D(name=f"down{level}_pool")(skipped[level])
    x = k.Dropout(0.5, name="bottom_dropout")(convolve(x, filters * 2**depth, "bottom"))
    for level in range(depth, 0, -1):
        x = k.Conv2DTranspose(
            filters * 2 ** (level - 1),
            2,
            2,
            kernel_initializer="he_normal",
            name=f"up{level}_upsample",
        )(x)
        x = k.Concatenate(name=f"up{level}_concatenate")([skipped[level], x])
        x = convolve(x, filters * 2 ** (level - 1), f"up{level}")
    y = k.Conv2D(classes, 1, activation="softmax", name="predictions")(x)
    return keras.Model(image, y, name="unet")


def test_the_model_equals_the_same_model_in_keras() -> None:
    model = unet((16, 8, 1), 3, filters=4, depth=2)
    expected = keras_model(keras_unet, (16, 8, 1), 3, 4, 2)
    assert_same_layers(model, expected)
    assert_same_outputs(model, expected)


def test_the_number_of_params_is_that_of_the_paper() -> None:
    # Convolutions of 3 x 3 from 1, 64, ..., 1024, ..., 64 channels, of 2 x 2 and of 1 x 1.
    down = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    expected = sum(9 * a * b + b + 9 * b * b + b for a, b in down)
    expected += sum(4 * b * a + a + 9 * b * a + a + 9 * a * a + a for a, b in down[1:])
    expected += 64 * 2 + 2
    params, _ = jax.eval_shape(unet((512, 512, 1)).init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == expected


def test_the_output_has_the_size_of_the_images() -> None:
    for shape, depth in [((6, 10, 2), 1), ((64, 32, 3), 5)]:
        model = unet(shape, 1, depth=depth, filters=1, classifier_activation="sigmoid")
        assert model.output_shape() == (*shape[:2], 1)


def test_the_rate_of_the_dropout_is_an_argument() -> None:
    rates = [x.rate for x in unet(dropout=0.25).layers if isinstance(x, layers.Dropout)]
    assert rates == [0.25]


def test_models_do_not_depend_on_the_configured_data_format(monkeypatch) -> None:
    expected = unet()
    monkeypatch.setattr("jaxlayers.config._configured", "channels_first")
    assert unet() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (32, 32)}, r"input_shape must be \(height.*positive integers, got \(32"),
        ({"input_shape": (100, 96, 3)}, r"input_shape must .* of 16, because depth=4 .*\(100, 96"),
        ({"input_shape": (96, 20, 3), "depth": 3}, r"input_shape must .* of 8, .* got \(96, 20"),
        ({"classes": 0}, "classes must be a positive integer, got 0"),
        ({"classes": 1}, "classes must be at least 2 with classifier_activation='softmax', got 1"),
        ({"filters": 0.5}, "filters must be a positive integer, got 0.5"),
        ({"depth": 0}, "depth must be a positive integer, got 0"),
        ({"dropout": 1.5}, "dropout must be a number from 0 to 1, got 1.5"),
        ({"classifier_activation": "sotfmax"}, "classifier_activation: .*sotfmax"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=f"^unet: {message}"):
        unet(**arguments)
