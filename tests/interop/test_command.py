"""`python -m jaxlayers.interop.keras`."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest
from safetensors import safe_open

from jaxlayers import Functional, Input, Sequential, freeze, layers, runs
from jaxlayers.interop.keras import from_config, save
from jaxlayers.interop.keras.__main__ import main
from jaxlayers.layers import InBfloat16
from tests.experiments.commands import environment
from tests.interop.random_models import flat

MODEL = Sequential(
    [
        Sequential([layers.Conv2D(3, 3), layers.BatchNormalization()], name="features"),
        layers.Flatten(),
        layers.Dense(2, activity_regularizer="l2"),
    ],
    input_shape=(5, 5, 1),
    name="small",
)


@pytest.fixture
def saved(tmp_path):
    """The path of a Keras file, and its params and state."""
    params, state = MODEL.init(jax.random.key(0))
    save(tmp_path / "small.keras", MODEL, params, state)
    return tmp_path / "small.keras", params, state


def test_show_prints_the_summary(saved):
    process = subprocess.run(
        [sys.executable, "-m", "jaxlayers.interop.keras", "show", str(saved[0])],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == f"{MODEL.summary()}\n"


def test_convert_writes_the_folder_of_a_run(saved, tmp_path, capsys):
    path, params, state = saved
    assert main(["convert", str(path), str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == f"converted {path} to {tmp_path / 'run'}\n"
    model, *trees = runs.load(tmp_path / "run")
    assert model.layers[1:] == MODEL.layers[1:]
    x = np.random.default_rng(0).standard_normal((2, 5, 5, 1)).astype("float32")
    np.testing.assert_array_equal(model.apply(*trees, x)[0], MODEL.apply(params, state, x)[0])
    description = json.loads((tmp_path / "run" / "model.json").read_text())
    assert description["summaries"] == {"model": MODEL.summary()}


def test_convert_writes_safetensors(saved, tmp_path):
    path, params, state = saved
    assert main(["convert", str(path), str(tmp_path / "small.safetensors")]) == 0
    with safe_open(tmp_path / "small.safetensors", "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["keras_config"])
    expected = {".".join(name): array for name, array in flat(params, state).items()}
    assert sorted(arrays) == sorted(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert from_config(config).name == "small"


def test_models_in_bfloat16_are_converted(tmp_path):
    inner = Sequential([layers.Dense(2)], input_shape=(3,))
    model = InBfloat16(inner)
    params, state = inner.init(jax.random.key(0))
    save(tmp_path / "model.keras", model, params, state)
    assert main(["convert", str(tmp_path / "model.keras"), str(tmp_path / "run")]) == 0
    assert runs.load(tmp_path / "run")[0] == model
    bfloat16_params = jax.tree.map(lambda array: array.astype("bfloat16"), params)
    save(tmp_path / "bfloat16.keras", inner, bfloat16_params, state)
    out = tmp_path / "bfloat16.safetensors"
    assert main(["convert", str(tmp_path / "bfloat16.keras"), str(out)]) == 0
    with safe_open(out, "flax") as file:
        np.testing.assert_array_equal(
            file.get_tensor("dense.kernel"), bfloat16_params["dense"]["kernel"]
        )


def test_user_errors_are_messages(saved, tmp_path, capsys):
    path = str(saved[0])
    (tmp_path / "damaged.keras").write_bytes(saved[0].read_bytes()[:-100])
    (tmp_path / "existing.safetensors").touch()
    for arguments, message in {
        ("show", str(tmp_path / "nowhere.keras")): "there is no such file",
        ("show", str(tmp_path / "damaged.keras")): "is not a zip archive, or is damaged",
        ("convert", path, str(tmp_path)): "is not an empty folder",
        ("convert", path, str(tmp_path / "existing.safetensors")): "already exists",
    }.items():
        assert main(arguments) == 1
        output, errors = capsys.readouterr()
        assert output == "" and errors.startswith("error: ") and message in errors
        assert errors.count("\n") == 1


def test_show_lists_layers_that_are_not_trained(tmp_path, capsys):
    model = freeze(MODEL, ["features", "dense"])
    save(tmp_path / "frozen.keras", model, *model.init(jax.random.key(0)))
    assert main(["show", str(tmp_path / "frozen.keras")]) == 0
    output, errors = capsys.readouterr()
    for line in (
        "   conv2d (Frozen(Conv2D)) ",
        "   batch_normalization (Frozen(BatchNormalization)) ",
        "│ flatten (Flatten) ",
        "│ dense (Frozen(Dense)) ",
        " Trainable params: 0 (0.00 B)\n",
    ):
        assert line in output
    assert errors == ""


def test_models_for_images_of_any_size_are_shown(tmp_path, capsys):
    image = Input((None, None, 3))
    model = Functional(image, layers.Conv2D(4, 3)(image))
    save(tmp_path / "any.keras", model, *model.init(jax.random.key(0), (8, 8, 3)))
    assert main(["show", str(tmp_path / "any.keras")]) == 0
    output, _ = capsys.readouterr()
    assert "│ conv2d (Conv2D)          │ (None, None, None, 4) " in output
