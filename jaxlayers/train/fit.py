"""The training function, `fit`."""

import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxlayers.runs.checkpoint import Checkpoints
from jaxlayers.runs.folder import RunFolder, columns
from jaxlayers.runs.recorder import Recorder
from jaxlayers.runs.terminal import print_line, show_progress
from jaxlayers.train import inputs
from jaxlayers.train.callbacks import Callback, EarlyStopping
from jaxlayers.train.config import FitConfig
from jaxlayers.train.evaluation import Evaluation
from jaxlayers.train.fit_arguments import (
    check_config,
    check_folder,
    check_metric_names,
    check_steps,
    initial_state,
)
from jaxlayers.train.interruption import interruptible
from jaxlayers.train.loop import Best, Loop, is_better
from jaxlayers.train.run_files import (
    model_description,
    remove_if_not_started,
    run_description,
    write_results,
    write_scores,
)
from jaxlayers.train.sample_scores import Scores
from jaxlayers.train.sharding import Devices
from jaxlayers.train.task import Evaluates, Task, TrainState, check_task


@dataclass(frozen=True)
class FitResult:
    """The result of `fit`.

    Args:
        train_state: The state after the last step, or that of `best` if a callback restores it.
        history: One array per logged metric, and the arrays `step` and `seconds`, all of the same
            length. Missing values are NaN, such as `val_loss` between evaluations. The history of
            a resumed run includes the steps before it was interrupted.
        best: The step with the best value of `config.best`, the value, and the state; `None` if
            `config.best` is `None` and no callback restores the best state.
        signal: The number of the signal that ended the run early, if any.
    """

    train_state: TrainState
    history: Mapping[str, np.ndarray] = field(default_factory=dict)
    best: Best | None = None
    signal: int | None = None

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended the run early."""
        return self.signal is not None


def fit(
    task: Task,
    data: Any,
    config: FitConfig,
    folder: str | Path | RunFolder | None = None,
    *,
    validation_data: Any = None,
    scores: Scores | None = None,
    initial: Any = None,
    resume: bool | int = False,
    callbacks: Sequence[Callback] = (),
    verbose: bool = True,
) -> FitResult:
    """Trains a task.

    Each compiled call runs many steps. The data is kept in device memory and shuffled there every
    epoch, without replacement; data that does not fit is streamed from the host. Python processes
    the results of a call while the next one runs.

    Args:
        task: The task to train, such as `GAN`.
        data: A `Dataset`, of which a `GAN` uses the images and a `Classifier` also the labels;
            images, uint8 [N, height, width, channels]; a tuple of arrays of equal length; or
            streamed data, such as `data.Streamed`.
        config: The number of steps, the batch size and other settings.
        folder: The folder of the run, which `fit` creates. Metrics, samples, checkpoints, the
            report and the trained models, which `runs.load` loads, are written to it. If `None`,
            nothing is written.
        validation_data: Validation data, of the same kind as `data`. It is evaluated every
            `config.evaluate_every` steps and at the end; the metrics are logged with the prefix
            `val_`.
        scores: Scores of generated images, such as `SampleScores`. They are computed every
            `config.score_every` steps and after the last one, and logged with the metrics.
        initial: Initial values, instead of newly initialized params: a tuple `(params, state)` as
            returned by `runs.load` and `interop.keras.load` (for a GAN, dictionaries with the keys
            `"generator"` and `"discriminator"`), or a `TrainState`, to continue from its step.
        resume: Whether to resume from the last checkpoint in `folder`; or the step of the
            checkpoint to resume from. The results are bitwise equal to those of an uninterrupted
            run.
        callbacks: Functions called with the step, the metrics and the train state whenever metrics
            are logged; training ends if one returns True. An example is `EarlyStopping`.
        verbose: Whether to print progress.

    Returns:
        The last state, the history of the metrics and, if `config.best` is given, the best state.
        Ctrl-C, SIGTERM and SIGHUP end the training after the current call and still write all
        outputs; a second signal ends the process immediately.

    Raises:
        FileExistsError: If `folder` is in use; its content is not changed.
        FileNotFoundError: If there is no run to resume in `folder`.
        TypeError: If an argument has the wrong type.
        ValueError: If there are fewer examples than `batch_size`, the task does not accept the
            data, the batch cannot be divided among the devices, or `config.best` is not a metric.
        CheckpointError: If there is no checkpoint to resume from, the checkpoint is damaged or has
            another configuration, or a checkpoint cannot be written.
        NotFiniteError: If a metric or a parameter became NaN or infinite. The error has the last
            finite state, which is also saved in the folder.

    Example:
        >>> import optax
        >>> from jaxlayers.models import cnn
        >>> from jaxlayers.train import Classifier
        >>> images, labels = np.zeros((8, 28, 28, 1), np.uint8), np.arange(8)
        >>> task = Classifier(cnn.lenet(width=2, hidden=4), optax.adam(1e-3))
        >>> result = fit(task, (images, labels), FitConfig(steps=2, batch_size=4), verbose=False)
        >>> int(result.train_state.step), sorted(result.history)[:3]
        (2, ['accuracy', 'loss', 'seconds'])
    """
    check_task(task)
    config, callbacks = check_config(config, callbacks)
    is_main_process = jax.process_index() == 0
    folder = check_folder(folder, resume, is_main_process)
    devices = Devices(config.devices, config.batch_size)
    rows = inputs.rows_of(task, data)
    steps = inputs.steps_on(task, rows, config, devices)
    validation_rows = None if validation_data is None else inputs.rows_of(task, validation_data)
    evaluation = None
    if validation_data is not None:
        if not isinstance(task, Evaluates):
            raise ValueError(
                f"fit: validation_data requires a task with a method evaluate, "
                f"got {type(task).__name__}"
            )
        evaluation = Evaluation(task, validation_rows, config.batch_size, devices)
    init_key, sample_key = jax.random.split(jax.random.key(config.seed))
    train_state = devices.place(initial_state(task, init_key, initial, config))
    check_metric_names(task, config, callbacks, train_state, rows, validation_rows, scores)
    with ExitStack() as stack:
        stack.callback(steps.close)
        checkpoints, best = None, None
        if folder is not None:
            if is_main_process:
                stack.enter_context(folder.open(resume=resume is not False))
                stack.enter_context(remove_if_not_started(folder, new=resume is False))
            checkpoints = Checkpoints(
                folder.path / "checkpoints",
                inputs.identity(config, rows),
                config.keep,
                config.best,
            )
            stack.callback(checkpoints.close)
        if resume is not False:
            assert checkpoints is not None
            like = train_state
            train_state = checkpoints.restore(like, None if resume is True else resume)
            check_steps(config, int(train_state.step))
            checkpoints.forget_after(int(train_state.step))
        if folder is not None and is_main_process:
            # Only after a successful restore, because a failed one must not change the folder.
            folder.write_config(asdict(config) | run_description(task, rows))
            if resume is False:
                folder.write_model(model_description(task, train_state, data, rows))
        interruption = stack.enter_context(interruptible())
        progress = stack.enter_context(
            show_progress(config.steps, config.batch_size, quiet=not (is_main_process and verbose))
        )
        output = folder if is_main_process else None
        recorder = Recorder(progress, output, int(train_state.step))
        stopped = _reset_callbacks(callbacks, recorder.rows)
        if resume is not False and config.best is not None and checkpoints is not None:
            best = _best_so_far(config.best, recorder.rows, checkpoints, like)
        loop = Loop(
            *(task, steps, evaluation, config, sample_key, recorder, checkpoints, callbacks),
            best=best,
            scores=scores,
        )
        try:
            train_state = loop.run(
                train_state, lambda: stopped or _any_process(interruption.stop_requested)
            )
        except BaseException:
            # Writing the results may fail too; the original error is raised.
            with suppress(Exception):
                write_results(task, loop.last_finite, output, recorder)
            raise
        last_step = int(train_state.step)
        restores = any(isinstance(c, EarlyStopping) and c.restore_best for c in callbacks)
        if loop.best is not None and restores:
            train_state = loop.best.state
        write_scores(scores, loop.last_scores, output)
        write_results(task, train_state, output, recorder)
    number = interruption.signal if last_step < config.steps else None
    if number is not None and is_main_process and verbose:
        name = signal.Signals(number).name
        print_line(f"stopped by {name} at step {last_step} of {config.steps}")
    return FitResult(train_state, columns(recorder.rows), loop.best, number)


def _reset_callbacks(callbacks: Sequence[Callback], rows: Sequence[Mapping[str, float]]) -> bool:
    """Resets the callbacks with the metrics so far; returns whether one ends the training."""
    stopping = [callback for callback in callbacks if isinstance(callback, EarlyStopping)]
    for callback in stopping:
        callback.reset(rows)
    return any(callback.stopped for callback in stopping)


def _best_so_far(
    name: str, rows: Sequence[Mapping[str, float]], checkpoints: Checkpoints, like: TrainState
) -> Best | None:
    """Returns the best step of a resumed run among those with a checkpoint."""
    kept = checkpoints.steps()
    best: tuple[int, float] | None = None
    for row in rows:
        step, value = int(row["step"]), row.get(name)
        if value is None or step not in kept:
            continue
        if best is None or is_better(name, value, best[1]):
            best = step, value
    if best is None:
        return None
    step, value = best
    return Best(step, value, checkpoints.restore(like, step))


def _any_process(stop_requested: bool) -> bool:
    """Returns whether any process has received a signal to stop."""
    if jax.process_count() == 1:
        return stop_requested
    return bool(multihost_utils.process_allgather(np.array(stop_requested)).any())
