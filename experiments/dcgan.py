"""Trains a DCGAN: `python -m experiments.dcgan --help`."""

import sys
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import jax

from experiments.command_line import run
from experiments.machines import Machines, use_compilation_cache
from experiments.presets import PRESETS, Loss, Preset
from experiments.resuming import finish, open_folder
from jaxlayers import data, train
from jaxlayers.runs.terminal import print_line


@dataclass(frozen=True)
class Config:
    """Trains a DCGAN on images and writes all outputs to the folder of the run."""

    preset: Literal["small", "conditional", "seed", "dcgan64", "modern64", "cifar32"] = "small"
    """small: a narrow model that generates digits after a few minutes on two CPU cores.
    conditional: the same with labels, so that samples of one class can be requested.
    seed: the model as published for Keras, for accelerators.
    dcgan64: the published DCGAN at 64 x 64 pixels, for accelerators.
    modern64: residual networks at 64 x 64 pixels, with a relativistic loss, gradient penalties and
    adaptive augmentation; cifar32: the same at 32 x 32 pixels."""
    data: str = "mnist-5k"
    """mnist-5k (included), mnist, fashion-mnist, cifar10 (downloaded once), stacked-mnist-5k and
    stacked-mnist (digits as color channels), or a path: a folder of IDX files, an .npz or .npy
    file, a folder or .zip of images."""
    steps: int | None = None
    """Number of training steps; by default as in the preset."""
    batch_size: int | None = None
    """Number of images per step; by default as in the preset."""
    seed: int = 0
    """Seed of the params, the order of the data and all random numbers."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Dtype of computations; params, statistics, losses and optimizers are always float32."""
    generator_width: int | None = None
    """Width of the generator; the widths, and all of the following options without another default,
    are by default as in the preset."""
    discriminator_width: int | None = None
    """Width of the discriminator."""
    generator_learning_rate: float | None = None
    """Learning rate of the generator."""
    discriminator_learning_rate: float | None = None
    """Learning rate of the discriminator."""
    learning_rate_decay: float | None = None
    """Fraction of the steps, at the end, in which the learning rates decrease linearly to 0."""
    discriminator_steps: int | None = None
    """Number of updates of the discriminator per step."""
    loss: Loss | None = None
    """Loss of both models; see docs/training.md."""
    regularizers: tuple[Literal["r1", "r2", "gradient_penalty"], ...] | None = None
    """Gradient penalties of the discriminator; without a name after it, none."""
    regularizer_weight: float | None = None
    """Weight of each gradient penalty."""
    regularizer_every: int | None = None
    """Number of steps from one computation of the gradient penalties to the next."""
    augmentations: tuple[Literal["translation", "color", "cutout", "flip"], ...] | None = None
    """Random augmentations of real and generated images; without a name after it, none."""
    augmentation_probability: float | Literal["adaptive"] | None = None
    """Probability with which each augmentation is applied; adaptive: it increases as the
    discriminator overfits."""
    ema: float | None = None
    """Decay per step, such as 0.999, of a moving average of the generator's params, which is used
    for sampling; 0 for no average."""
    accumulate: int = 1
    """Number of steps whose gradients are accumulated for one update."""
    size: tuple[int, int] | None = None
    """Height and width to resize images to; by default as in the preset, 64 64 for dcgan64 and
    modern64, 32 32 for cifar32. Required by the others if files differ in size."""
    background: str = "white"
    """Color that transparent pixels of image files are blended with: white, black, or #rrggbb in
    hexadecimal, such as '#ff8000' (with quotes, because # begins a comment)."""
    color_mode: Literal["rgb", "grayscale"] | None = None
    """Color mode of the images; by default the color mode of the files."""
    skip_unreadable: bool = False
    """Skip image files that cannot be read, with a warning."""
    workers: int | None = None
    """Stream image files during training with this number of threads, for data that does not fit
    into memory; 0 reads each batch when it is needed. By default, data is loaded into memory."""
    devices: int | None = None
    """Number of devices that each batch is divided among; by default all devices."""
    log_every: int = 10
    """Number of steps between logged metrics."""
    sample_every: int = 250
    """Number of steps between grids of samples."""
    score_every: int | None = None
    """Number of steps between scores of 5,000 samples, which take time; by default, there are no
    scores. They use the features of a classifier, which is trained on the labels of the data before
    the first run and then cached; see docs/scores.md."""
    checkpoint_every: int = 500
    """Number of steps between checkpoints."""
    best: str | None = None
    """Name of a metric, such as generator_loss or, with --score-every, classifier_frechet_distance,
    whose best checkpoint is kept in addition to the last three."""
    out: Path | None = None
    """Folder of the run; by default runs/dcgan-PRESET-TIME."""
    resume: bool = False
    """Resume the run in the folder from its last checkpoint."""
    resume_step: int | None = None
    """Resume from the checkpoint at this step instead of the last one."""
    machines: Machines = field(default_factory=Machines)
    """Multi-process training."""
    compilation_cache: bool = True
    """Whether to cache compiled programs in the user's cache folder."""

    def resolved(self) -> "Config":
        """Returns the config with the defaults of the preset filled in."""
        preset = PRESETS[self.preset]
        missing = [name for name in _IN_PRESET if getattr(self, name) is None]
        return replace(self, **{name: getattr(preset, name) for name in missing})

    def decoding(self) -> dict[str, Any]:
        """Returns the arguments of `data.load` for the decoding of image files."""
        names = ("size", "background", "color_mode", "skip_unreadable")
        return {name: getattr(self, name) for name in names}

    def changeable(self, started: "Config") -> tuple[str, ...]:
        """Returns the additional fields that may differ when a run is resumed."""
        # In-memory and streamed images are in different orders.
        same_order = (self.workers is None) == (started.workers is None)
        # Learning rates that decrease until the last step depend on the number of steps.
        is_constant = not started.resolved().learning_rate_decay
        return ("workers",) * same_order + ("steps",) * is_constant


