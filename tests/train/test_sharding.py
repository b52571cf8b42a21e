"""Runs on several devices and processes, simulated on one CPU."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jaxlayers.runs import RunFolder
from jaxlayers.train.sharding import Devices

ROOT = Path(__file__).parents[2]
METRICS = ("generator_loss", "discriminator_loss", "real_accuracy")

pytestmark = pytest.mark.usefixtures("compilation_cache")


def start(folder, *arguments, devices=1):
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.train.shared", str(folder), *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder, *arguments, devices=1):
    process = start(folder, *arguments, devices=devices)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return RunFolder(folder).metrics()


def start_pair(folder, *arguments):
    """Starts two processes with one device each."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{server.getsockname()[1]}"
    return [
        start(folder, "--coordinator", address, "--process", number, *arguments)
        for number in (0, 1)
    ]


def assert_same_losses(actual, expected):
    assert actual["step"].tolist() == expected["step"].tolist()
    for name in METRICS:
        np.testing.assert_allclose(actual[name], expected[name], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def single_device_metrics(tmp_path_factory, compilation_cache):
    """The metrics of 20 steps on one device."""
    return run(tmp_path_factory.mktemp("single") / "run")


def test_losses_on_eight_devices_equal_those_on_one(tmp_path, single_device_metrics):
    assert_same_losses(run(tmp_path / "run", devices=8), single_device_metrics)


def test_runs_can_be_resumed_with_another_number_of_devices(tmp_path, single_device_metrics):
    run(tmp_path / "run", "--steps", 10, devices=4)
    assert_same_losses(
        run(tmp_path / "run", "--resume", "--devices", 2, devices=8), single_device_metrics
    )


def test_losses_of_two_processes_equal_those_of_one(tmp_path, single_device_metrics):
    processes = start_pair(tmp_path / "run")
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert all("ended after 20" in output for output in outputs)
    assert ["step 20/20" in output for output in outputs] == [True, False]
    assert_same_losses(RunFolder(tmp_path / "run").metrics(), single_device_metrics)


def test_a_killed_multi_process_run_is_resumed_in_one_process(tmp_path, single_device_metrics):
    folder = tmp_path / "run"
    processes = start_pair(folder, "--steps", 100_000)
    deadline = time.monotonic() + 100
    while not (folder / "checkpoints" / "10").exists():
        assert time.monotonic() < deadline and processes[1].poll() is None
        time.sleep(0.05)
    for process in reversed(processes):
        process.kill()
        process.communicate()
    last = max(int(p.name) for p in (folder / "checkpoints").iterdir() if p.name.isdigit())
    resumed = run(folder, "--resume", "--steps", last + 10)
    assert resumed["step"][-1] == last + 10
    for name in METRICS:
        np.testing.assert_allclose(
            resumed[name][:20], single_device_metrics[name], rtol=0, atol=1e-5
        )


def test_more_devices_than_available_are_refused():
    with pytest.raises(ValueError, match=r"devices must be at most 1, .* got 1000: "):
        Devices(1000, 1000)


def test_a_batch_that_cannot_be_divided_evenly_is_refused():
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "3"}
    code = "from jaxlayers.train.sharding import Devices; Devices(None, 8)"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "a batch of 8 images cannot be divided evenly among 3 devices" in process.stderr
