"""A file is data from a stranger."""

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
def whole(tmp_path):
    """The path of a file that is in order."""
    save(tmp_path / "whole.keras", MODEL, *MODEL.init(jax.random.key(0)))
    return tmp_path / "whole.keras"


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, changed=(), compression=zipfile.ZIP_STORED, **extra):
    """Writes the archive again with some of its members changed."""
    content = members(path) | dict(changed) | extra
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def with_weights(path, change, **options):
    """Changes the weights' file with h5py."""
    content = io.BytesIO(members(path)["model.weights.h5"])
    with h5py.File(content, "a", **options) as file:
        change(file)
    return rewrite(path, {"model.weights.h5": content.getvalue()})


def with_config(path, change):
    config = json.loads(members(path)["config.json"])
    return rewrite(path, {"config.json": json.dumps(change(config) or config)})


def refusal(call, *arguments):
    with pytest.raises(ValueError) as caught:
        call(*arguments)
    return str(caught.value)


def sequential(*entries):
    return {"class_name": "Sequential", "config": {"name": "model", "layers": list(entries)}}


class Marker:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_is_never_run_and_its_layer_is_named(whole, tmp_path):
    pickled = pickle.dumps(Marker(tmp_path / "ran"))
    assert "is neither an HDF5 file" in refusal(load, rewrite(whole, {"model.weights.h5": pickled}))
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": None}}
    entry = layer("Lambda", "trick", function=code)
    said = refusal(load, with_config(whole, lambda config: sequential(entry)))
    assert "trick (Lambda): contains code, which is never executed" in said
    assert "config that is not JSON" in refusal(load, rewrite(whole, {"config.json": pickled}))
    assert not (tmp_path / "ran").exists()


def test_a_lambda_as_an_activation_is_code_and_its_layer_is_named(tmp_path):
    theirs = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2, activation=lambda x: x * 2, name="doubled"),
            keras.layers.Dense(2, activation=keras.layers.ReLU(), name="rectified"),
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own about lambdas
        theirs.save(tmp_path / "theirs.keras")
    said = refusal(load, tmp_path / "theirs.keras")
    assert "doubled (Dense): activation: contains code (a lambda or a Lambda layer), which" in said
    assert "rectified (Dense): activation: must be the name of one of Keras's activations" in said


