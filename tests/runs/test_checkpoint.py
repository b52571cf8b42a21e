"""Checkpoints, including damaged ones."""

import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.runs.checkpoint import Checkpoints
from jaxlayers.train import CheckpointError, TrainState

ROOT = Path(__file__).parents[2]


def state(step=0, scale=1.0):
    key = jax.random.key(3)
    return TrainState(
        params={
            "model": {"kernel": scale * jax.random.normal(key, (64, 33)), "special/name.x": key}
        },
        state={"count": jnp.arange(5), "bfloat16": jnp.ones((3,), jnp.bfloat16)},
        opt_state=({}, [jnp.zeros(())]),
        step=jnp.int32(step),
        key=key,
    )


@pytest.fixture
def checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", {"seed": 1}, keep=2)
    yield checkpoints
    checkpoints.close()


def assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_array_equal(a, b)


def test_restored_arrays_equal_the_saved_ones(checkpoints):
    checkpoints.save(7, state(7), {"loss": 1.0})
    checkpoints.wait()
    assert_same(checkpoints.restore(state(0, 0.0)), state(7))


def test_the_last_checkpoints_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c", {}, keep=2, best="loss")
    for step, loss in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 4.0), (5, 5.0)):
        checkpoints.save(step, state(step), {"loss": loss})
        checkpoints.wait()
    assert checkpoints.steps() == [2, 4, 5]
    checkpoints.close()
    reopened = Checkpoints(tmp_path / "c", {}, keep=2, best="loss")
    assert reopened.steps() == [2, 4, 5]
    assert reopened.restore(state(), 2).step == 2
    reopened.close()


def test_the_error_for_a_step_without_a_checkpoint_lists_the_others(checkpoints):
    for step in (5, 10):
        checkpoints.save(step, state(step), {})
    checkpoints.wait()
    with pytest.raises(CheckpointError, match="no checkpoint after 7 steps, only after 5, 10"):
        checkpoints.restore(state(), 7)


def files_of(checkpoints, step):
    return sorted(p for p in (checkpoints._path / str(step)).rglob("*") if p.is_file())


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "missing": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "changed": lambda path: path.write_bytes(
        path.read_bytes()[:-9] + bytes(byte ^ 255 for byte in path.read_bytes()[-9:])
    ),
}


# In a separate process, because a failed read leaves others pending, which warn in later tests.
def test_damage_to_any_file_is_reported_or_has_no_effect(tmp_path):
    code = f"from tests.runs.test_checkpoint import *; check_every_damage({str(tmp_path)!r})"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stderr
    assert "never retrieved" not in process.stderr


def check_every_damage(path):
    path = Path(path)
    intact = Checkpoints(path / "good", {"seed": 1})
    for step in (5, 10):
        intact.save(step, state(step, step), {"loss": 1.0})
    intact.close()
    files = [file.relative_to(path / "good") for file in files_of(intact, 10)]
    assert len(files) > 3
    for name in DAMAGE:
        check_damage(name, path, files)


def check_damage(name, path, files):
    refused = 0
    for number, file in enumerate(files):
        copy = path / f"{name}{number}"
        shutil.copytree(path / "good", copy)
        DAMAGE[name](copy / file)
        checkpoints = Checkpoints(copy, {"seed": 1})
        try:
            restored = checkpoints.restore(state(), 10)
        except CheckpointError as error:
            refused += 1
            assert str(copy / "10") in str(error)
            assert "damaged" in str(error) and "after 5 steps" in str(error)
        else:  # a file that is not required
            assert_same(restored, state(10, 10))
        assert_same(checkpoints.restore(state(), 5), state(5, 5))
        checkpoints.close()
    assert refused, name


def test_an_array_with_another_checksum_is_reported_as_damage(checkpoints, monkeypatch):
    for step in (5, 10):
        checkpoints.save(step, state(step), {})
    checkpoints.wait()
    restore = checkpoints._manager.restore

    def with_zeros(step, args):
        items = restore(step, args=args)
        if "arrays" in items:
            items["arrays"]["params.model.kernel"] *= 0
        return items

    monkeypatch.setattr(checkpoints._manager, "restore", with_zeros)
    message = r"damaged \(arrays: params\.model\.kernel: checksum.*resume=5"
    with pytest.raises(CheckpointError, match=message):
        checkpoints.restore(state(), 10)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"file/checkpoints: cannot be written"):
        Checkpoints(tmp_path / "file" / "checkpoints", {})


def test_a_full_disk_is_an_error_and_the_last_checkpoint_is_kept(checkpoints, monkeypatch):
    checkpoints.save(5, state(5), {})
    checkpoints.wait()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints._manager, "save", full)
    with pytest.raises(
        CheckpointError, match=r"No space left.*last complete checkpoint is after 5"
    ):
        checkpoints.save(10, state(10), {})
    assert_same(checkpoints.restore(state()), state(5))


def test_a_checkpoint_is_not_started_without_enough_disk_space(checkpoints, monkeypatch):
    checkpoints.save(5, state(5), {})
    checkpoints.wait()
    nearly_full = shutil._ntuple_diskusage(2**30, 2**30 - 2**20, 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly_full)
    message = r"1\.0 MiB needed, 1\.0 free\); the last complete checkpoint is after 5"
    with pytest.raises(CheckpointError, match=message):
        checkpoints.save(10, state(10), {})
    assert checkpoints.steps() == [5]
