"""Keras's `image_data_format`."""

import json

import jax
import jax.numpy as jnp
import pytest

from jaxlayers import config, layers

MAKERS = [
    lambda **a: layers.Conv2D(2, 3, **a),
    lambda **a: layers.Conv2DTranspose(2, 3, **a),
    layers.MaxPooling2D,
    lambda **a: layers.AveragePooling2D(2, **a),
    layers.SumPooling2D,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
    layers.Flatten,
]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """An empty KERAS_HOME, and nothing set."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(config, "_configured", None)
    return tmp_path


def test_without_a_file_it_is_channels_last() -> None:
    assert config.image_data_format() == "channels_last"


@pytest.mark.parametrize("data_format", config.DATA_FORMATS)
def test_it_is_read_from_the_file_of_keras(home, data_format) -> None:
    (home / "keras.json").write_text(json.dumps({"image_data_format": data_format}))
    assert config.image_data_format() == data_format
    assert all(make().data_format == data_format for make in MAKERS)


def test_a_file_that_does_not_say_leaves_channels_last(home) -> None:
    (home / "keras.json").write_text('{"floatx": "float32"}')
    assert config.image_data_format() == "channels_last"


@pytest.mark.parametrize("text", ["{", "", "[1]", "\x00"])
def test_a_broken_file_warns_and_leaves_channels_last(home, text) -> None:
    (home / "keras.json").write_text(text)
    with pytest.warns(UserWarning, match="keras.json contains no JSON object"):
        assert config.image_data_format() == "channels_last"


def test_a_file_with_another_format_is_refused(home) -> None:
    (home / "keras.json").write_text('{"image_data_format": "NHWC"}')
    with pytest.raises(ValueError, match=r"keras.json: image_data_format .* got 'NHWC'"):
        layers.Flatten()


def test_without_keras_home_the_file_is_in_the_home_folder(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"image_data_format": "channels_first"}')
    assert config.image_data_format() == "channels_first"


def test_what_is_set_goes_before_the_file(home) -> None:
    (home / "keras.json").write_text('{"image_data_format": "channels_first"}')
    config.set_image_data_format("channels_last")
    assert config.image_data_format() == "channels_last"
    config.set_image_data_format("Channels_First")
    assert config.image_data_format() == "channels_first"


@pytest.mark.parametrize("data_format", ["NHWC", "", None, 3])
def test_nothing_else_can_be_set(data_format) -> None:
    with pytest.raises(ValueError, match="data_format must be one of"):
        config.set_image_data_format(data_format)
    assert config.image_data_format() == "channels_last"


@pytest.mark.parametrize("make", MAKERS)
def test_a_layer_keeps_the_format_it_was_constructed_under(make) -> None:
    before = make()
    config.set_image_data_format("channels_first")
    after = make()
    assert (before.data_format, after.data_format) == config.DATA_FORMATS
    assert before == make(data_format="channels_last")
    assert after == make(data_format="Channels_First")
    assert before != after


def test_setting_it_does_not_change_what_a_layer_computes() -> None:
    pool = layers.GlobalAveragePooling2D()
    apply = jax.jit(lambda layer, x: layer.apply({}, {}, x)[0], static_argnums=0)
    x = jnp.ones((1, 2, 3, 4))
    assert apply(pool, x).shape == (1, 4)
    config.set_image_data_format("channels_first")
    assert apply(pool, x).shape == (1, 4)
    assert apply(layers.GlobalAveragePooling2D(), x).shape == (1, 2)
