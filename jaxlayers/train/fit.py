"""The training function, `fit`."""

import platform
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxlayers.data import Dataset, border
from jaxlayers.runs.checkpoint import Checkpoints
from jaxlayers.runs.folder import RunFolder, columns
from jaxlayers.runs.load import describe, save_models
from jaxlayers.runs.names import VALIDATION
from jaxlayers.runs.recorder import Recorder
from jaxlayers.runs.terminal import say, show_progress
from jaxlayers.train import inputs
from jaxlayers.train.callbacks import Callback, EarlyStopping
from jaxlayers.train.config import FitConfig
from jaxlayers.train.evaluation import Evaluation
from jaxlayers.train.interruption import interruptible
from jaxlayers.train.loop import Best, Loop, is_better
from jaxlayers.train.sharding import Devices
from jaxlayers.train.task import Evaluates, HasModels, Task, TrainState, check_task


@dataclass(frozen=True)
class FitResult:
    """The result of `fit`.

    Args:
        train_state: The state after the last step, or that of `best` if a callback restores it.
        history: The logged metrics, one column per name, and the columns `step` and `seconds`; NaN
            where a step has no value, such as `val_loss` between evaluations. The history of a
            resumed run includes the steps before it was interrupted.
        best: The step at which `config.best` was best, its value and the state; `None` if
            `config.best` is.
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
    initial: Any = None,
    resume: bool | int = False,
    callbacks: Sequence[Callback] = (),
    verbose: bool = True,
) -> FitResult:
    """Trains a task.

    Many steps run in one compiled call. The data is kept in device memory and is shuffled there
    every epoch, without replacement; data that does not fit is streamed from the host. Python
    handles the results of a call while the next one runs.

    Args:
        task: The task to train, such as `GAN`.
        data: A `Dataset`, of which a `GAN` uses the images and a `Classifier` also the labels;
            images, uint8 [N, height, width, channels]; a tuple of arrays of equal length; or
            streamed data, such as `data.Streamed`.
        config: The number of steps, the batch size and other settings.
        folder: The folder of the run, which `fit` creates. Metrics, samples, checkpoints, the
            report and the trained models, which `runs.load` reads, are written to it. If `None`,
            nothing is written.
        validation_data: Data of the same kind to evaluate the task on, every
            `config.evaluate_every` steps and at the end; the metrics are logged with the prefix
            `val_`.
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
        FileExistsError: If `folder` is in use; nothing in it is changed.
        FileNotFoundError: If there is no run to resume in `folder`.
        TypeError: If an argument has the wrong type.
        ValueError: If there are fewer examples than `batch_size`, the task does not accept the
            data, the batch cannot be divided among the devices, or `config.best` is not a metric.
        CheckpointError: If there is no checkpoint to resume from, it is damaged or of another
            configuration, or a checkpoint cannot be written.
        NotFiniteError: If a metric or a parameter became NaN or infinite. The last finite state is
            in the error, and saved in the folder.

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
    config, callbacks = _checked(config, callbacks)
    leads = jax.process_index() == 0
    folder = _folder(folder, resume, leads)
    devices = Devices(config.devices, config.batch_size)
    rows = inputs.rows_of(task, data)
    steps = inputs.steps_on(task, rows, config, devices)
    validation_rows = None if validation_data is None else inputs.rows_of(task, validation_data)
    evaluation = None
    if validation_data is not None:
        if not isinstance(task, Evaluates):
            raise ValueError(
                f"fit: {type(task).__name__} has no method evaluate, which validation_data requires"
            )
        evaluation = Evaluation(task, validation_rows, config.batch_size, devices)
    init_key, sample_key = jax.random.split(jax.random.key(config.seed))
    train_state = devices.place(_initial(task, init_key, initial, config))
    _check_best(task, config, train_state, rows, validation_rows)
    with ExitStack() as stack:
        stack.callback(steps.close)
        checkpoints, best = None, None
        if folder is not None:
            if leads:
                stack.enter_context(folder.open(resume=resume is not False))
                stack.enter_context(_removed_unless_begun(folder, new=resume is False))
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
            _check_steps(config, int(train_state.step))
            checkpoints.forget_after(int(train_state.step))
        if folder is not None and leads:
            # Not earlier: a resume that fails must not change anything.
            folder.write_config(asdict(config) | _description(task, rows))
            if resume is False:
                folder.write_model(_models(task, train_state, data, rows))
        interruption = stack.enter_context(interruptible())
        progress = stack.enter_context(
            show_progress(config.steps, config.batch_size, quiet=not (leads and verbose))
        )
        writes = folder if leads else None
        recorder = Recorder(progress, writes, int(train_state.step))
        over = _reset(callbacks, recorder.rows)
        if resume is not False and config.best is not None and checkpoints is not None:
            best = _best_so_far(config.best, recorder.rows, checkpoints, like)
        loop = Loop(
            task, steps, evaluation, config, sample_key, recorder, checkpoints, callbacks, best
        )
        try:
            train_state = loop.run(train_state, lambda: over or _agreed(interruption.asked))
        except BaseException:
            # The original error is raised even if this fails as well.
            with suppress(Exception):
                _write_last(task, loop.good, writes, recorder)
            raise
        last_step = int(train_state.step)
        restores = any(isinstance(c, EarlyStopping) and c.restore_best for c in callbacks)
        if loop.best is not None and restores:
            train_state = loop.best.state
        _write_last(task, train_state, writes, recorder)
    number = interruption.signal if last_step < config.steps else None
    if number is not None and leads and verbose:
        name = signal.Signals(number).name
        say(f"stopped by {name} at step {last_step} of {config.steps}")
    return FitResult(train_state, columns(recorder.rows), loop.best, number)