def test_all_that_is_not_supported_is_in_one_error():
    said = refusal(
        from_config,
        sequential(
            layer("LSTM", "memory", units=3),
            layer("Dense", "moves\x1b[2J", units=3),
            {**layer("Dense", "mine", units=3), "module": "my_layers",
             "registered_name": "my_layers>Dense"},
            layer("Dense", "normed", units=3, kernel_regularizer={
                "class_name": "Mine", "config": {}, "module": "mine"}),
            layer("Conv2D", "twice", filters=0, kernel_size=3),
            layer("Conv2D", "ranked", filters=1, kernel_size=3, lora_rank=4, other=True),
            layer("Dense", "half", units=3, dtype={
                "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}),
            layer("Sequential", "inside", layers=[layer("Permute", "turned", dims=[2, 1])]),
        ),
    )  # fmt: skip
    for part in (
        "memory (LSTM): not supported, only Activation, AveragePooling2D",
        r"moves\x1b[2J (Dense): the name has characters that cannot be printed",
        "mine (Dense): a user-defined class of 'my_layers'",
        "normed (Dense): kernel_regularizer: Mine of 'mine' is not one of Keras's",
        "twice (Conv2D): filters must be a positive integer, got 0",
        "ranked (Conv2D): lora_rank=4 is not supported",
        "ranked (Conv2D): other=True is not supported",
        "half (Dense): dtype policy 'mixed_float16' is not supported",
        "inside/turned (Permute): not supported",
    ):
        assert part in said


def test_models_of_other_classes_are_code():
    said = refusal(from_config, {"class_name": "MyModel", "config": {}, "module": "mine"})
    assert "only Sequential and Functional models of Keras and single layers" in said
    assert "contains no config of a model" in refusal(from_config, 3)


def graph(*entries, outputs=("c",)):
    first = {**layer("InputLayer", "a", batch_shape=[None, 4]), "inbound_nodes": []}
    return {
        "class_name": "Functional",
        "config": {
            "name": "graph",
            "layers": [first, *entries],
            "input_layers": [["a", 0, 0]],
            "output_layers": [[name, 0, 0] for name in outputs],
        },
    }


def after(name, *sources, calls=1, **options):
    node = [[source, 0, 0, options] for source in sources]
    return {**layer("ReLU", name), "name": name, "inbound_nodes": [node] * calls}


@pytest.mark.parametrize(
    "config, message",
    [
        (graph(after("b", "a"), after("c", "a")), "a is the input of both b and c"),
        (graph(after("b", "a"), after("c", "a", "b")), "c (ReLU) has 2 inputs"),
        (graph(after("b", "a"), after("c", "b", calls=2)), "c (ReLU) is used 2 times; shared"),
        (graph(after("b", "a"), after("c", "b"), outputs=("b", "c")), "the model has 2 outputs"),
        (graph(after("b", "a"), after("c", "b"), outputs=("b",)), "not a chain from a to b"),
        (graph(after("b", "c"), after("c", "b")), "not a chain from a to c"),
        (graph(after("b", "a"), after("c", "b", training=True)), "is called with {'training'"),
        (graph(after("b", "a"), after("c", "nowhere")), "not a chain"),
    ],
)
def test_what_is_no_chain_is_refused_with_the_layer(config, message):
    assert message in refusal(from_config, config)


def test_a_chain_is_read():
    assert from_config(graph(after("c", "b"), after("b", "a"))).names == ("b", "c")


def test_weights_that_do_not_fit_are_all_named(whole):
    def change(file):
        del file["layers/dense/vars/1"]
        del file[KERNEL]
        file[KERNEL] = np.zeros((3, 3, 2, 4), "float32")
        del file["layers/conv2d/vars/1"]
        file["layers/conv2d/vars/1"] = np.zeros(3, "float64")
        del file["layers/batch_normalization/vars/0"]
        file["layers/batch_normalization/vars/0"] = np.zeros(3, "int32")
        file["layers/dense_1/vars/0"] = np.zeros(2, "float32")

    said = refusal(load, with_weights(whole, change))
    for part in (
        "dense/bias: missing, there is no /layers/dense/vars/1",
        "conv2d/kernel: shape (3, 3, 2, 4), the model has (3, 3, 2, 3)",
        "conv2d/bias: float64, the model has float32",
        "batch_normalization/gamma: int32, the model has float32",
        "/layers/dense_1/vars/0: shape (2,); the model has no such weight",
    ):
        assert part in said


@pytest.mark.parametrize(
    "change, message",
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
def test_what_keras_does_not_write_into_hdf5_is_refused(whole, change, message):
    def replace(file):
        del file[KERNEL]
        change(file)

    said = refusal(load, with_weights(whole, replace))
    assert message in said and str(whole) in said


def test_a_file_of_the_latest_format_says_what_to_do(tmp_path):
    with h5py.File(tmp_path / "new.weights.h5", "w", libver="latest") as file:
        file["layers/dense/vars/0"] = np.zeros(3)
    assert "libver='earliest'" in refusal(load_weights, tmp_path / "new.weights.h5", MODEL)


def peak_memory(call):
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_sizes_are_refused_before_anything_is_allocated(whole, tmp_path):
    load(whole)  # what JAX keeps of a first call does not count

    # A model of 400 GB whose weights are said to be there.
    def huge(file):
        del file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", (10**6, 10**5), "f4")
        del file["layers/dense/vars/1"]
        file.create_dataset("layers/dense/vars/1", (10**5,), "f4")

    entries = [
        layer("InputLayer", "input", batch_shape=[None, 10**6]),
        layer("Dense", "dense", units=10**5, kernel_initializer="orthogonal"),
    ]
    path = with_config(with_weights(whole, huge), lambda config: sequential(*entries))
    assert path.stat().st_size < 20_000
    assert peak_memory(lambda: refusal(load, path)) < 2**23

    # Zeros compress to a thousandth.
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(sequential(*entries)))
        archive.writestr("model.weights.h5", bytes(2**26))
    said = []
    assert peak_memory(lambda: said.append(refusal(load, bomb))) < 2**23
    assert "a declared size of 67,108,864 bytes; at most 16,777,216 are read" in said[0]

    # One that claims less than it holds is caught while it is read.
    data = bytearray(bomb.read_bytes())
    for place in range(len(data) - 4):
        if data[place : place + 4] == (2**26).to_bytes(4, "little"):
            data[place : place + 4] = (1000).to_bytes(4, "little")
    bomb.write_bytes(data)
    assert peak_memory(lambda: refusal(load, bomb)) < 2**23 + 2 * 2**24


@pytest.mark.parametrize(
    "name", ["../../evil.py", "/etc/evil", "a/../../b", "..\\..\\evil", "C/../../../d"]
)
def test_paths_that_leave_the_archive_are_refused(whole, name, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert "a path outside the archive" in refusal(load, rewrite(whole, {name: b"x"}))
    assert sorted(tmp_path.rglob("*")) == before


def test_other_files_and_no_files(whole, tmp_path):
    for content, message in {
        b"": "is neither an HDF5 file",
        b"PK\x03\x04 and no more": "is not a zip archive, or is damaged",
        b"something else": "is neither an HDF5 file",
    }.items():
        (tmp_path / "other.keras").write_bytes(content)
        said = refusal(load, tmp_path / "other.keras")
        assert said.startswith(f"{tmp_path / 'other.keras'} ") and message in said
    for name, message in {"config.json": "no config.json", "model.weights.h5": "no model"}.items():
        kept = {key: value for key, value in members(whole).items() if key != name}
        with zipfile.ZipFile(tmp_path / "part.keras", "w") as archive:
            for key, value in kept.items():
                archive.writestr(key, value)
        assert message in refusal(load, tmp_path / "part.keras")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load(tmp_path / "nowhere.keras")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        load(tmp_path)


def test_every_truncation_is_an_error(whole, tmp_path):
    data = members(whole)["model.weights.h5"]
    target = tmp_path / "cut.weights.h5"
    for length in range(0, len(data), len(data) // 97):
        target.write_bytes(data[:length])
        assert str(target) in refusal(load_weights, target, MODEL)


def test_groups_that_go_on_and_on_come_to_an_end(whole):
    def nest(file):
        group = file["layers"]
        for _ in range(2000):
            group = group.create_group("g")

    assert "nested too deeply" in refusal(load, with_weights(whole, nest))


def test_deep_and_large_configs_come_to_an_end(whole):
    deep = "[" * 100_000 + "]" * 100_000
    assert "config" in refusal(load, rewrite(whole, {"config.json": deep}))
    nested = sequential(layer("ReLU", "last"))
    for _ in range(20):
        nested = sequential(nested)
    assert "nested too deeply" in refusal(from_config, nested)
    many = sequential(*(layer("ReLU", f"r{i}") for i in range(1001)))
    assert "more than 1000 layers" in refusal(from_config, many)


def test_reading_needs_neither_keras_nor_tensorflow_nor_h5py(whole):
    script = f"""
import sys
for name in ("keras", "tensorflow", "tf_keras", "h5py", "safetensors"):
    sys.modules[name] = None
from jaxlayers.interop import keras, safetensors
model, params, state = keras.load({str(whole)!r})
print(model.names)
try:
    keras.save({str(whole.with_name("new.keras"))!r}, model, params, state)
except ImportError as error:
    print(error)
try:
    safetensors.save({str(whole.with_name("new.safetensors"))!r}, model, params, state)
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ
    )
    assert done.stderr == ""
    assert done.stdout == (
        "('conv2d', 'batch_normalization', 'flatten', 'dense')\n"
        'Keras files are written with h5py: pip install "jaxlayers[keras]"\n'
        'safetensors files need safetensors: pip install "jaxlayers[keras]"\n'
    )


def test_all_that_keras_does_not_have_is_in_one_error():
    class Mine(layers.Dense):
        pass

    model = Sequential(
        [
            layers.SumPooling2D(),
            layers.Conv2D(2, 1, activation=lambda x: x),
            layers.Flatten(),
            Mine(3),
            layers.Dense(3, kernel_initializer=jax.nn.initializers.he_normal()),
            Sequential([layers.Dense(2, kernel_regularizer=lambda w: 0.0)], name="inside"),
        ],
        input_shape=(4, 4, 1),
    )
    said = refusal(to_config, model)
    for part in (
        "sum_pooling2d (SumPooling2D): Keras has no layer of this class",
        "conv2d (Conv2D): activation: must be one of Keras's names or functions",
        "mine (Mine): Keras has no layer of this class",
        "dense (Dense): kernel_initializer: must be one of Keras's names or an object",
        "inside/dense (Dense): kernel_regularizer: must be one of Keras's names or an",
    ):
        assert part in said


def test_only_a_models_own_arrays_are_saved(tmp_path):
    params, state = MODEL.init(jax.random.key(0))
    params["dense"]["kernel"] = params["dense"]["kernel"][:-1]
    del state["batch_normalization"]["moving_mean"]
    params["other"] = {"kernel": np.zeros(2, "float32")}
    said = refusal(save, tmp_path / "model.keras", MODEL, params, state)
    for part in (
        "dense/kernel: shape (107, 4), the model has (108, 4)",
        "batch_normalization/moving_mean: missing",
        "other/kernel: the model has no such weight",
    ):
        assert part in said
    assert "must end in .keras" in refusal(save, tmp_path / "model.zip", MODEL, params, state)
    with pytest.raises(TypeError, match="must be a Sequential, got Dense"):
        save(tmp_path / "model.keras", layers.Dense(2), {}, {})
    assert list(tmp_path.iterdir()) == []
