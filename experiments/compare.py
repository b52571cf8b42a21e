"""Compares losses and regularizers of GANs: `python -m experiments.compare --help`."""

import math
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import numpy as np

from experiments.command_line import run
from experiments.comparison_results import Result, Results
from experiments.comparison_tables import write_tables
from experiments.machines import disable_compilation_cache
from experiments.presets import PRESETS, Loss
from jaxlayers import data, runs, train
from jaxlayers.runs.lock import locked
from jaxlayers.runs.terminal import print_line

Penalties = Literal["none", "r1", "r1+r2", "gradient_penalty"]


@dataclass(frozen=True)
class Config:
    """Trains a GAN with each of several losses, regularizers and seeds, and writes a table.

    The same command continues a comparison that was interrupted, even within a run. With more
    losses, regularizers, seeds or data sets, it adds their runs.
    """

    out: Path = Path("runs/compare")
    """Folder of the comparison: table.md, the tables; results.jsonl, one line per finished run; and
    the folders of all runs."""
    data: tuple[str, ...] = ("mnist", "fashion-mnist")
    """Data sets with labels: mnist, fashion-mnist, cifar10 (downloaded once), mnist-5k (included),
    or paths as in experiments.cnn."""
    losses: tuple[Loss, ...] = get_args(Loss)
    """Losses of both models; see docs/training.md."""
    regularizers: tuple[Penalties, ...] = ("none", "r1", "r1+r2", "gradient_penalty")
    """Gradient penalties of the discriminator."""
    steps: int = 1000
    """Number of steps of each run."""
    batch_size: int = 32
    """Number of images per step."""
    seeds: int = 3
    """Number of runs of each combination, with the seeds 0, 1 and so on."""
    samples: int = 5000
    """Number of generated images that are scored."""
    checkpoint_every: int = 500
    """Number of steps between checkpoints, from which an interrupted run is continued."""


# R1 and R2 with the weight and the interval of the preset; the gradient penalty as published.
_REGULARIZERS: dict[Penalties, dict[str, Any]] = {
    "none": {"regularizers": ()},
    "r1": {"regularizers": ("r1",)},
    "r1+r2": {"regularizers": ("r1", "r2")},
    "gradient_penalty": {
        "regularizers": ("gradient_penalty",),
        "regularizer_weight": 10.0,
        "regularizer_every": 1,
    },
}
# The numbers of the preset that all runs have in common.
_COMMON = (
    "generator_width",
    "discriminator_width",
    "generator_learning_rate",
    "discriminator_learning_rate",
    "discriminator_steps",
    "regularizer_weight",
    "regularizer_every",
    "ema",
    "ema_warmup",
)
_SCORES = (
    "frechet_distance",
    "kernel_distance",
    "precision_recall",
    "density_coverage",
    "inception_score",
    "classes",
)
# Number of times that metrics are logged, and the time is measured.
_LOGS = 60


@dataclass(frozen=True, eq=False)
class _Source:
    """A data set, and the scores of images that are compared with it."""

    training: data.Dataset
    validation: data.Dataset
    samples: int

    @property
    def name(self) -> str:
        return self.training.name

    @property
    def real(self) -> tuple[str, None, None, int]:
        """The identity of the scores of real images."""
        return self.name, None, None, 0

    @cached_property
    def sample_scores(self) -> train.SampleScores:
        """The scores of samples; a classifier is trained when they are used first."""
        return train.SampleScores(
            train.classifier_features(self.training),
            self.training,
            self.validation.images,
            samples=self.samples,
            scores=_SCORES,
        )


@dataclass(frozen=True)
class _Run:
    """One run of the comparison."""

    source: _Source
    loss: Loss
    regularizer: Penalties
    seed: int

    @property
    def identity(self) -> tuple[str, str, str, int]:
        return self.source.name, self.loss, self.regularizer, self.seed


