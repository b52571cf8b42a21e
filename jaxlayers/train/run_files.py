"""The files that `fit` writes at the beginning and at the end of a run."""

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax

from jaxlayers.data import Dataset, border
from jaxlayers.layer import Layer, Params, State
from jaxlayers.metrics.image_scores import ScoredImages
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.load import describe, save_models
from jaxlayers.runs.recorder import Recorder
from jaxlayers.train import inputs
from jaxlayers.train.sample_scores import SampleScores
from jaxlayers.train.task import HasModels, TrainState


def run_description(task: Any, rows: Any) -> dict[str, Any]:
    """Returns the entries of config.json in addition to the config."""
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


def model_description(task: Any, train_state: TrainState, data: Any, rows: Any) -> dict[str, Any]:
    """Returns the entries of model.json: the models and a description of their inputs."""
    described: dict[str, Any] = {}
    if isinstance(task, HasModels):
        described |= describe(_models(task, train_state))
    if isinstance(data, Dataset) and data.labels is not None and isinstance(rows, tuple):
        names = data.class_names or tuple(map(str, range(data.labels.max() + 1)))
        preprocessing = {"background": data.background or "white", "border": border(data.images)}
        described |= {"class_names": names, "preprocessing": preprocessing}
    return described


@contextmanager
def remove_if_not_started(folder: RunFolder, new: bool) -> Iterator[None]:
    """Removes the folder of a new run that fails before its first step."""
    try:
        yield
    except BaseException:
        started = folder.rows() or any((folder.path / "checkpoints").glob("[0-9]*"))
        if new and not started:
            folder.remove()
        raise


def write_scores(
    scores: Any, last: tuple[int, Mapping[str, float]] | None, folder: RunFolder | None
) -> None:
    """Writes the last scores of generated images, together with those of real images.

    Args:
        scores: The argument `scores` of `fit`; only those of `SampleScores` are written.
        last: The step after which scores were computed, and the scores; `None` if there are none.
        folder: The folder of the run; `None` to write nothing.
    """
    if isinstance(scores, SampleScores) and last is not None and folder is not None:
        step, values = last
        scored = ScoredImages(dict(values), scores.samples, None)
        scores.table(scored, step).write(folder.path / "scores.json")


def write_results(
    task: Any, train_state: TrainState, folder: RunFolder | None, recorder: Recorder
) -> None:
    """Writes the trained models, the curves and the report."""
    if folder is not None:
        if isinstance(task, HasModels):
            save_models(folder, _models(task, train_state))
        else:
            folder.save_parameters(train_state.params, train_state.state)
    recorder.close()


def _models(task: HasModels, train_state: TrainState) -> dict[str, tuple[Layer, Params, State]]:
    """Returns the models of a task after checking their form."""
    models = task.models(train_state)
    entries = models.items() if isinstance(models, dict) else [(None, models)]
    for name, entry in entries:
        if name is not None and isinstance(entry, tuple) and len(entry) == 3:
            continue
        got = type(entry).__name__ + ("" if name is None else f" for {name!r}")
        raise TypeError(
            f"fit: {type(task).__name__}.models must return a dictionary from names to tuples "
            f"(model, params, state), got {got}"
        )
    return models
