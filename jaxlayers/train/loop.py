"""The loop: everything about training that is not pure."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxlayers.data import Dataset, batch_at
from jaxlayers.train import pictures
from jaxlayers.train.interruption import interruptible
from jaxlayers.train.progress import Progress, show_progress
from jaxlayers.train.run_folder import RunFolder
from jaxlayers.train.task import Metrics, Task, TrainState


@dataclass(frozen=True)
class FitConfig:
    """How a task is trained.

    Args:
        steps: how many steps.
        batch_size: images a step.
        seed: of the params, the order of the data and all random numbers; not negative.
        log_every: steps between two lines of metrics.
        sample_every: steps between two pictures of samples.
        samples: how many images such a picture shows.
    """

    steps: int = 1000
    batch_size: int = 64
    seed: int = 0
    log_every: int = 10
    sample_every: int = 250
    samples: int = 64

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every", "sample_every", "samples"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"FitConfig: {name} must be a positive integer, got {value!r}")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ValueError(
                f"FitConfig: seed must be an integer from 0 to 2**63 - 1, got {self.seed!r}"
            )


@dataclass(frozen=True)
class Fitted:
    """What `fit` returns.

    Args:
        train_state: the state after the last step taken.
        interrupted: whether somebody stopped it before the last of `steps`.
    """

    train_state: TrainState
    interrupted: bool


def fit(
    task: Task,
    data: Dataset | np.ndarray,
    config: FitConfig,
    folder: RunFolder | None = None,
) -> Fitted:
    """Trains a task.

    Args:
        task: what to train, such as `GAN`.
        data: images, uint8 [N, height, width, channels].
        config: how long and how.
        folder: where metrics, pictures and the last parameters go; nowhere where `None`.

    Returns:
        The last state. Ctrl-C ends training after the step at hand, with all of it written.

    Raises:
        ValueError: fewer images than a batch takes, or images that the task does not take.
    """
    step = jax.jit(task.step, donate_argnums=0)
    init_key, picture_key = jax.random.split(jax.random.key(config.seed))
    train_state = task.init(init_key)
    picture = _picture_of_samples(task, picture_key, config.samples)
    pending: tuple[int, Metrics] | None = None
    start = time.monotonic()

    def report(progress: Progress, done: int, metrics: Metrics) -> None:
        numbers = {name: float(value) for name, value in metrics.items()}
        progress.update(done, numbers)
        if folder is not None:
            folder.log(done, numbers | {"seconds": round(time.monotonic() - start, 3)})

    with (
        interruptible() as interruption,
        show_progress(config.steps, config.batch_size) as progress,
    ):
        for done in range(1, config.steps + 1):
            batch = batch_at(data, config.batch_size, seed=config.seed, step=done - 1)
            train_state, metrics = step(train_state, batch)
            last = done == config.steps or interruption.asked
            if done % config.log_every == 0 or last:
                # Those of the log step before, whose computation has ended: Python does not wait.
                if pending is not None:
                    report(progress, *pending)
                pending = done, metrics
            if last:
                report(progress, done, metrics)
            if folder is not None and (done % config.sample_every == 0 or last):
                picture(train_state, folder.sample_path(done))
            if last:
                break
    if folder is not None:
        folder.save_parameters(train_state.params, train_state.state)
        pictures.save_curves(folder.metrics(), folder.path / "curves.png")
    return Fitted(train_state, interruption.asked and done < config.steps)


def _picture_of_samples(task: Any, key: Array, samples: int) -> Callable[[TrainState, Path], None]:
    """Returns a function that draws samples, always of the same latents, as far as a task can."""
    if not hasattr(task, "sample"):
        return lambda train_state, path: None
    sample = jax.jit(task.sample, static_argnums=2)

    def picture(train_state: TrainState, path: Path) -> None:
        pictures.save_grid(np.asarray(sample(train_state, key, samples)), path)

    return picture
