"""Errors name the function, the argument, the value received and the values allowed."""

import jax
import jax.numpy as jnp
import pytest

import jaxlayers
from jaxlayers import Sequential, layers
from jaxlayers.interop import keras, safetensors

MODEL = Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)], (5, 5, 1))
WITHOUT_SHAPE = Sequential([layers.Dense(2)], name="scores")
PARAMS, STATE = MODEL.init(jax.random.key(0))
WRONG_SHAPE = jax.tree.map(lambda array: array[..., :1], PARAMS)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("a text")
    keras.save("model.keras", MODEL, PARAMS, STATE)


def save(path="out.keras", model=MODEL, params=PARAMS, state=STATE, **options):
    keras.save(path, model, params, state, **options)


def export(path="out.bin", model=MODEL, params=PARAMS, state=STATE, **options):
    jaxlayers.export(model, params, state, path, **options)


CASES = {
    "load 3": (lambda: keras.load(3), TypeError, "load: path must be a str or an os.PathLike, g"),
    "load none": (
        lambda: keras.load("nosuch.keras"),
        FileNotFoundError,
        "nosuch.keras: there is no such file; path of load must be a .keras or .h5 file",
    ),
    "load folder": (
        lambda: keras.load("."),
        IsADirectoryError,
        ".: is a folder; path of load must be a .keras or .h5 file",
    ),
    "load text": (
        lambda: keras.load("text"),
        ValueError,
        "text is neither an HDF5 file nor a zip archive; Keras saves to .keras and .h5 files",
    ),
    "load_weights folder": (
        lambda: keras.load_weights(".", MODEL),
        IsADirectoryError,
        ".: is a folder; path of load_weights must be a .keras or .h5 file",
    ),
    "load_weights model": (
        lambda: keras.load_weights("model.keras", 3),
        TypeError,
        "load_weights: model must be a Sequential or a Functional, got 3 (int)",
    ),
    "load_weights other model": (
        lambda: keras.load_weights("model.keras", WITHOUT_SHAPE, input_shape=(4,)),
        ValueError,
        "model.keras contains other weights than the model; layers and shapes must match:",
    ),
    "load_weights input_shape": (
        lambda: keras.load_weights("model.keras", WITHOUT_SHAPE),
        ValueError,
        "load_weights: model 'scores' was constructed without input_shape: input_shape must be "
        "the shape of one example, a tuple of integers, got None",
    ),
    "load_weights input_shape 3": (
        lambda: keras.load_weights("model.keras", WITHOUT_SHAPE, input_shape=3),
        ValueError,
        "load_weights: input_shape must be the shape of one example, a tuple of integers that are "
        "not negative, or None for any size, got 3",
    ),
    "to_config input_shape": (
        lambda: keras.to_config(WITHOUT_SHAPE, input_shape=(-1,)),
        ValueError,
        "to_config: input_shape must be the shape of one example, a tuple of integers that are "
        "not negative, or None for any size, got (-1,)",
    ),
    "from_config 3": (
        lambda: keras.from_config(3),
        ValueError,
        "from_config: config contains no config of a model or a layer, which is a dictionary with "
        "class_name and config, got 3",
    ),
    "from_config text": (
        lambda: keras.from_config("{}"),
        ValueError,
        "a dictionary with class_name and config, got '{}'; apply json.loads to it",
    ),
    "from_config empty": (lambda: keras.from_config({}), ValueError, "contains no class_name: "),
    "from_config no config": (
        lambda: keras.from_config({"class_name": "Dense"}),
        ValueError,
        "layer_0 (Dense): has no config",
    ),
    "from_config class": (
        lambda: keras.from_config({"class_name": "LSTM", "config": {}}),
        ValueError,
        "contains a model of class 'LSTM'; only Sequential and Functional models of Keras and",
    ),
    "save path": (
        lambda: save("out.h5"),
        ValueError,
        "save: path must end in .keras, which Keras requires, got out.h5",
    ),
    "save folder": (
        lambda: save("no/out.keras"),
        FileNotFoundError,
        "no/out.keras: the folder no does not exist",
    ),
    "save model": (
        lambda: save(model=layers.Dense(2)),
        TypeError,
        "save: model must be a Sequential or a Functional, got Dense(units=2) (Dense)",
    ),
    "save params": (
        lambda: save(params={}),
        ValueError,
        "save: params and state must be those that init returns for the model:\n"
        "  conv2d/kernel: missing, the model has shape (3, 3, 1, 2)",
    ),
    "save params None": (
        lambda: save(params=None),
        TypeError,
        "save: params must be a dictionary, as returned by init, got None (NoneType)",
    ),
    "save state None": (lambda: save(state=None), TypeError, "save: state must be a dictionary"),
    "save shapes": (
        lambda: save(params=WRONG_SHAPE),
        ValueError,
        "conv2d/kernel: shape (3, 3, 1, 1), the model has (3, 3, 1, 2)",
    ),
    "save class": (
        lambda: save(model=Sequential([layers.SumPooling2D()], (4, 4, 1)), params={}),
        ValueError,
        "save: model 'sequential' cannot be represented in Keras:\n  sum_pooling2d (SumPooling2D): "
        "Keras has no layer of this class, only ELU, Activation",
    ),
    "save function": (
        lambda: save(model=Sequential([layers.Activation(lambda x: x)], (4,)), params={}),
        ValueError,
        "activation (Activation): activation: must be one of Keras's names or functions, got <func",
    ),
    "save input_shape text": (
        lambda: save(model=WITHOUT_SHAPE, input_shape="4"),
        ValueError,
        "save: input_shape must be the shape of one example",
    ),
    "save input_shape": (
        lambda: save(model=WITHOUT_SHAPE),
        ValueError,
        "save: the model was constructed without input_shape: input_shape must be the shape",
    ),
    "safetensors path": (
        lambda: safetensors.save("out", MODEL, PARAMS, STATE),
        ValueError,
        "save: path must end in .safetensors, got out",
    ),
    "export dtype": (
        lambda: export(dtype="floaty"),
        TypeError,
        "export: dtype must be the dtype of the inputs, such as jnp.float32 or 'uint8', got "
        "'floaty'",
    ),
    "export vjp_order": (
        lambda: export(vjp_order=-1),
        ValueError,
        "export: vjp_order must be a non-negative integer, got -1",
    ),
    "export vjp_order float": (
        lambda: export(vjp_order=1.5),
        ValueError,
        "export: vjp_order must be a non-negative integer, got 1.5",
    ),
    "export params": (
        lambda: export(params={}),
        ValueError,
        "export: params and state must be those that init returns for the model with "
        "input_shape=(5, 5, 1)",
    ),
    "export params None": (
        lambda: export(params=None),
        TypeError,
        "export: params must be a dictionary, as returned by init, got None (NoneType)",
    ),
    "export state": (lambda: export(state=[]), TypeError, "export: state must be a dictionary"),
    "export model": (
        lambda: export(model=3),
        TypeError,
        "export: model must be a jaxlayers.Layer, got 3 (int)",
    ),
    "export folder": (
        lambda: export("no/out.bin"),
        FileNotFoundError,
        "no/out.bin: the folder no does not exist",
    ),
    "export is folder": (lambda: export("."), IsADirectoryError, ".: is a folder, not a file"),
    "export path": (lambda: export(None), TypeError, "export: path must be a str or an os.Path"),
    "export input_shape": (
        lambda: export(model=WITHOUT_SHAPE),
        ValueError,
        "was constructed without input_shape: input_shape must be the shape of one example, a "
        "tuple of integers, got None",
    ),
    "load_exported none": (
        lambda: jaxlayers.load_exported("nosuch"),
        ValueError,
        "nosuch: cannot be read (No such file or directory); path of load_exported must be a file "
        "written by jaxlayers.export",
    ),
    "load_exported text": (
        lambda: jaxlayers.load_exported("text"),
        ValueError,
        "text: is not a complete file; path of load_exported must be a file written by "
        "jaxlayers.export",
    ),
    "load_exported path": (
        lambda: jaxlayers.load_exported(jnp.ones(2)),
        TypeError,
        "load_exported: path must be a str or an os.PathLike",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_wrong_arguments_are_refused_before_files_are_written(
    call, error, message, tmp_path
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(error) as error_info:
        call()
    assert message in str(error_info.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
