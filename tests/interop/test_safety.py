"""Keras files are untrusted input."""

import io
import json
import os
import pickle
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import h5py
import jax
import keras
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.interop.keras import from_config, load, load_weights, save, to_config
from tests.interop.test_keras2 import layer

MODEL = Sequential(
    [
        layers.Conv2D(3, 3, padding="same"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(4),
    ],
    input_shape=(6, 6, 2),
)
KERNEL = "layers/conv2d/vars/0"


@pytest.fixture
def keras_file(tmp_path):
    """The path of an intact file."""
    save(tmp_path / "intact.keras", MODEL, *MODEL.init(jax.random.key(0)))
    return tmp_path / "intact.keras"


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, changed=(), compression=zipfile.ZIP_STORED, **extra):
    """Rewrites the archive with some of its members changed."""
    content = members(path) | dict(changed) | extra
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def with_weights(path, change, **options):
    """Changes the weights file with h5py."""
    content = io.BytesIO(members(path)["model.weights.h5"])
    with h5py.File(content, "a", **options) as file:
        change(file)
    return rewrite(path, {"model.weights.h5": content.getvalue()})


def with_config(path, change):
    config = json.loads(members(path)["config.json"])
    return rewrite(path, {"config.json": json.dumps(change(config) or config)})


def error_of(call, *arguments):
    with pytest.raises(ValueError) as error_info:
        call(*arguments)
    return str(error_info.value)


def sequential(*entries):
    return {"class_name": "Sequential", "config": {"name": "model", "layers": list(entries)}}


class CreatesFileWhenUnpickled:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_is_never_run(keras_file, tmp_path):
    pickled = pickle.dumps(CreatesFileWhenUnpickled(tmp_path / "ran"))
    assert "is neither an HDF5 file" in error_of(
        load, rewrite(keras_file, {"model.weights.h5": pickled})
    )
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": None}}
    entry = layer("Lambda", "trick", function=code)
    message = error_of(load, with_config(keras_file, lambda config: sequential(entry)))
    assert "trick (Lambda): contains code, which is never executed" in message
    assert "config that is not JSON" in error_of(
        load, rewrite(keras_file, {"config.json": pickled})
    )
    assert not (tmp_path / "ran").exists()


def test_a_lambda_as_an_activation_is_refused(tmp_path):
    keras_model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2, activation=lambda x: x * 2, name="doubled"),
            keras.layers.Dense(2, activation=keras.layers.ReLU(), name="rectified"),
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns about lambdas
        keras_model.save(tmp_path / "lambda.keras")
    message = error_of(load, tmp_path / "lambda.keras")
    assert (
        "doubled (Dense): activation: contains code (a lambda or a Lambda layer), which" in message
    )
    assert (
        "rectified (Dense): activation: must be the name of one of Keras's activations" in message
    )


