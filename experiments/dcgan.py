"""Trains a DCGAN: `python -m experiments.dcgan --help`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import jax
import optax

from experiments.command_line import run
from experiments.machines import Machines, use_compilation_cache
from experiments.resuming import finish, open_folder
from jaxlayers import data, train
from jaxlayers.models import dcgan
from jaxlayers.runs.terminal import print_line


@dataclass(frozen=True)
class Config:
    """Trains a DCGAN on images and writes all outputs to the folder of the run."""

    preset: Literal["small", "seed"] = "small"
    """small: a narrow model that generates digits after a few minutes on two CPU cores; seed: the
    model as published for Keras, for accelerators."""
    data: str = "mnist-5k"
    """mnist-5k (included), mnist, fashion-mnist, cifar10 (downloaded once), or a path: a folder of
    IDX files, an .npz or .npy file, a folder or .zip of images."""
    steps: int | None = None
    """Number of training steps; by default as in the preset."""
    batch_size: int | None = None
    """Number of images per step; by default as in the preset."""
    seed: int = 0
    """Seed of the params, the order of the data and all random numbers."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Dtype of computations; params, statistics, losses and optimizers are always float32."""
    loss: Literal[
        "non_saturating",
        "least_squares",
        "hinge",
        "wasserstein",
        "relativistic_average",
        "relativistic_pairing",
    ] = "non_saturating"
    """Loss of both models; see docs/training.md."""
    ema: float | None = None
    """Decay per step, such as 0.999, of a moving average of the generator's params, which is used
    for sampling; by default no average."""
    accumulate: int = 1
    """Number of steps whose gradients are accumulated for one update."""
    size: tuple[int, int] | None = None
    """Height and width to resize images to; required if files differ in size."""
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
    checkpoint_every: int = 500
    """Number of steps between checkpoints."""
    best: str | None = None
    """Name of a metric, such as generator_loss, whose best checkpoint is kept in addition to the
    last three."""
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
        return replace(
            self,
            steps=preset.steps if self.steps is None else self.steps,
            batch_size=preset.batch_size if self.batch_size is None else self.batch_size,
        )

    def decoding(self) -> dict[str, Any]:
        """Returns the arguments of `data.load` for the decoding of image files."""
        names = ("size", "background", "color_mode", "skip_unreadable")
        return {name: getattr(self, name) for name in names}

    def changeable(self, started: "Config") -> tuple[str, ...]:
        """Returns the additional fields that may differ when a run is resumed."""
        # In-memory and streamed images are in different orders.
        same_order = (self.workers is None) == (started.workers is None)
        return ("steps", "workers") if same_order else ("steps",)


@dataclass(frozen=True)
class Preset:
    """A combination of sizes and optimizers."""

    generator_width: int
    discriminator_width: int
    dropout: float
    steps: int
    batch_size: int
    generator_optimizer: Callable[[], optax.GradientTransformation]
    discriminator_optimizer: Callable[[], optax.GradientTransformation]


PRESETS = {
    "small": Preset(
        generator_width=64,
        discriminator_width=16,
        dropout=0.0,
        steps=3000,
        batch_size=64,
        generator_optimizer=lambda: optax.adam(1e-3, b1=0.5),
        discriminator_optimizer=lambda: optax.adam(5e-4, b1=0.5),
    ),
    "seed": Preset(
        generator_width=256,
        discriminator_width=64,
        dropout=0.4,
        steps=10000,
        batch_size=256,
        generator_optimizer=lambda: train.rmsprop(1e-4, decay=3e-8),
        discriminator_optimizer=lambda: train.rmsprop(2e-4, decay=6e-8),
    ),
}


def main(config: Config) -> int:
    """Trains the model and returns the exit status, 130 after Ctrl-C and 143 after SIGTERM."""
    config = config.resolved()
    resume = config.resume if config.resume_step is None else config.resume_step
    if config.accumulate < 1:
        raise ValueError(f"accumulate must be a positive integer, got {config.accumulate}")
    config.machines.join()
    if config.compilation_cache:
        use_compilation_cache()
    preset = PRESETS[config.preset]
    dataset: data.Dataset | data.Streamed
    if config.workers is None:
        dataset = data.load(config.data, split="all", labels=False, **config.decoding())
    else:
        dataset = data.Streamed(config.data, workers=config.workers, **config.decoding())
    image_shape = dataset.image_shape
    if image_shape[-1] not in (1, 3):
        raise ValueError(f"data: images must have 1 or 3 channels, got {dataset}")
    generator: dict[str, Any] = {
        "image_shape": image_shape,
        "width": preset.generator_width,
        "dropout": preset.dropout,
    }
    float32_models = (
        dcgan.generator(**generator),
        dcgan.discriminator(image_shape, preset.discriminator_width, preset.dropout, logits=True),
    )
    models = [train.InBfloat16(m) if config.precision == "bfloat16" else m for m in float32_models]
    task = train.GAN(
        models[0],
        models[1],
        _with_accumulation(preset.generator_optimizer(), config.accumulate),
        _with_accumulation(preset.discriminator_optimizer(), config.accumulate),
        config.ema,
        config.loss,
    )
    assert config.steps is not None and config.batch_size is not None  # resolved
    fit_config = train.FitConfig(
        steps=config.steps,
        batch_size=config.batch_size,
        seed=config.seed,
        log_every=config.log_every,
        sample_every=config.sample_every,
        checkpoint_every=config.checkpoint_every,
        best=config.best,
        devices=config.devices,
    )
    out = config.out or Path("runs") / f"dcgan-{config.preset}-{datetime.now():%Y%m%d-%H%M%S}"
    folder = open_folder(config, out)
    if jax.process_index() == 0:
        print_line(f"{dataset}\n{config.preset} preset, {fit_config.steps} steps, into {out}")
    result = train.fit(task, dataset, fit_config, folder, resume=resume)
    return finish(config, out, fit_config, result)


def _with_accumulation(
    optimizer: optax.GradientTransformation, steps: int
) -> optax.GradientTransformation:
    """Returns an optimizer that accumulates gradients over several steps."""
    if steps == 1:
        return optimizer
    return optax.MultiSteps(optimizer, steps).gradient_transformation()


if __name__ == "__main__":
    sys.exit(run(main, Config))
