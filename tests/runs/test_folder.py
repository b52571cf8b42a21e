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


def names(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


def test_a_new_folder_holds_what_was_asked_for(folder, tmp_path):
    assert names(folder.path) == ["config.json", "model.json", "samples"]
    config = json.loads((folder.path / "config.json").read_text())
    assert config == {"steps": 3, "out": str(tmp_path)}
    assert folder.model() == {"models": {}}


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    with RunFolder(tmp_path / "empty").open():
        assert names(tmp_path / "empty") == [".lock", "samples"]
    assert names(tmp_path / "empty") == ["samples"]


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not an empty folder; it has not been changed"):
        RunFolder(tmp_path).check_unused()
    assert names(tmp_path) == ["thesis.txt"]
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="file: is not an empty folder"):
        RunFolder(tmp_path / "file").check_unused()
    assert (tmp_path / "file").read_text() == "mine"


def test_params_and_state_come_back_as_they_were(folder):
    params = {
        "generator": {
            "dense": {"kernel": jnp.arange(6.0).reshape(2, 3), "bias": jnp.zeros(3)},
            "a/b": {"w": jnp.ones((), jnp.int32)},
            "50% of it": {"w": np.ones((0, 2), np.float16)},
        },
        "discriminator": {},
    }
    state = {"generator": {"norm": {"moving_mean": jnp.ones(2)}, "other": {}}, "discriminator": {}}
    folder.save_parameters(params, state)

    def check(ours, theirs):
        if isinstance(theirs, dict):
            assert ours.keys() == theirs.keys()
            for name in theirs:
                check(ours[name], theirs[name])
        else:
            assert isinstance(ours, np.ndarray) and ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)

    for ours, theirs in zip(folder.load_parameters(), (params, state), strict=True):
        check(ours, theirs)


def test_models_without_params_or_state_come_back_too(folder):
    folder.save_parameters({}, {})
    assert folder.load_parameters() == ({}, {})


def test_bfloat16_comes_back_as_float32_of_the_same_values(folder):
    weights = jnp.array([1.0, 0.1, -3e38], jnp.bfloat16)
    folder.save_parameters({"w": weights}, {})
    loaded = folder.load_parameters()[0]["w"]
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, weights.astype(jnp.float32))


def test_the_file_of_parameters_needs_nothing_but_numpy(folder):
    folder.save_parameters({"generator": {"dense": {"bias": jnp.ones(2)}}}, {})
    with np.load(folder.path / "parameters.npz") as file:
        np.testing.assert_array_equal(file["params/generator/dense/bias"], [1, 1])


def test_parameters_that_could_not_be_written_leave_those_before_in_place(folder, monkeypatch):
    folder.save_parameters({"w": jnp.ones(2)}, {})

    def fail(file, **arrays):
        file.write(b"half a fi")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="no space"):
        folder.save_parameters({"w": jnp.zeros(2)}, {})
    np.testing.assert_array_equal(folder.load_parameters()[0]["w"], [1, 1])


def test_saved_parameters_leave_no_other_file_behind(folder):
    folder.save_parameters({"w": jnp.ones(2)}, {})
    folder.save_parameters({"w": jnp.zeros(2)}, {})
    assert names(folder.path) == ["config.json", "model.json", "parameters.npz", "samples"]
    np.testing.assert_array_equal(folder.load_parameters()[0]["w"], [0, 0])


def test_metrics_are_a_line_of_json_a_step_and_come_back_as_columns(folder):
    assert folder.metrics() == {}
    folder.log(10, {"loss": 0.5, "accuracy": 1.0})
    folder.log(20, {"loss": 0.25, "accuracy": 0.0})
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"step": 20, "loss": 0.25, "accuracy": 0.0}
    columns = {name: column.tolist() for name, column in folder.metrics().items()}
    assert columns == {"step": [10, 20], "loss": [0.5, 0.25], "accuracy": [1.0, 0.0]}


def test_pictures_of_samples_sort_by_step(folder):
    paths = [folder.sample_path(step) for step in (5, 100, 12000)]
    assert paths == sorted(paths)
    assert paths[1] == folder.path / "samples" / "step_0000100.png"


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: has no model\.json"):
        RunFolder(tmp_path / "nowhere").model()
    with pytest.raises(FileNotFoundError, match=r"has no parameters\.npz.*finished run"):
        RunFolder(tmp_path).load_parameters()


def test_a_metric_that_comes_now_and_then_is_nan_in_between(folder):
    folder.log(1, {"loss": 3.0})
    folder.log(2, {"loss": 2.0, "val_loss": 5.0})
    folder.log(3, {"loss": 1.0})
    metrics = folder.metrics()
    assert metrics["loss"].tolist() == [3, 2, 1]
    np.testing.assert_array_equal(metrics["val_loss"], [np.nan, 5, np.nan])


def test_pictures_are_named_by_what_they_show_and_go_where_a_run_goes_on(folder):
    (folder.path / "pictures").mkdir()
    (folder.path / "pictures" / "feature_maps.png").write_bytes(b"")
    assert folder.pictures() == {"feature maps": folder.path / "pictures" / "feature_maps.png"}
    folder.forget_after(0)
    assert not folder.pictures()
