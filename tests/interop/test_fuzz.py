"""Thousands of damaged files: each is refused with one clear error, or read."""

import json
import os
import subprocess
import sys

import pytest

from tests.interop import fuzzing, random_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Whole files of every format, of Sequential and Functional models."""
    path = tmp_path_factory.mktemp("files")
    for seed in (0, 3):
        model = random_models.model(seed)
        for ending in ("keras", "h5"):
            model.save(path / f"whole{seed}.{ending}")
        model.save_weights(path / f"whole{seed}.weights.h5")
    return path


def fuzz(folder, count, seed, timeout):
    # In a process of its own, which may crash or hang without taking the tests with it.
    done = subprocess.run(
        [sys.executable, "-m", fuzzing.__name__, str(folder), str(count), str(seed)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert found["refused"] + found["loaded"] == count
    assert found["refused"] > count / 4 and found["loaded"] > 0
    # A whole file takes some milliseconds and less than a MiB; most of what the memory grows by
    # is what JAX keeps of shapes that it has seen.
    assert found["slowest"][0] < 2
    assert found["grown_mib"] < 64


def test_three_thousand_damaged_files(folder):
    fuzz(folder, 3000, seed=0, timeout=300)


@pytest.mark.slow
def test_a_hundred_thousand_damaged_files(folder):
    fuzz(folder, 100_000, seed=1_000_000, timeout=3000)