def _checked(
    config: FitConfig, callbacks: Sequence[Callback]
) -> tuple[FitConfig, tuple[Callback, ...]]:
    """Checks the arguments and sets `config.best` to the metric that early stopping restores."""
    if not isinstance(config, FitConfig):
        raise TypeError(f"fit: config must be a FitConfig, got {config!r}")
    if callable(callbacks) or not all(map(callable, callbacks)):
        raise TypeError(
            f"fit: callbacks must be a list of functions (step, metrics, train_state), "
            f"got {callbacks!r}"
        )
    for callback in callbacks:
        if not (isinstance(callback, EarlyStopping) and callback.restore_best):
            continue
        monitor = callback.monitor
        if config.best not in (None, monitor):
            raise ValueError(
                f"fit: config.best must be {monitor!r} or None, because {callback} restores "
                f"the state at its best, got {config.best!r}"
            )
        config = replace(config, best=monitor)
    return config, tuple(callbacks)


def _folder(
    folder: str | Path | RunFolder | None, resume: bool | int, leads: bool
) -> RunFolder | None:
    """Returns the folder of the run after checking that it can be used."""
    if not isinstance(resume, int) or resume < 0:
        raise TypeError(f"fit: resume must be a bool or the step of a checkpoint, got {resume!r}")
    if folder is None:
        if resume is not False:
            raise ValueError(
                f"fit: resume needs folder, that of the run to resume, got resume={resume!r} and "
                "folder=None"
            )
        return None
    if not isinstance(folder, RunFolder):
        folder = RunFolder(folder)
    if leads and resume is False:
        folder.check_unused()
    elif leads:
        folder.check_resumable()
    return folder


def _initial(task: Any, key: jax.Array, initial: Any, config: FitConfig) -> TrainState:
    if initial is None:
        fresh: TrainState = task.init(key)
        return fresh
    if isinstance(initial, TrainState):
        if int(initial.step) >= config.steps:
            raise ValueError(
                f"fit: initial has taken {int(initial.step)} steps, config.steps must be more: it "
                f"is the step after which the training ends, got {config.steps}. Start at step 0 "
                "with initial=(params, state)"
            )
        return initial
    if not isinstance(initial, tuple) or len(initial) != 2:
        raise TypeError(
            "fit: initial must be a tuple (params, state) or a TrainState, "
            f"got {type(initial).__name__}"
        )
    params, state = initial
    begun: TrainState = task.init(key, params=params, state=state)
    return begun


def _check_steps(config: FitConfig, taken: int) -> None:
    if config.steps < taken:
        raise ValueError(
            f"fit: steps must be at least the {taken} that the run to resume has taken, got "
            f"{config.steps}; resume=STEP goes on from an earlier checkpoint"
        )


def _check_best(
    task: Any, config: FitConfig, train_state: TrainState, rows: Any, validation_rows: Any
) -> None:
    """Checks that `config.best` is a metric, before anything is compiled or written."""
    if config.best is None:
        return
    batch = inputs.first_batch(rows, config.batch_size)
    if batch is None:
        return
    metrics = list(jax.eval_shape(task.step, train_state, batch)[1])
    if validation_rows is not None:
        batch = inputs.first_batch(validation_rows, 1)
        metrics += [VALIDATION + name for name in jax.eval_shape(task.evaluate, train_state, batch)]
    if config.best not in metrics:
        hint = ""
        if config.best.startswith(VALIDATION) and validation_rows is None:
            hint = "; metrics that start with val_ require validation_data"
        raise ValueError(
            f"fit: best must be a metric of the task, {', '.join(metrics)}, "
            f"got {config.best!r}{hint}"
        )


def _description(task: Any, rows: Any) -> dict[str, Any]:
    """Returns the entries of config.json other than the config."""
    from jaxlayers import __version__

    device = jax.devices()[0]
    return {
        "task": type(task).__name__,
        "examples": inputs.count_of(rows),
        "environment": {
            "jaxlayers": __version__,
            "jax": jax.__version__,
            "python": platform.python_version(),
            "device": f"{device.platform}: {device.device_kind}",
            "device_count": jax.device_count(),
        },
    }


def _models(task: Any, train_state: TrainState, data: Any, rows: Any) -> dict[str, Any]:
    """Returns the entries of model.json: the models and a description of their inputs."""
    described: dict[str, Any] = {}
    if isinstance(task, HasModels):
        described |= describe(task.models(train_state))
    if isinstance(data, Dataset) and data.labels is not None and isinstance(rows, tuple):
        names = data.class_names or tuple(map(str, range(data.labels.max() + 1)))
        preprocessing = {"background": data.background or "white", "border": border(data.images)}
        described |= {"class_names": names, "preprocessing": preprocessing}
    return described


@contextmanager
def _removed_unless_begun(folder: RunFolder, new: bool) -> Iterator[None]:
    """Removes the folder of a new run that fails before its first step."""
    try:
        yield
    except BaseException:
        begun = folder.rows() or any((folder.path / "checkpoints").glob("[0-9]*"))
        if new and not begun:
            folder.remove()
        raise


def _reset(callbacks: Sequence[Callback], rows: Sequence[Mapping[str, float]]) -> bool:
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


def _write_last(
    task: Any, train_state: TrainState, folder: RunFolder | None, recorder: Recorder
) -> None:
    if folder is not None:
        if isinstance(task, HasModels):
            save_models(folder, task.models(train_state))
        else:
            folder.save_parameters(train_state.params, train_state.state)
    recorder.close()


def _agreed(asked: bool) -> bool:
    """Returns whether any process has received a signal to stop."""
    if jax.process_count() == 1:
        return asked
    return bool(multihost_utils.process_allgather(np.array(asked)).any())
