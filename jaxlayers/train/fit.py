"""Training a task: everything about it that is not pure."""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxlayers.data import Dataset, batches
from jaxlayers.runs.checkpoint import Checkpoints
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.recorder import Record
from jaxlayers.runs.terminal import show_progress
from jaxlayers.train.config import FitConfig
from jaxlayers.train.evaluation import Evaluation
from jaxlayers.train.interruption import interruptible
from jaxlayers.train.loop import Run
from jaxlayers.train.sharding import Devices
from jaxlayers.train.steps import OnDevice, Steps, Streaming
from jaxlayers.train.task import HasModels, Task, TrainState, check_task


@dataclass(frozen=True)
class FitResult:
    """What `fit` returns.

    Args:
        train_state: the state after the last step taken.
        signal: the number of the signal by which somebody stopped it before the last of `steps`.
    """

    train_state: TrainState
    signal: int | None = None

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it before the last of `steps`."""
        return self.signal is not None


def fit(
    task: Task,
    data: Any,
    config: FitConfig,
    folder: RunFolder | None = None,
    *,
    validation_data: Any = None,
    resume: bool | int = False,
) -> FitResult:
    """Trains a task.

    Many steps go in one compiled call, on data that lies on the devices and is shuffled there,
    each epoch anew and without replacement, by the key of the run. Data that does not fit comes
    from the host. Python looks at what a call came to while the next one runs.

    Args:
        task: what to train, such as `GAN`.
        data: a `Dataset`, of which a `GAN` takes the images and a `Classifier` the labels as well;
            images, uint8 [N, height, width, channels]; a tuple of arrays of one length; or what
            streams, such as `data.Streamed`.
        config: how long and how.
        folder: where metrics, pictures, checkpoints and the last parameters go; nowhere where
            `None`.
        validation_data: data of the same kind to evaluate the task on, every
            `config.evaluate_every` steps and at the end; the means are logged as `val_loss` etc.
        resume: whether to go on from the last checkpoint in `folder`, or after how many steps the
            checkpoint was taken to go on from. What comes is bit for bit what would have come.

    Returns:
        The last state. Ctrl-C and SIGTERM end training after the call at hand, with all of it
        written; a second one ends the process at once.

    Raises:
        ValueError: fewer images than a batch takes, images that the task does not take, or
            devices that cannot share a batch.
        CheckpointError: there is no checkpoint to resume from, it is damaged or of another
            configuration, or one could not be written.
        NotFiniteError: a metric or a parameter became NaN or infinite. The state before that is
            in the error, and saved in the folder.
    """
    check_task(task)
    devices = Devices(config.devices, config.batch_size)
    data = _rows(task, data)
    steps = _steps(task, data, config, devices)
    evaluation = None
    if validation_data is not None:
        if not hasattr(task, "evaluate"):
            raise ValueError(f"fit: {type(task).__name__} has no evaluate to use validation_data")
        evaluation = Evaluation(task, _rows(task, validation_data), config.batch_size, devices)
    init_key, picture_key = jax.random.split(jax.random.key(config.seed))
    train_state = devices.place(task.init(init_key))
    with ExitStack() as stack:
        stack.callback(steps.close)
        checkpoints = None
        if folder is not None:
            checkpoints = Checkpoints(
                folder.path / "checkpoints", _identity(config, data), config.keep, config.best
            )
            stack.callback(checkpoints.close)
        if resume is not False:
            if checkpoints is None:
                raise ValueError("fit: resume needs the folder of the run to resume")
            train_state = checkpoints.restore(train_state, None if resume is True else resume)
            checkpoints.forget_after(int(train_state.step))
        interruption = stack.enter_context(interruptible())
        leads = jax.process_index() == 0
        progress = stack.enter_context(
            show_progress(config.steps, config.batch_size, quiet=not leads)
        )
        writes = folder if leads else None
        record = Record(progress, writes, int(train_state.step))
        run = Run(task, steps, evaluation, config, picture_key, record, checkpoints)
        try:
            train_state = run.go(train_state, lambda: _agreed(interruption.asked))
        except BaseException:
            # What made it end is what there is to say, even if this fails as well.
            with suppress(Exception):
                _write_last(task, run.good, writes, record)
            raise
        _write_last(task, run.good, writes, record)
    stopped = int(train_state.step) < config.steps
    return FitResult(train_state, interruption.signal if stopped else None)


def _write_last(
    task: Any, train_state: TrainState, folder: RunFolder | None, record: Record
) -> None:
    if folder is not None:
        folder.save_parameters(*_kept(task, train_state))
    record.close()


def _kept(task: Any, train_state: TrainState) -> tuple[Any, Any]:
    """Returns the params and the state that a trained model is kept with."""
    if not isinstance(task, HasModels):
        return train_state.params, train_state.state
    models = task.models(train_state)
    if len(models) == 1:
        ((_, params, state),) = models.values()
        return params, state
    params = {name: model[1] for name, model in models.items()}
    return params, {name: model[2] for name, model in models.items()}


def _rows(task: Any, data: Any) -> Any:
    """Returns the arrays that a task takes of some data, or what streams them."""
    if hasattr(task, "rows"):
        return task.rows(data)
    return data.images if isinstance(data, Dataset) else data


def _steps(task: Task, data: Any, config: FitConfig, devices: Devices) -> Steps:
    """Returns what takes steps on data of this kind and size."""
    batch_size, seed = config.batch_size, config.seed
    index, count = jax.process_index(), jax.process_count()
    if hasattr(data, "batches"):

        def stream(start: int) -> Iterator[Any]:
            return data.batches(
                batch_size, seed=seed, start=start, process_index=index, process_count=count
            )

        return Streaming(task, stream, devices)
    batches(data, batch_size, seed=seed)  # says what is wrong with arguments
    if devices.hold(data):
        return OnDevice(task, data, batch_size, devices)
    size = batch_size // count
    share = slice(index * size, (index + 1) * size)

    def slices(start: int) -> Iterator[Any]:
        for batch in batches(data, batch_size, seed=seed, start=start):
            yield jax.tree.map(lambda rows: rows[share], batch)

    return Streaming(task, slices, devices)


def _identity(config: FitConfig, data: Any) -> dict[str, Any]:
    """Returns what makes the numbers of a run, beside the task."""
    identity: dict[str, Any] = {"seed": config.seed, "batch_size": config.batch_size}
    if hasattr(data, "batches"):
        return identity | {"data": f"{len(data)} images streamed"}
    return identity | {
        "data": [
            f"{array.dtype}{list(array.shape)} {zlib.crc32(np.ascontiguousarray(array).data):08x}"
            for array in jax.tree.leaves(data)
        ]
    }


def _agreed(asked: bool) -> bool:
    """Returns whether any process was asked."""
    if jax.process_count() == 1:
        return asked
    return bool(multihost_utils.process_allgather(np.array(asked)).any())
