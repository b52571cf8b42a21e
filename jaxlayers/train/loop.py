"""The loop: everything about training that is not pure."""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils

from jaxlayers.data import Dataset, batches
from jaxlayers.train.checkpoint import Checkpoints
from jaxlayers.train.devices import Devices
from jaxlayers.train.evaluation import HELD_OUT, Evaluation
from jaxlayers.train.finite import first_not_finite
from jaxlayers.train.fit_config import FitConfig
from jaxlayers.train.interruption import interruptible
from jaxlayers.train.progress import show_progress
from jaxlayers.train.record import Record
from jaxlayers.train.run_folder import RunFolder
from jaxlayers.train.steps import OnDevice, Steps, Streaming, Taken
from jaxlayers.train.task import Metrics, Task, TrainState

# A call takes about so long where steps are slow: a person who stops a run waits for it.
_SECONDS_A_CALL = 2.0


@dataclass(frozen=True)
class Fitted:
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
    held_out: Any = None,
    resume: bool | int = False,
) -> Fitted:
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
        held_out: data of the same kind to evaluate the task on, every `config.evaluate_every`
            steps and at the end; its means are logged as `held_out_loss` and so on.
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
    devices = Devices(config.devices, config.batch_size)
    data = _rows(task, data)
    steps = _steps(task, data, config, devices)
    evaluation = None
    if held_out is not None:
        if not hasattr(task, "evaluate"):
            raise ValueError(f"fit: {type(task).__name__} has no evaluate to use held_out data")
        evaluation = Evaluation(task, _rows(task, held_out), config.batch_size, devices)
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
        run = _Run(task, steps, evaluation, config, picture_key, record, checkpoints)
        try:
            train_state = run.go(train_state, lambda: _agreed(interruption.asked))
        except BaseException:
            # What made it end is what there is to say, even if this fails as well.
            with suppress(Exception):
                _write_last(task, run.good, writes, record)
            raise
        _write_last(task, run.good, writes, record)
    stopped = int(train_state.step) < config.steps
    return Fitted(train_state, interruption.signal if stopped else None)


def _write_last(
    task: Any, train_state: TrainState, folder: RunFolder | None, record: Record
) -> None:
    if folder is not None:
        kept = task.to_keep(train_state) if hasattr(task, "to_keep") else train_state.params
        folder.save_parameters(kept, train_state.state)
    record.close()


class _Call(NamedTuple):
    """A call that runs, or has run, and what is to be done when it is over."""

    before: TrainState
    first: int  # steps taken before
    last: int  # and after
    taken: Taken
    samples: Array | None
    means: Metrics  # over held-out data


class _Run:
    """The loop itself: one call runs while Python looks at the one before."""

    def __init__(
        self,
        task: Any,
        steps: Steps,
        evaluation: Evaluation | None,
        config: FitConfig,
        picture_key: Array,
        record: Record,
        checkpoints: Checkpoints | None,
    ) -> None:
        self._steps, self._config, self._record = steps, config, record
        self._evaluation, self._checkpoints = evaluation, checkpoints
        self._pace = _Pace()
        self._picture_key = picture_key
        self._draw = jax.jit(task.sample, static_argnums=2) if hasattr(task, "sample") else None

    def go(self, train_state: TrainState, asked: Callable[[], bool]) -> TrainState:
        """Takes all steps that are left, or as many as there are before somebody asks to stop."""
        self.good = train_state
        step, running = int(train_state.step), None
        while step < self._config.steps and not asked():
            count = min(self._next(step) - step, self._pace.steps())
            taken = self._steps.take(train_state, step, count)
            samples = self._due_samples(taken.train_state, step + count)
            means = self._due_means(taken.train_state, step + count)
            call = _Call(train_state, step, step + count, taken, samples, means)
            if running is not None:
                self._finish(running)
            train_state, step, running = taken.train_state, step + count, call
        if running is not None:
            self._finish(running, last=True)
        return train_state

    def _due_samples(self, train_state: TrainState, step: int, last: bool = False) -> Array | None:
        """Returns samples, always of the same latents, where they are due and a task can."""
        due = last or step % self._config.sample_every == 0
        if not due or self._draw is None:
            return None
        return self._draw(train_state, self._picture_key, self._config.samples)

    def _due_means(self, train_state: TrainState, step: int, last: bool = False) -> Metrics:
        """Returns the means over held-out data, where they are due and there are such."""
        config = self._config
        due = last or step % config.evaluate_every == 0
        # The best checkpoint is chosen by what is known of each.
        due |= config.best is not None and step % config.checkpoint_every == 0
        return self._evaluation.means(train_state) if due and self._evaluation else {}

    def _next(self, step: int) -> int:
        """Returns the next step at which there is something to do."""
        config = self._config
        every = [config.log_every, config.sample_every, config.checkpoint_every]
        if self._evaluation is not None:
            every.append(config.evaluate_every)
        return min(config.steps, *(step - step % n + n for n in every))

    def _finish(self, call: _Call, last: bool = False) -> None:
        """Waits for a call, and does what is due after it."""
        config, step = self._config, call.last
        finite, metrics = jax.device_get((call.taken.finite, call.taken.metrics))
        if not finite.all():
            raise self._not_finite(call)
        self.good = call.taken.train_state
        self._pace.finished(call.last - call.first)
        means = call.means or (self._due_means(self.good, step, last) if last else {})
        numbers = {name: value.item() for name, value in (metrics | jax.device_get(means)).items()}
        self._check_best(numbers, evaluated=bool(means))
        if last or means or step % config.log_every == 0:
            self._record.metrics(step, numbers)
        samples = call.samples
        if samples is None and last:
            samples = self._due_samples(self.good, step, last)
        if samples is not None:
            self._record.samples(step, np.asarray(samples))
        if self._checkpoints is not None and (last or step % config.checkpoint_every == 0):
            self._checkpoints.save(self.good, numbers)

    def _check_best(self, numbers: Mapping[str, float], evaluated: bool) -> None:
        """Checks at the first step, or evaluation, not at a checkpoint, that there is it."""
        best = self._config.best
        if best is None or best in numbers:
            return
        comes = self._evaluation is not None and best.startswith(HELD_OUT)
        if evaluated or not comes:
            raise ValueError(
                f"fit: best must be a metric of the task, {', '.join(numbers)}, got {best!r}"
            )

    def _not_finite(self, call: _Call) -> Exception:
        error = first_not_finite(
            lambda train_state, step: self._steps.take(train_state, step, 1),
            call.before,
            call.first,
            call.last - call.first,
        )
        self.good = error.train_state
        if self._checkpoints is not None and int(self.good.step) not in self._checkpoints.steps():
            self._checkpoints.save(self.good, {})
        return error


class _Pace:
    """How many steps a call may take, from how long the calls before took."""

    def __init__(self) -> None:
        self._ended: float | None = None
        self._seconds_a_step: float | None = None

    def finished(self, steps: int) -> None:
        now = time.monotonic()
        if self._ended is not None:
            self._seconds_a_step = (now - self._ended) / steps
        self._ended = now

    def steps(self) -> int:
        if jax.process_count() > 1:
            return 2**31 - 1  # all processes must take the same
        if self._seconds_a_step is None:
            return 1
        return max(1, int(_SECONDS_A_CALL / self._seconds_a_step))


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
