"""Keras's `image_data_format`."""

import functools
import inspect
import json
import re

import jax
import jax.numpy as jnp
import pytest

from jaxlayers import config, layers

REQUIRED = {
    "AdaptiveAveragePooling": (2,),
    "AdaptiveMaxPooling": (2,),
    "AveragePooling": (2,),
    "Conv": (2, 3),
    "DepthwiseConv": (3,),
    "SeparableConv": (2, 3),
    "SpatialDropout": (0.5,),
}
CONSTRUCTORS = [
    functools.partial(cls, *REQUIRED.get(re.split(r"\dD", name)[0], ()))
    for name in layers.__all__
    if "data_format" in inspect.signature(cls := getattr(layers, name)).parameters
]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """An empty KERAS_HOME, without a configured data format."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(config, "_configured", None)
    return tmp_path


def test_the_default_is_channels_last() -> None:
    assert config.image_data_format() == "channels_last"


@pytest.mark.parametrize("data_format", config.DATA_FORMATS)
def test_the_data_format_is_read_from_the_file_of_keras(home, data_format) -> None:
    (home / "keras.json").write_text(json.dumps({"image_data_format": data_format}))
    assert config.image_data_format() == data_format
    assert all(make().data_format == data_format for make in CONSTRUCTORS)


def test_a_file_without_a_data_format_means_channels_last(home) -> None:
    (home / "keras.json").write_text('{"floatx": "float32"}')
    assert config.image_data_format() == "channels_last"


@pytest.mark.parametrize("text", ["{", "", "[1]", "\x00"])
def test_an_invalid_file_warns_and_means_channels_last(home, text) -> None:
    (home / "keras.json").write_text(text)
    with pytest.warns(UserWarning, match="keras.json contains no JSON object"):
        assert config.image_data_format() == "channels_last"


def test_a_file_with_an_unknown_data_format_is_refused(home) -> None:
    (home / "keras.json").write_text('{"image_data_format": "NHWC"}')
    with pytest.raises(ValueError, match=r"keras.json: image_data_format .* got 'NHWC'"):
        layers.Flatten()


def test_the_default_location_of_the_file_is_the_home_folder(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"image_data_format": "channels_first"}')
    assert config.image_data_format() == "channels_first"


def test_set_image_data_format_takes_precedence_over_the_file(home) -> None:
    (home / "keras.json").write_text('{"image_data_format": "channels_first"}')
    config.set_image_data_format("channels_last")
    assert config.image_data_format() == "channels_last"
    config.set_image_data_format("Channels_First")
    assert config.image_data_format() == "channels_first"


@pytest.mark.parametrize("data_format", ["NHWC", "", None, 3])
def test_unknown_data_formats_are_refused(data_format) -> None:
    with pytest.raises(ValueError, match="data_format must be one of"):
        config.set_image_data_format(data_format)
    assert config.image_data_format() == "channels_last"


@pytest.mark.parametrize("make", CONSTRUCTORS)
def test_layers_keep_the_data_format_of_their_construction(make) -> None:
    before = make()
    config.set_image_data_format("channels_first")
    after = make()
    assert (before.data_format, after.data_format) == config.DATA_FORMATS
    assert before == make(data_format="channels_last")
    assert after == make(data_format="Channels_First")
    assert before != after


def test_set_image_data_format_does_not_change_existing_layers() -> None:
    pool = layers.GlobalAveragePooling2D()
    apply = jax.jit(lambda layer, x: layer.apply({}, {}, x)[0], static_argnums=0)
    x = jnp.ones((1, 2, 3, 4))
    assert apply(pool, x).shape == (1, 4)
    config.set_image_data_format("channels_first")
    assert apply(pool, x).shape == (1, 4)
    assert apply(layers.GlobalAveragePooling2D(), x).shape == (1, 2)