def test_one_error_lists_everything_that_is_not_supported():
    message = error_of(
        from_config,
        sequential(
            layer("LSTM", "memory", units=3),
            layer("Dense", "moves\x1b[2J", units=3),
            {**layer("Dense", "mine", units=3), "module": "my_layers",
             "registered_name": "my_layers>Dense"},
            layer("Dense", "normed", units=3, kernel_regularizer={
                "class_name": "CustomDense", "config": {}, "module": "mine"}),
            layer("Conv2D", "empty", filters=0, kernel_size=3),
            layer("Conv2D", "lora", filters=1, kernel_size=3, lora_rank=4, other=True),
            layer("Dense", "half", units=3, dtype={
                "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}),
            layer("Sequential", "inner", layers=[layer("Masking", "masked", mask_value=0)]),
        ),
    )  # fmt: skip
    for part in (
        "memory (LSTM): not supported, only ELU, Activation",
        r"moves\x1b[2J (Dense): the name has characters that cannot be printed",
        "mine (Dense): a user-defined class of 'my_layers'",
        "normed (Dense): kernel_regularizer: CustomDense of 'mine' is not one of Keras's",
        "empty (Conv2D): filters must be a positive integer, got 0",
        "lora (Conv2D): lora_rank=4 is not supported",
        "lora (Conv2D): other=True is not supported",
        "half (Dense): dtype policy 'mixed_float16' is not supported",
        "inner/masked (Masking): not supported",
    ):
        assert part in message


WRAPPED = {"class_name": "Dense", "config": {"units": 2}}


@pytest.mark.parametrize(
    "wrapped, expected",
    [
        (None, "wrapper/layer (layer): has no config"),
        ({"class_name": "Dense"}, "wrapper/layer (Dense): has no config"),
        ({"class_name": "LSTM", "config": {}}, "wrapper/layer (LSTM): not supported"),
        ({**WRAPPED, "module": "mine"}, "wrapper/layer (Dense): a user-defined class of 'mine'"),
        ({"class_name": "Dense", "config": {}}, "wrapper/layer (Dense): units is missing"),
        (
            {"class_name": "SpectralNormalization", "config": {"layer": WRAPPED}},
            "wrapper/layer (SpectralNormalization): must not wrap a layer itself",
        ),
        ({"class_name": "Sequential", "config": {"layers": [WRAPPED]}}, "(Sequential): not supp"),
    ],
)
def test_unsupported_layers_inside_others_are_refused(wrapped, expected):
    config = sequential(layer("SpectralNormalization", "wrapper", layer=wrapped))
    assert expected in error_of(from_config, config)


def test_models_of_user_defined_classes_are_refused():
    message = error_of(from_config, {"class_name": "MyModel", "config": {}, "module": "mine"})
    assert "only Sequential and Functional models of Keras and single layers" in message
    assert "contains no config of a model" in error_of(from_config, 3)


def test_one_error_lists_all_weights_that_do_not_match(keras_file):
    def change(file):
        del file["layers/dense/vars/1"]
        del file[KERNEL]
        file[KERNEL] = np.zeros((3, 3, 2, 4), "float32")
        del file["layers/conv2d/vars/1"]
        file["layers/conv2d/vars/1"] = np.zeros(3, "float64")
        del file["layers/batch_normalization/vars/0"]
        file["layers/batch_normalization/vars/0"] = np.zeros(3, "int32")
        file["layers/dense_1/vars/0"] = np.zeros(2, "float32")

    message = error_of(load, with_weights(keras_file, change))
    for part in (
        "dense/bias: missing, there is no /layers/dense/vars/1",
        "conv2d/kernel: shape (3, 3, 2, 4), the model has (3, 3, 2, 3)",
        "conv2d/bias: float64, the model has float32",
        "batch_normalization/gamma: int32, the model has float32",
        "/layers/dense_1/vars/0: shape (2,); the model has no such weight",
    ):
        assert part in message


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda f: f.__setitem__(KERNEL, h5py.SoftLink("/layers")), "a soft link"),
        (lambda f: f.__setitem__(KERNEL, h5py.ExternalLink("/etc/passwd", "/")), "has links"),
        (
            lambda f: f.create_dataset(
                KERNEL, (3, 3, 2, 3), "f4", external=[("/etc/passwd", 0, 216)]
            ),
            "in other files",
        ),
        (
            lambda f: f.create_virtual_dataset(KERNEL, h5py.VirtualLayout((3, 3, 2, 3), "f4")),
            "chunked",
        ),
        (
            lambda f: f.create_dataset(KERNEL, (3, 3, 2, 3), "f4", compression="gzip"),
            "compressed",
        ),
        (lambda f: f.create_dataset(KERNEL, (3, 3, 2, 3), "f4", chunks=True), "chunked"),
        (lambda f: f.create_dataset(KERNEL, (3, 3, 2, 3), "f4"), "damaged"),  # never written
        (lambda f: f.create_dataset(KERNEL, (3, 3, 2, 3), h5py.string_dtype()), "type"),
        (lambda f: f.create_dataset(KERNEL, data=np.zeros((3, 3, 2, 3), ">f4")), "type"),
        (lambda f: f.__setitem__(KERNEL, f["layers"]), "occurs twice"),
    ],
)  # fmt: skip
def test_hdf5_features_that_keras_does_not_use_are_refused(keras_file, change, expected):
    def replace(file):
        del file[KERNEL]
        change(file)

    message = error_of(load, with_weights(keras_file, replace))
    assert expected in message and str(keras_file) in message