def main(config: Config) -> int:
    """Runs the comparison and returns the exit status, 130 after Ctrl-C and 143 after SIGTERM."""
    disable_compilation_cache()
    for name in ("seeds", "samples"):
        if getattr(config, name) < 1:
            raise ValueError(
                f"compare: {name} must be a positive integer, got {getattr(config, name)}"
            )
    _fit_config(config, 0)  # raises an error if an argument is wrong
    results = Results(config.out, _settings(config))
    sources = _sources(config)
    planned = [
        _Run(source, loss, regularizer, seed)
        for seed in range(config.seeds)
        for source in sources
        for loss in config.losses
        for regularizer in config.regularizers
    ]
    config.out.mkdir(parents=True, exist_ok=True)
    with locked(config.out):
        results.open()
        for number, each in enumerate(planned, 1):
            if each.identity in results.finished:
                continue
            if each.source.real not in results.finished:
                scores = _without_nan(each.source.sample_scores.validation_scores())
                results.append(Result(*each.source.real, None, None, scores))
            print_line(
                f"run {number} of {len(planned)}: {each.source.name}, {each.loss}, "
                f"{each.regularizer}, seed {each.seed}"
            )
            result = _result(config, each)
            if isinstance(result, int):
                print_line("to resume the comparison, run the same command again")
                return 128 + result
            results.append(result)
            # The checkpoints of all runs would take gigabytes.
            shutil.rmtree(_path(config, each) / "checkpoints", ignore_errors=True)
            write_tables(results)
    print_line(write_tables(results))
    return 0


def _sources(config: Config) -> list[_Source]:
    loaded = [data.load_with_validation(source) for source in config.data]
    names = [training.name for training, _ in loaded]
    if len(set(names)) < len(names):
        raise ValueError(
            f"compare: data must be sources with different names, got {', '.join(names)}"
        )
    return [_Source(*splits, config.samples) for splits in loaded]


def _settings(config: Config) -> dict[str, Any]:
    """Returns what all runs have in common."""
    device = jax.devices()[0]
    return {
        "device": f"{device.platform}: {device.device_kind}",
        **{name: getattr(config, name) for name in ("steps", "batch_size", "samples")},
        **{name: getattr(PRESETS["small"], name) for name in _COMMON},
    }


def _fit_config(config: Config, seed: int) -> train.FitConfig:
    return train.FitConfig(
        steps=config.steps,
        batch_size=config.batch_size,
        seed=seed,
        log_every=max(1, config.steps // _LOGS),
        sample_every=max(1, config.steps),
        checkpoint_every=config.checkpoint_every,
        keep=1,
    )


def _path(config: Config, each: _Run) -> Path:
    """Returns the folder of a run."""
    name, loss, regularizer, seed = each.identity
    return config.out / name / f"{loss}-{regularizer}-{seed}"


def _task(each: _Run) -> train.GAN:
    """Returns the task of the small preset with another loss and regularizer."""
    options = _REGULARIZERS[each.regularizer]
    preset = replace(PRESETS["small"], loss=each.loss, **options)
    return preset.task(each.source.training.image_shape)


def _result(config: Config, each: _Run) -> Result | int:
    """Returns the result of a run, or the number of the signal that interrupted it."""
    folder = runs.RunFolder(_path(config, each))
    has_checkpoint = any(p.name.isdigit() for p in folder.path.glob("checkpoints/*"))
    if folder.path.exists() and not has_checkpoint:
        folder.remove()  # the process was killed before the first checkpoint
    task = _task(each)
    fit_config = _fit_config(config, each.seed)
    try:
        fitted = train.fit(task, each.source.training, fit_config, folder, resume=has_checkpoint)
    except train.NotFiniteError as error:
        print_line(str(error), sys.stderr)
        return Result(*each.identity, int(error.train_state.step), None, {})
    if fitted.signal is not None:
        return fitted.signal
    scores = _without_nan(each.source.sample_scores(task, fitted.train_state))
    return Result(*each.identity, None, _seconds_per_step(fitted.history), scores)


def _without_nan(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


def _seconds_per_step(history: Mapping[str, np.ndarray]) -> float | None:
    """Returns the median over the logged steps, which excludes compilation."""
    if len(history["step"]) < 2:
        return None
    return float(np.median(np.diff(history["seconds"]) / np.diff(history["step"])))


if __name__ == "__main__":
    sys.exit(run(main, Config))
