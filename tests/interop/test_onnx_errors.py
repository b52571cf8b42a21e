"""What cannot be written to an ONNX file, and wrong arguments."""

import sys
from dataclasses import dataclass

import jax.numpy as jnp
import pytest

from jaxlayers import Functional, Input, Layer, Sequential, layers
from jaxlayers.interop import onnx
from jaxlayers.interop.onnx import saving
from jaxlayers.layers import Conv2D, Dense, Flatten
from tests.interop.test_stablehlo import random_weights


@dataclass(frozen=True)
class Double(Layer):
    def apply(self, params, state, x, *, training=False, key=None):
        return 2 * x, state


@dataclass(frozen=True)
class OwnDense(Dense):
    pass


def save(path, model, shape=None, **options) -> None:
    shape = model.input_shape if shape is None else shape
    onnx.save(path, model, *random_weights(model, shape), **options)


def test_one_error_lists_all_layers_that_cannot_be_written(tmp_path) -> None:
    image = Input((4, 4, 1))
    inner = Sequential([Double(), layers.ReLU(), OwnDense(3)], (4, 4, 2), name="inner")
    x = inner(Conv2D(2, 1, activation=jnp.sin)(image))
    model = Functional(image, Dense(2, activation=jnp.cos)(Flatten()(x)))
    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError) as error:
        save(path, model)
    title, *lines = str(error.value).splitlines()
    assert title == "save: these layers cannot be written to an ONNX file:"
    assert [line.strip().partition(":")[0] for line in lines] == [
        "conv2d (Conv2D)",
        "inner/double (Double)",
        "inner/own_dense (OwnDense)",
        "dense (Dense)",
    ]
    assert "activation must be one of Keras's names" in lines[0]
    assert "user-defined" in lines[1]
    assert not path.exists()
    with pytest.raises(ValueError, match=r"  the model \(Double\): a user-defined class"):
        save(path, Double(), (3,), input_shape=(3,))


def test_a_reason_is_part_of_the_error(tmp_path, monkeypatch) -> None:
    from jaxlayers.interop.onnx import converters

    monkeypatch.delitem(converters.CONVERTERS, layers.ReLU)
    monkeypatch.setitem(converters.UNSUPPORTED, layers.ReLU, "it is too simple")
    with pytest.raises(ValueError, match=r"re_lu \(ReLU\): it is too simple"):
        save(tmp_path / "model.onnx", Sequential([layers.ReLU()], (3,)))


def test_arrays_of_size_0_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r":\n  the model \(Sequential\): the input .* size 0$"):
        save(tmp_path / "model.onnx", Sequential([Dense(2)], (0, 3)))
    cropped = layers.Conv1DTranspose(2, 2, padding="same", output_padding=0)
    with pytest.raises(ValueError, match=r":\n  conv1d_transpose .*: the output .* size 0$"):
        save(tmp_path / "model.onnx", Sequential([cropped], (1, 2)))


def test_an_existing_file_is_unchanged_after_an_error(tmp_path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="double"):
        save(path, Sequential([Double()], (3,)))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"path": 3}, TypeError, "path must be a str or an os.PathLike, got 3"),
        ({"path": "missing/model.onnx"}, FileNotFoundError, "the folder missing does not exist"),
        ({"model": len}, TypeError, "model must be a jaxlayers.Layer, got <built-in"),
        ({"model": Dense(2)}, ValueError, "constructed without input_shape"),
        ({"params": None}, TypeError, "params must be a dictionary, as returned by init, got None"),
        ({"state": [1]}, TypeError, "state must be a dictionary, as returned by init, got "),
        ({"params": {}}, ValueError, r"params and state must be those that init returns.*\(3,\)"),
        ({"input_shape": 3}, ValueError, "input_shape must be a tuple of integers"),
        ({"input_shape": (4,)}, ValueError, "must be"),
        ({"dtype": "complex64"}, TypeError, "dtype must be a dtype of real numbers.*'complex64'"),
        ({"dtype": "tensor"}, TypeError, "dtype must be a dtype of real numbers.*'tensor'"),
    ],
)
def test_wrong_arguments_are_named(change, error, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = Sequential([Dense(2)], (3,))
    params, state = random_weights(model, (3,))
    arguments = {"path": "model.onnx", "model": model, "params": params, "state": state} | change
    with pytest.raises(error, match=message):
        onnx.save(**arguments)
    assert not list(tmp_path.iterdir())


def test_weights_above_the_limit_of_the_format_are_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(saving, "MAX_BYTES", 31)
    save(tmp_path / "model.onnx", Sequential([Dense(2, use_bias=False)], (3,)))
    with pytest.raises(ValueError, match=r"must take less than 31 bytes.*got 32"):
        save(tmp_path / "model.onnx", Sequential([Dense(2)], (3,)))


def test_without_the_package_onnx_the_error_names_the_extra(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "jaxlayers\[onnx\]"'):
        save(tmp_path / "model.onnx", Sequential([Dense(2)], (3,)))
    assert not list(tmp_path.iterdir())