def test_the_error_for_the_latest_hdf5_format_has_advice(tmp_path):
    with h5py.File(tmp_path / "new.weights.h5", "w", libver="latest") as file:
        file["layers/dense/vars/0"] = np.zeros(3)
    assert "libver='earliest'" in error_of(load_weights, tmp_path / "new.weights.h5", MODEL)


def peak_memory(call):
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_large_sizes_are_refused_before_memory_is_allocated(keras_file, tmp_path):
    load(keras_file)  # fills JAX's caches, which are not measured

    # A model of 400 GB whose weights are declared in the file.
    def huge(file):
        del file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", (10**6, 10**5), "f4")
        del file["layers/dense/vars/1"]
        file.create_dataset("layers/dense/vars/1", (10**5,), "f4")

    entries = [
        layer("InputLayer", "input", batch_shape=[None, 10**6]),
        layer("Dense", "dense", units=10**5, kernel_initializer="orthogonal"),
    ]
    path = with_config(with_weights(keras_file, huge), lambda config: sequential(*entries))
    assert path.stat().st_size < 20_000
    assert peak_memory(lambda: error_of(load, path)) < 2**23

    # Zeros are compressed to a thousandth of their size.
    zip_bomb = tmp_path / "zip_bomb.keras"
    with zipfile.ZipFile(zip_bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(sequential(*entries)))
        archive.writestr("model.weights.h5", bytes(2**26))
    messages = []
    assert peak_memory(lambda: messages.append(error_of(load, zip_bomb))) < 2**23
    assert "a declared size of 67,108,864 bytes; at most 16,777,216 are read" in messages[0]

    # A member that is larger than declared is detected while it is read.
    data = bytearray(zip_bomb.read_bytes())
    for position in range(len(data) - 4):
        if data[position : position + 4] == (2**26).to_bytes(4, "little"):
            data[position : position + 4] = (1000).to_bytes(4, "little")
    zip_bomb.write_bytes(data)
    assert peak_memory(lambda: error_of(load, zip_bomb)) < 2**23 + 2 * 2**24


