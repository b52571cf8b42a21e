"""Loading of models from run folders, including damaged ones."""

import io
import json
import tracemalloc
import zipfile

import jax
import numpy as np
import pytest

from jaxlayers import Sequential, layers, runs
from jaxlayers.layers import InBfloat16
from jaxlayers.models import cnn, dcgan
from jaxlayers.runs.load import describe, save_models

MODEL = Sequential(
    [layers.Conv2D(3, 2), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)],
    input_shape=(4, 4, 1),
    name="small",
)


def save_model(path, model=MODEL):
    params, state = model.init(jax.random.key(0), model.input_shape)
    runs.save(path, model, params, state)
    return params, state


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        MODEL[:2],
        InBfloat16(MODEL),
        cnn.vgg((8, 8, 3), width=2),
        dcgan.generator((8, 8, 1), 3, 8).logits(),
        Sequential([layers.SumPooling2D(2), layers.Flatten()], (4, 4, 1), fuse=False),
    ],
)
def test_loaded_models_and_arrays_are_equal(tmp_path, model):
    trees = save_model(tmp_path / "run", model)
    read, *read_trees = runs.load(tmp_path / "run")
    assert read == model
    jax.tree.map(np.testing.assert_array_equal, tuple(read_trees), trees)
    assert jax.tree.structure(tuple(read_trees)) == jax.tree.structure(trees)


def test_a_folder_in_use_is_refused(tmp_path):
    save_model(tmp_path / "run")
    with pytest.raises(FileExistsError, match="run: is not an empty folder"):
        save_model(tmp_path / "run")


def test_a_user_defined_layer_is_refused_before_files_are_written(tmp_path):
    class CustomLayer(layers.Layer):
        def apply(self, params, state, x, *, training=False, key=None):
            return x, state

    with pytest.raises(ValueError, match="CustomLayer"):
        runs.save(tmp_path / "run", Sequential([CustomLayer()], (2,)), {}, {})
    assert not (tmp_path / "run").exists()


def change_model(path, change):
    description = json.loads((path / "model.json").read_text())
    change(description)
    (path / "model.json").write_text(json.dumps(description))


def set_units(units):
    def change(description):
        layer = description["models"]["model"]["config"]["layers"][-1]
        layer["config"]["units"] = units

    return change


def nested(depth):
    return '{"models": {"model": ' + '{"config": ' * depth + "1" + "}" * depth + "}}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("models"), "has no models"),
        (lambda d: d.update(models=[]), "has no models"),
        (lambda d: d.update(models={"model": 3}), "must be an object, got 3"),
        (lambda d: d.update(models={"model": {}}), "'model': "),
        (lambda d: d["models"].update(model={"class_name": "os.system"}), "'model': "),
        (set_units(10**12), r"params/dense/kernel is \(27, 2\)|units"),
        (set_units(3), r"params/dense/bias is \(2,\), the model has \(3,\)"),
        (set_units("\x1b[2J"), r"\\x1b"),
        (
            lambda d: d["models"].update(other=d["models"]["model"]),
            "params/model/conv2d/kernel is missing|which the model does not have",
        ),
    ],
)
def test_malicious_descriptions_raise_one_error_that_names_the_file(tmp_path, change, message):
    save_model(tmp_path / "run")
    change_model(tmp_path / "run", change)
    with pytest.raises(ValueError, match=message) as error_info:
        runs.load(tmp_path / "run")
    assert str(tmp_path / "run") in str(error_info.value) and "\x1b" not in str(error_info.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "nan", nested(20), nested(100_000), "\ud800"])
def test_a_description_that_is_not_a_json_object_is_refused(tmp_path, text):
    save_model(tmp_path / "run")
    (tmp_path / "run" / "model.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=r"run/model\.json"):
        runs.load(tmp_path / "run")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    params, state = MODEL.init(jax.random.key(0))
    params["dense"]["bias"] = params["dense"]["bias"].at[1].set(np.nan)
    runs.save(tmp_path / "run", MODEL, params, state)
    with pytest.raises(ValueError, match=r"parameters\.npz: params\.dense\.bias contains NaN"):
        runs.load(tmp_path / "run")


def test_missing_and_extra_arrays_are_named(tmp_path):
    params, state = MODEL.init(jax.random.key(0))
    del params["dense"]["bias"]
    params["dense"]["other"] = np.zeros(3)
    runs.save(tmp_path / "run", MODEL, params, state)
    with pytest.raises(ValueError, match=r"\['params/dense/other'\], which the model does not"):
        runs.load(tmp_path / "run")


def test_a_zip_bomb_is_refused(tmp_path):
    save_model(tmp_path / "run")
    path = tmp_path / "run" / "parameters.npz"
    with zipfile.ZipFile(path) as file:
        members = {info.filename: file.read(info) for info in file.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content + bytes(2**20))
    with pytest.raises(ValueError, match=r"parameters\.npz.*is compressed"):
        runs.load(tmp_path / "run")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no model\.json"):
        runs.load(tmp_path / "nowhere")
    with pytest.raises(TypeError, match="RunFolder: path must be"):
        runs.load(3)


def test_arrays_that_the_model_does_not_have_are_not_read(tmp_path):
    save_model(tmp_path / "run")
    path = tmp_path / "run" / "parameters.npz"
    header = io.BytesIO()
    declared = {"shape": (2**31,), "fortran_order": False, "descr": "|u1"}
    np.lib.format.write_array_header_1_0(header, declared)
    content = path.read_bytes()
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("params/zeros.npy", header.getvalue() + bytes(2**20))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"\['params/zeros'\], which the model does not have"):
        runs.load(tmp_path / "run")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    path.write_bytes(content)
    change_model(tmp_path / "run", set_units(3))
    with pytest.raises(ValueError, match="params/dense/bias is"):
        runs.load(tmp_path / "run")


def test_one_of_several_models_is_loaded_by_name(tmp_path):
    generator = dcgan.generator((8, 8, 1), 3, 8)
    models = {
        "generator": (generator, *generator.init(jax.random.key(0))),
        "other": (MODEL, *MODEL.init(jax.random.key(1))),
    }
    folder = runs.RunFolder(tmp_path / "run")
    with folder.open():
        folder.write_config({})
        folder.write_model(describe(models))
        save_models(folder, models)
    for name, (model, params, state) in models.items():
        read, *trees = runs.load(tmp_path / "run", name)
        assert read == model
        jax.tree.map(np.testing.assert_array_equal, trees, [params, state])
    assert runs.load(tmp_path / "run")[0] == generator
    with pytest.raises(ValueError, match="has no model 'nosuch', only 'generator', 'other'"):
        runs.load(tmp_path / "run", "nosuch")