# The grids of samples of a conditional model.
_COLUMNS, _MOST_ROWS = 10, 20
# The options whose defaults are those of the preset.
_IN_PRESET = {field.name for field in fields(Config)} & {field.name for field in fields(Preset)}


def main(config: Config) -> int:
    """Trains the model and returns the exit status, 130 after Ctrl-C and 143 after SIGTERM."""
    config = config.resolved()
    resume = config.resume if config.resume_step is None else config.resume_step
    if config.accumulate < 1:
        raise ValueError(f"accumulate must be a positive integer, got {config.accumulate}")
    config.machines.join()
    if config.compilation_cache:
        use_compilation_cache()
    preset = replace(PRESETS[config.preset], **{name: getattr(config, name) for name in _IN_PRESET})
    dataset = _load(config, labels=preset.conditional or config.score_every is not None)
    if dataset.image_shape[-1] not in (1, 3):
        raise ValueError(f"data: images must have 1 or 3 channels, got {dataset}")
    classes = _classes(dataset) if preset.conditional else None
    task = preset.task(
        dataset.image_shape, classes, precision=config.precision, accumulate=config.accumulate
    )
    assert config.steps is not None and config.batch_size is not None  # resolved
    fit_config = train.FitConfig(
        steps=config.steps,
        batch_size=config.batch_size,
        seed=config.seed,
        log_every=config.log_every,
        sample_every=config.sample_every,
        **_grid(classes),
        **({} if config.score_every is None else {"score_every": config.score_every}),
        checkpoint_every=config.checkpoint_every,
        best=config.best,
        devices=config.devices,
    )
    out = config.out or Path("runs") / f"dcgan-{config.preset}-{datetime.now():%Y%m%d-%H%M%S}"
    folder = open_folder(config, out)
    if jax.process_index() == 0:
        print_line(f"{dataset}\n{config.preset} preset, {fit_config.steps} steps, into {out}")
    scores = None
    if config.score_every is not None:
        real = data.load_with_validation(config.data, **config.decoding())
        scores = train.SampleScores(train.classifier_features(real[0]), *real)
    result = train.fit(task, dataset, fit_config, folder, resume=resume, scores=scores)
    return finish(config, out, fit_config, result)


def _grid(classes: int | None) -> dict[str, int]:
    """Returns the arguments of `FitConfig` for grids of samples with one class per row."""
    if classes is None or classes > _MOST_ROWS:
        return {}
    return {"samples": _COLUMNS * classes, "sample_columns": _COLUMNS}


def _load(config: Config, labels: bool) -> data.Dataset | data.Streamed:
    """Returns the images, with labels or without."""
    needs = f"for the preset {config.preset}" if config.score_every is None else "for scores"
    if config.workers is not None:
        if labels:
            raise ValueError(
                f"workers must be omitted {needs}, because streamed images have no labels, got "
                f"{config.workers}"
            )
        return data.Streamed(config.data, workers=config.workers, **config.decoding())
    dataset = data.load(config.data, split="all", labels=labels, **config.decoding())
    if labels and dataset.labels is None:
        raise ValueError(
            f"data: must have labels {needs}, such as a folder with a sub-folder of images for "
            f"each class, got {dataset}"
        )
    return dataset


def _classes(dataset: data.Dataset | data.Streamed) -> int:
    """Returns the number of classes of images with labels."""
    assert isinstance(dataset, data.Dataset) and dataset.labels is not None
    names = dataset.class_names
    return int(dataset.labels.max()) + 1 if names is None else len(names)


if __name__ == "__main__":
    sys.exit(run(main, Config))