@pytest.mark.parametrize(
    "name", ["../../evil.py", "/etc/evil", "a/../../b", "..\\..\\evil", "C/../../../d"]
)
def test_paths_outside_of_the_archive_are_refused(keras_file, name, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert "a path outside the archive" in error_of(load, rewrite(keras_file, {name: b"x"}))
    assert sorted(tmp_path.rglob("*")) == before


def test_other_and_missing_files_are_refused(keras_file, tmp_path):
    for content, expected in {
        b"": "is neither an HDF5 file",
        b"PK\x03\x04 and no more": "is not a zip archive, or is damaged",
        b"something else": "is neither an HDF5 file",
    }.items():
        (tmp_path / "other.keras").write_bytes(content)
        message = error_of(load, tmp_path / "other.keras")
        assert message.startswith(f"{tmp_path / 'other.keras'} ") and expected in message
    for name, expected in {"config.json": "no config.json", "model.weights.h5": "no model"}.items():
        remaining = {key: value for key, value in members(keras_file).items() if key != name}
        with zipfile.ZipFile(tmp_path / "part.keras", "w") as archive:
            for key, value in remaining.items():
                archive.writestr(key, value)
        assert expected in error_of(load, tmp_path / "part.keras")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load(tmp_path / "nowhere.keras")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        load(tmp_path)


def test_truncated_files_are_refused(keras_file, tmp_path):
    data = members(keras_file)["model.weights.h5"]
    target = tmp_path / "cut.weights.h5"
    for length in range(0, len(data), len(data) // 97):
        target.write_bytes(data[:length])
        assert str(target) in error_of(load_weights, target, MODEL)


def test_deeply_nested_groups_are_refused(keras_file):
    def nest(file):
        group = file["layers"]
        for _ in range(2000):
            group = group.create_group("g")

    assert "nested too deeply" in error_of(load, with_weights(keras_file, nest))


def test_deeply_nested_and_large_configs_are_refused(keras_file):
    deep = "[" * 100_000 + "]" * 100_000
    assert "config" in error_of(load, rewrite(keras_file, {"config.json": deep}))
    nested = sequential(layer("ReLU", "last"))
    for _ in range(20):
        nested = sequential(nested)
    assert "nested too deeply" in error_of(from_config, nested)
    many_layers = sequential(*(layer("ReLU", f"r{i}") for i in range(3001)))
    assert "more than 3000 layers" in error_of(from_config, many_layers)


def test_reading_requires_neither_keras_nor_tensorflow_nor_h5py(keras_file):
    script = f"""
import sys
for name in ("keras", "tensorflow", "tf_keras", "h5py", "safetensors"):
    sys.modules[name] = None
from jaxlayers.interop import keras, safetensors
model, params, state = keras.load({str(keras_file)!r})
print(model.names)
try:
    keras.save({str(keras_file.with_name("new.keras"))!r}, model, params, state)
except ImportError as error:
    print(error)
try:
    safetensors.save({str(keras_file.with_name("new.safetensors"))!r}, model, params, state)
except ImportError as error:
    print(error)
"""
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ
    )
    assert process.stderr == ""
    assert process.stdout == (
        "('conv2d', 'batch_normalization', 'flatten', 'dense')\n"
        'Keras files are written with h5py: pip install "jaxlayers[keras]"\n'
        'safetensors files need safetensors: pip install "jaxlayers[keras]"\n'
    )


def test_one_error_lists_everything_that_keras_does_not_have():
    class CustomDense(layers.Dense):
        pass

    model = Sequential(
        [
            layers.SumPooling2D(),
            layers.Conv2D(2, 1, activation=lambda x: x),
            layers.Flatten(),
            CustomDense(3),
            layers.Dense(3, kernel_initializer=jax.nn.initializers.he_normal()),
            Sequential([layers.Dense(2, kernel_regularizer=lambda w: 0.0)], name="inner"),
        ],
        input_shape=(4, 4, 1),
    )
    message = error_of(to_config, model)
    for part in (
        "sum_pooling2d (SumPooling2D): Keras has no layer of this class",
        "conv2d (Conv2D): activation: must be one of Keras's names or functions",
        "custom_dense (CustomDense): Keras has no layer of this class",
        "dense (Dense): kernel_initializer: must be one of Keras's names or an object",
        "inner/dense (Dense): kernel_regularizer: must be one of Keras's names or an",
    ):
        assert part in message


def test_params_that_do_not_match_the_model_are_not_saved(tmp_path):
    params, state = MODEL.init(jax.random.key(0))
    params["dense"]["kernel"] = params["dense"]["kernel"][:-1]
    del state["batch_normalization"]["moving_mean"]
    params["other"] = {"kernel": np.zeros(2, "float32")}
    message = error_of(save, tmp_path / "model.keras", MODEL, params, state)
    for part in (
        "dense/kernel: shape (107, 4), the model has (108, 4)",
        "batch_normalization/moving_mean: missing",
        "other/kernel: the model has no such weight",
    ):
        assert part in message
    assert "must end in .keras" in error_of(save, tmp_path / "model.zip", MODEL, params, state)
    with pytest.raises(TypeError, match="must be a Sequential or a Functional, got Dense"):
        save(tmp_path / "model.keras", layers.Dense(2), {}, {})
    assert list(tmp_path.iterdir()) == []
