"""Damaged files are either loaded or refused with one error."""

import json
import os
import subprocess
import sys

import pytest

from tests.interop import fuzzing, random_graphs, random_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of intact files of every format, of Sequential and Functional models."""
    path = tmp_path_factory.mktemp("files")
    models = {str(seed): random_models.model(seed) for seed in (0, 3)}
    models["images"] = random_models.selected_model("images")
    models["graph"] = random_graphs.every_kind()
    for name, model in models.items():
        for suffix in ("keras", "h5"):
            model.save(path / f"intact{name}.{suffix}")
        model.save_weights(path / f"intact{name}.weights.h5")
    return path


def fuzz(folder, count, seed, timeout):
    # In a separate process, so that a crash or an infinite loop only fails this test.
    process = subprocess.run(
        [sys.executable, "-m", fuzzing.__name__, str(folder), str(count), str(seed)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.returncode == 0, process.stderr[-2000:]
    result = json.loads(process.stdout)
    assert result["failures"] == []
    assert result["refused"] + result["loaded"] == count
    assert result["refused"] > count / 4 and result["loaded"] > 0
    # An intact file takes some milliseconds and less than a MiB; most of the growth of memory is
    # JAX's cache of shapes.
    assert result["slowest"][0] < 2
    assert result["growth_mib"] < 64


def test_a_thousand_damaged_files_are_loaded_or_refused(folder):
    fuzz(folder, 1000, seed=0, timeout=300)


@pytest.mark.slow
def test_a_hundred_thousand_damaged_files_are_loaded_or_refused(folder):
    fuzz(folder, 100_000, seed=1_000_000, timeout=3000)
