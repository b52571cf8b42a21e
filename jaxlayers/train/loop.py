"""The loop itself: calls of many steps, and what is due between them."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxlayers.runs.checkpoint import Checkpoints
from jaxlayers.runs.names import VALIDATION
from jaxlayers.runs.recorder import Record
from jaxlayers.train.config import FitConfig
from jaxlayers.train.evaluation import Evaluation
from jaxlayers.train.nonfinite import first_not_finite
from jaxlayers.train.steps import Steps, Taken
from jaxlayers.train.task import Metrics, TrainState

# A call takes about so long where steps are slow: a person who stops a run waits for it.
_SECONDS_A_CALL = 2.0


class _Call(NamedTuple):
    """A call that runs, or has run, and what is to be done when it is over."""

    before: TrainState
    first: int  # steps taken before
    last: int  # and after
    taken: Taken
    samples: Array | None
    means: Metrics  # over held-out data


class Run:
    """The loop itself: one call runs while Python looks at the one before.

    Args:
        task: what to train.
        steps: what takes steps of it.
        evaluation: what is evaluated now and then; nothing where `None`.
        config: when to do what.
        picture_key: of the samples.
        record: what is told of metrics and samples.
        checkpoints: where checkpoints go; nowhere where `None`.
    """

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
            self._checkpoints.save(int(self.good.step), self.good, numbers)

    def _check_best(self, numbers: Mapping[str, float], evaluated: bool) -> None:
        """Checks at the first step, or evaluation, not at a checkpoint, that there is it."""
        best = self._config.best
        if best is None or best in numbers:
            return
        comes = self._evaluation is not None and best.startswith(VALIDATION)
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
            self._checkpoints.save(int(self.good.step), self.good, {})
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
