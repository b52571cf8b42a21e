"""Overhead of `train.fit` compared with a bare step, and its memory over time."""

import re
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from benchmarks.training_step import dcgan_task, jax_step
from jaxlayers import runs, train
from jaxlayers.models import dcgan


def random_images(count: int = 60_000) -> np.ndarray:
    """Returns random images of the size of MNIST."""
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(count, 28, 28, 1), dtype=np.uint8)


def seconds_per_step(batch_size: int, bfloat16: bool, steps: int) -> tuple[float, float]:
    """Returns the seconds per bare step, and per step of `fit` including all outputs.

    Both exclude compilation: the first tenth of the steps is not counted.
    """
    bare, _ = jax_step("jaxlayers", batch_size, bfloat16)
    bare()
    times = []
    for _ in range(max(5, steps // 10)):
        start = time.perf_counter()
        bare()
        times.append(time.perf_counter() - start)
    first = steps // 10
    config = train.FitConfig(steps=steps, batch_size=batch_size, log_every=first)
    seconds = _train(dcgan_task("jaxlayers", bfloat16), config)["seconds"]
    return statistics.median(times), (seconds[-1] - seconds[0]) / (steps - first)


def resident_memory(steps: int = 5000) -> list[tuple[float, float]]:
    """Returns the resident memory of this process in MiB while a small model trains.

    Each value is returned with the completed fraction of the run, 0.1 to 1.
    """
    task = train.GAN(
        dcgan.generator(width=8),
        dcgan.discriminator(width=4),
        train.rmsprop(1e-4),
        train.rmsprop(1e-4),
    )
    measured: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path) / "run"

        def watch(finished: Callable[[], bool]) -> None:
            while not finished():
                done = len(runs.RunFolder(folder).metrics().get("step", ())) / 100
                if 0 < done < 1 and round(done, 1) > (measured[-1][0] if measured else 0):
                    measured.append((round(done, 1), _resident_mebibytes()))
                time.sleep(0.05)

        finished = threading.Event()
        thread = threading.Thread(target=watch, args=(finished.is_set,))
        thread.start()
        config = train.FitConfig(steps=steps, batch_size=16, log_every=steps // 100)
        _train(task, config, folder, random_images(5000))
        finished.set()
        thread.join()
        measured.append((1.0, _resident_mebibytes()))
    return measured


def _train(
    task: train.GAN,
    config: train.FitConfig,
    path: Path | None = None,
    data: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = runs.RunFolder(path or Path(temporary) / "run")
        folder.create({}, {})
        result = train.fit(task, random_images() if data is None else data, config, folder)
        jax.block_until_ready(result.train_state)
        return folder.metrics()


def _resident_mebibytes() -> float:
    status = Path("/proc/self/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(match[1]) / 1024 if match else float("nan")
