"""Checks of the arguments of `fit`, before anything is compiled or written."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.names import VALIDATION, score_group
from jaxlayers.train import inputs
from jaxlayers.train._checks import described
from jaxlayers.train.callbacks import Callback, EarlyStopping
from jaxlayers.train.config import FitConfig
from jaxlayers.train.sample_scores import Scores
from jaxlayers.train.task import TrainState


def check_config(
    config: FitConfig, callbacks: Sequence[Callback]
) -> tuple[FitConfig, tuple[Callback, ...]]:
    """Checks the arguments and sets `config.best` to the metric that early stopping restores."""
    if not isinstance(config, FitConfig):
        hint = ""
        if hasattr(config, "shape"):
            hint = "; inputs and targets are one argument, fit(task, (inputs, targets), config)"
        raise TypeError(f"fit: config must be a FitConfig, got {described(config)}{hint}")
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
                f"its best state, got {config.best!r}"
            )
        config = replace(config, best=monitor)
    return config, tuple(callbacks)


def check_folder(
    folder: str | Path | RunFolder | None, resume: bool | int, is_main_process: bool
) -> RunFolder | None:
    """Returns the folder of the run after checking that it can be used."""
    if not isinstance(resume, int) or resume < 0:
        raise TypeError(f"fit: resume must be a bool or the step of a checkpoint, got {resume!r}")
    if folder is None:
        if resume is not False:
            raise ValueError(
                f"fit: resume needs folder, the folder of the run to resume, got "
                f"resume={resume!r} and folder=None"
            )
        return None
    if not isinstance(folder, RunFolder):
        folder = RunFolder(folder)
    if is_main_process and resume is False:
        folder.check_unused()
    elif is_main_process:
        folder.check_resumable()
    return folder


def initial_state(task: Any, key: jax.Array, initial: Any, config: FitConfig) -> TrainState:
    """Returns the state before the first step, constructed from the argument `initial`."""
    if initial is None:
        initialized: TrainState = task.init(key)
        return initialized
    if isinstance(initial, TrainState):
        if int(initial.step) >= config.steps:
            raise ValueError(
                f"fit: config.steps, the step at which training ends, must be above "
                f"{int(initial.step)}, the step of initial, got {config.steps}. Use "
                "initial=(params, state) to start at step 0"
            )
        return initial
    if not isinstance(initial, tuple) or len(initial) != 2:
        raise TypeError(
            "fit: initial must be a tuple (params, state) or a TrainState, "
            f"got {type(initial).__name__}"
        )
    params, state = initial
    train_state: TrainState = task.init(key, params=params, state=state)
    return train_state


def check_steps(config: FitConfig, steps_taken: int) -> None:
    """Checks that `config.steps` is at least the number of steps that a resumed run has taken."""
    if config.steps < steps_taken:
        raise ValueError(
            f"fit: steps must be at least {steps_taken}, the steps that the resumed run has "
            f"taken, got {config.steps}; resume=STEP continues from an earlier checkpoint"
        )


def check_metric_names(
    task: Any,
    config: FitConfig,
    callbacks: Sequence[Callback],
    train_state: TrainState,
    rows: Any,
    validation_rows: Any,
    scores: Scores | None,
) -> None:
    """Checks that `config.best` and what `EarlyStopping` monitors are metrics of the run."""
    wanted = {
        callback.monitor: "EarlyStopping: monitor"
        for callback in callbacks
        if isinstance(callback, EarlyStopping)
    }
    if config.best is not None:
        wanted.setdefault(config.best, "fit: best")
    score_names = [] if scores is None else list(scores.names(task))
    if wanted.keys() <= {*score_names}:
        return
    batch = inputs.first_batch(rows, config.batch_size)
    if batch is None:
        return
    metrics = list(jax.eval_shape(task.step, train_state, batch)[1])
    if validation_rows is not None:
        batch = inputs.first_batch(validation_rows, 1)
        metrics += [VALIDATION + name for name in jax.eval_shape(task.evaluate, train_state, batch)]
    metrics += score_names
    for name, argument in wanted.items():
        if name in metrics:
            continue
        hint = ""
        if name.startswith(VALIDATION) and validation_rows is None:
            hint = "; metrics that start with val_ require validation_data"
        elif score_group(name) is not None and scores is None:
            hint = "; scores of generated images require scores"
        raise ValueError(
            f"{argument} must be a metric of the task, {', '.join(metrics)}, got {name!r}{hint}"
        )
