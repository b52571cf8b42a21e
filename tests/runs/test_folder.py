import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.runs import RunFolder


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "first")
    with folder.open():
        folder.write_config({"steps": 3, "out": tmp_path})
        folder.write_model({"models": {}})
    return folder


def relative_paths(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


def test_a_new_folder_has_a_config_and_a_model(folder, tmp_path):
    assert relative_paths(folder.path) == ["config.json", "model.json", "samples"]
    config = json.loads((folder.path / "config.json").read_text())
    assert config == {"steps": 3, "out": str(tmp_path)}
    assert folder.model() == {"models": {}}


def test_an_empty_folder_is_accepted(tmp_path):
    (tmp_path / "empty").mkdir()
    with RunFolder(tmp_path / "empty").open():
        assert relative_paths(tmp_path / "empty") == [".lock", "samples"]
    assert relative_paths(tmp_path / "empty") == ["samples"]


def test_a_folder_that_is_not_empty_is_refused_and_unchanged(tmp_path):
    (tmp_path / "other.txt").write_text("other")
    with pytest.raises(FileExistsError, match="not an empty folder; it has not been changed"):
        RunFolder(tmp_path).check_unused()
    assert relative_paths(tmp_path) == ["other.txt"]
    assert (tmp_path / "other.txt").read_text() == "other"


def test_a_file_is_refused_and_unchanged(tmp_path):
    (tmp_path / "file").write_text("other")
    with pytest.raises(FileExistsError, match="file: is not an empty folder"):
        RunFolder(tmp_path / "file").check_unused()
    assert (tmp_path / "file").read_text() == "other"


def test_params_and_state_are_restored(folder):
    params = {
        "generator": {
            "dense": {"kernel": jnp.arange(6.0).reshape(2, 3), "bias": jnp.zeros(3)},
            "a/b": {"w": jnp.ones((), jnp.int32)},
            "50%": {"w": np.ones((0, 2), np.float16)},
        },
        "discriminator": {},
    }
    state = {"generator": {"norm": {"moving_mean": jnp.ones(2)}, "other": {}}, "discriminator": {}}
    folder.save_parameters(params, state)

    def check(actual, expected):
        if isinstance(expected, dict):
            assert actual.keys() == expected.keys()
            for name in expected:
                check(actual[name], expected[name])
        else:
            assert isinstance(actual, np.ndarray) and actual.dtype == expected.dtype
            np.testing.assert_array_equal(actual, expected)

    for actual, expected in zip(folder.load_parameters(), (params, state), strict=True):
        check(actual, expected)


def test_empty_params_and_state_are_restored(folder):
    folder.save_parameters({}, {})
    assert folder.load_parameters() == ({}, {})


def test_bfloat16_is_restored_as_float32_with_the_same_values(folder):
    weights = jnp.array([1.0, 0.1, -3e38], jnp.bfloat16)
    folder.save_parameters({"w": weights}, {})
    loaded = folder.load_parameters()[0]["w"]
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, weights.astype(jnp.float32))


def test_parameters_can_be_read_by_numpy(folder):
    folder.save_parameters({"generator": {"dense": {"bias": jnp.ones(2)}}}, {})
    with np.load(folder.path / "parameters.npz") as file:
        np.testing.assert_array_equal(file["params/generator/dense/bias"], [1, 1])


def test_a_failed_write_keeps_the_previous_parameters(folder, monkeypatch):
    folder.save_parameters({"w": jnp.ones(2)}, {})

    def fail(file, **arrays):
        file.write(b"incomplete")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="no space"):
        folder.save_parameters({"w": jnp.zeros(2)}, {})
    np.testing.assert_array_equal(folder.load_parameters()[0]["w"], [1, 1])


def test_saving_parameters_leaves_no_temporary_files(folder):
    folder.save_parameters({"w": jnp.ones(2)}, {})
    folder.save_parameters({"w": jnp.zeros(2)}, {})
    assert relative_paths(folder.path) == ["config.json", "model.json", "parameters.npz", "samples"]
    np.testing.assert_array_equal(folder.load_parameters()[0]["w"], [0, 0])


def test_metrics_are_one_json_line_per_step_and_read_as_columns(folder):
    assert folder.metrics() == {}
    folder.log(10, {"loss": 0.5, "accuracy": 1.0})
    folder.log(20, {"loss": 0.25, "accuracy": 0.0})
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"step": 20, "loss": 0.25, "accuracy": 0.0}
    columns = {name: column.tolist() for name, column in folder.metrics().items()}
    assert columns == {"step": [10, 20], "loss": [0.5, 0.25], "accuracy": [1.0, 0.0]}


def test_paths_of_samples_are_sorted_by_step(folder):
    paths = [folder.sample_path(step) for step in (5, 100, 12000)]
    assert paths == sorted(paths)
    assert paths[1] == folder.path / "samples" / "step_0000100.png"


def test_errors_name_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: has no model\.json"):
        RunFolder(tmp_path / "nowhere").model()
    with pytest.raises(FileNotFoundError, match=r"has no parameters\.npz.*finished run"):
        RunFolder(tmp_path).load_parameters()


def test_metrics_that_are_not_logged_at_a_step_are_nan(folder):
    folder.log(1, {"loss": 3.0})
    folder.log(2, {"loss": 2.0, "val_loss": 5.0})
    folder.log(3, {"loss": 1.0})
    metrics = folder.metrics()
    assert metrics["loss"].tolist() == [3, 2, 1]
    np.testing.assert_array_equal(metrics["val_loss"], [np.nan, 5, np.nan])


def test_pictures_are_listed_by_name_and_removed_on_resume(folder):
    (folder.path / "pictures").mkdir()
    (folder.path / "pictures" / "feature_maps.png").write_bytes(b"")
    assert folder.pictures() == {"feature maps": folder.path / "pictures" / "feature_maps.png"}
    folder.forget_after(0)
    assert not folder.pictures()
