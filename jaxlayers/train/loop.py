"""The training loop: compiled calls of many steps, and the work between them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxlayers.runs.checkpoint import Checkpoints
from jaxlayers.runs.names import VALIDATION, larger_is_better
from jaxlayers.runs.recorder import Recorder
from jaxlayers.train.callbacks import Callback
from jaxlayers.train.config import FitConfig
from jaxlayers.train.evaluation import Evaluation
from jaxlayers.train.nonfinite import first_not_finite
from jaxlayers.train.sample_scores import Scores
from jaxlayers.train.steps import StepResult, Steps
from jaxlayers.train.task import Metrics, Samples, TrainState

# The target duration of a call if steps are slow. A run can stop only after a call.
_SECONDS_PER_CALL = 2.0


class Best(NamedTuple):
    """The step with the best value of a metric."""

    step: int
    metric: float
    state: TrainState


class _Call(NamedTuple):
    """A running or finished call, and the results to be processed after it."""

    before: TrainState
    first: int  # number of steps taken before the call
    last: int  # number of steps taken after the call
    result: StepResult
    samples: Array | None
    evaluated: Metrics  # on validation data


class Loop:
    """Runs training steps; a call runs while Python processes the results of the previous one.

    Args:
        task: The task to train.
        steps: Takes steps of the task.
        evaluation: Evaluates the validation data; `None` if there is none.
        config: The intervals between logs, samples, evaluations, scores and checkpoints.
        sample_key: Random key of the samples.
        recorder: Writes metrics and samples.
        checkpoints: Writes checkpoints; `None` for no checkpoints.
        callbacks: Called with the metrics of each logged step.
        best: The best step so far, if the run is resumed.
        scores: Scores of generated images; `None` for no scores.
    """

    def __init__(
        self,
        task: Any,
        steps: Steps,
        evaluation: Evaluation | None,
        config: FitConfig,
        sample_key: Array,
        recorder: Recorder,
        checkpoints: Checkpoints | None,
        callbacks: Sequence[Callback] = (),
        best: Best | None = None,
        scores: Scores | None = None,
    ) -> None:
        self._steps, self._config, self._recorder = steps, config, recorder
        self._evaluation, self._checkpoints = evaluation, checkpoints
        self._callbacks, self._call_length = callbacks, _CallLength()
        self._sample_key = sample_key
        self._task, self._scores = task, scores
        self._sample = jax.jit(task.sample, static_argnums=2) if isinstance(task, Samples) else None
        self.best = best
        self.last_scores: tuple[int, Mapping[str, float]] | None = None  # after which step

    def run(self, train_state: TrainState, stop_requested: Callable[[], bool]) -> TrainState:
        """Takes the remaining steps, until a stop is requested.

        Args:
            train_state: The initial state.
            stop_requested: Returns whether a stop was requested.

        Returns:
            The state after the last step.

        Raises:
            NotFiniteError: If a metric or a parameter became NaN or infinite.
        """
        self.last_finite = train_state
        step, running = int(train_state.step), None
        while step < self._config.steps and not stop_requested():
            count = min(self._next_due_step(step) - step, self._call_length.steps())
            result = self._steps.take(train_state, step, count)
            samples = self._samples_if_due(result.train_state, step + count)
            evaluated = self._evaluation_if_due(result.train_state, step + count)
            call = _Call(train_state, step, step + count, result, samples, evaluated)
            if running is not None and self._finish(running):
                return self.last_finite  # discards the running call
            train_state, step, running = result.train_state, step + count, call
        if running is not None:
            self._finish(running, last=True)
        return train_state

    def _samples_if_due(
        self, train_state: TrainState, step: int, last: bool = False
    ) -> Array | None:
        """Returns samples from the same latent vectors each time, if they are due."""
        due = last or step % self._config.sample_every == 0
        if not due or self._sample is None:
            return None
        samples: Array = self._sample(train_state, self._sample_key, self._config.samples)
        return samples

    def _evaluation_if_due(self, train_state: TrainState, step: int, last: bool = False) -> Metrics:
        """Returns the metrics on validation data, if they are due."""
        config = self._config
        due = last or step % config.evaluate_every == 0
        # The best checkpoint is chosen by the metrics at each checkpoint.
        due |= config.best is not None and step % config.checkpoint_every == 0
        return self._evaluation.means(train_state) if due and self._evaluation else {}

    def _scores_if_due(self, step: int) -> Mapping[str, float]:
        """Returns the scores of images generated after a step, if they are due.

        They are computed while the next call runs, and not for a run that is interrupted.
        """
        config = self._config
        due = step == config.steps or step % config.score_every == 0
        if self._scores is None or not due:
            return {}
        scores = self._scores(self._task, self.last_finite)
        self.last_scores = step, scores
        self._call_length.paused()
        return scores

    def _next_due_step(self, step: int) -> int:
        """Returns the next step after which any output, such as a log or a sample, is due."""
        config = self._config
        every = [config.log_every, config.sample_every, config.checkpoint_every]
        if self._evaluation is not None:
            every.append(config.evaluate_every)
        if self._scores is not None:
            every.append(config.score_every)
        return min(config.steps, *(step - step % n + n for n in every))

    def _finish(self, call: _Call, last: bool = False) -> bool:
        """Waits for a call, processes its results, and returns whether to stop."""
        config, step = self._config, call.last
        finite, metrics = jax.device_get((call.result.finite, call.result.metrics))
        if not finite.all():
            raise self._not_finite(call)
        self.last_finite = call.result.train_state
        self._call_length.finished(call.last - call.first)
        evaluated = call.evaluated or (
            self._evaluation_if_due(self.last_finite, step, last) if last else {}
        )
        values = metrics | jax.device_get(evaluated)
        numbers = {name: value.item() for name, value in values.items()}
        scores = self._scores_if_due(step)
        numbers |= scores
        improved = self._improves(step, numbers, last or config.best in scores)
        stop = False
        if last or evaluated or scores or step % config.log_every == 0:
            self._recorder.metrics(step, numbers)
            for callback in self._callbacks:
                stop |= bool(callback(step, numbers, self.last_finite))
        last |= stop
        samples = call.samples
        if samples is None and last:
            samples = self._samples_if_due(self.last_finite, step, last)
        if samples is not None:
            self._recorder.samples(step, np.asarray(samples), config.sample_columns)
        if self._checkpoints is not None and (
            last or improved or step % config.checkpoint_every == 0
        ):
            self._checkpoints.save(step, self.last_finite, numbers)
        return stop

    def _improves(self, step: int, numbers: Mapping[str, float], last: bool) -> bool:
        """Stores the state if `config.best` has improved, and returns whether it has.

        Metrics of training batches, which exist for every step, are compared only at checkpoints.
        """
        name = self._config.best
        if name is None or not math.isfinite(numbers.get(name, math.nan)):
            return False
        due = last or step % self._config.checkpoint_every == 0 or name.startswith(VALIDATION)
        if not due or (self.best and not is_better(name, numbers[name], self.best.metric)):
            return False
        self.best = Best(step, numbers[name], self.last_finite)
        return True

    def _not_finite(self, call: _Call) -> Exception:
        error = first_not_finite(
            lambda train_state, step: self._steps.take(train_state, step, 1),
            call.before,
            call.first,
            call.last - call.first,
        )
        self.last_finite = error.train_state
        if (
            self._checkpoints is not None
            and int(self.last_finite.step) not in self._checkpoints.steps()
        ):
            self._checkpoints.save(int(self.last_finite.step), self.last_finite, {})
        return error


def is_better(name: str, value: float, best: float) -> bool:
    """Returns whether a value of a metric is better than the best one so far."""
    return value > best if larger_is_better(name) else value < best


class _CallLength:
    """Chooses the number of steps per call from the duration of previous calls."""

    def __init__(self) -> None:
        self._ended: float | None = None
        self._seconds_per_step: float | None = None

    def finished(self, steps: int) -> None:
        now = time.monotonic()
        if self._ended is not None:
            self._seconds_per_step = (now - self._ended) / steps
        self._ended = now

    def paused(self) -> None:
        """Excludes the next call, which has run while something else was computed."""
        self._ended = None

    def steps(self) -> int:
        if jax.process_count() > 1:
            return 2**31 - 1  # all processes must take the same number
        if self._seconds_per_step is None:
            return 1
        return max(1, int(_SECONDS_PER_CALL / self._seconds_per_step))
