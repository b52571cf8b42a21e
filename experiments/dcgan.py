"""Trains the DCGAN: `python -m experiments.dcgan --help`."""

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
from jaxlayers.runs.terminal import say


@dataclass(frozen=True)
class Config:
    """Trains the DCGAN on images and leaves all that comes of it in a folder."""

    preset: Literal["small", "seed"] = "small"
    """small: a narrow model that writes digits after some minutes on two CPU cores;
    seed: the model as it was published for Keras, for accelerators."""
    data: str = "mnist-5k"
    """mnist-5k (embedded), mnist, fashion-mnist, cifar10 (fetched once), or a path: a folder of
    IDX files, an .npz or .npy, a folder or .zip of images."""
    steps: int | None = None
    """Training steps; the preset's where not given."""
    batch_size: int | None = None
    """Images a step; the preset's where not given."""
    seed: int = 0
    """Of the params, the order of the data and all random numbers."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What is computed in; params, statistics, losses and optimizers are float32 always."""
    ema: float | None = None
    """Decay a step of a moving average of the generator's params, such as 0.999; samples are
    drawn with it."""
    accumulate: int = 1
    """Steps whose gradients make one update."""
    size: tuple[int, int] | None = None
    """Height and width to which images are resized; needed where files differ in size."""
    background: Literal["white", "black"] = "white"
    """The color that transparent pixels of image files are blended with."""
    color_mode: Literal["rgb", "grayscale"] | None = None
    """The color mode of the images; as the files have it where not given."""
    skip_unreadable: bool = False
    """Leave out image files that cannot be read, with a warning, instead of ending."""
    workers: int | None = None
    """Read image files during training, in this number of threads (0: when a batch is needed),
    instead of before it: for data that is larger than memory."""
    devices: int | None = None
    """Devices that share each batch; all where not given."""
    log_every: int = 10
    """Steps between two lines of metrics."""
    sample_every: int = 250
    """Steps between two pictures of samples."""
    checkpoint_every: int = 500
    """Steps between two checkpoints."""
    best: str | None = None
    """Name of a metric, such as generator_loss; the checkpoint where it was smallest is kept
    beside the last three."""
    out: Path | None = None
    """The folder of the run; runs/dcgan-PRESET-TIME where not given."""
    resume: bool = False
    """Goes on with the run in the folder, from its last checkpoint."""
    resume_step: int | None = None
    """Goes on from the checkpoint after so many steps instead."""
    machines: Machines = field(default_factory=Machines)
    """Where several processes train together."""
    compilation_cache: bool = True
    """Whether compiled programs are kept in the user's cache, so that they compile once."""

    def resolved(self) -> "Config":
        """Returns the config with the preset's numbers where none were given."""
        preset = PRESETS[self.preset]
        return replace(
            self,
            steps=preset.steps if self.steps is None else self.steps,
            batch_size=preset.batch_size if self.batch_size is None else self.batch_size,
        )

    def decoding(self) -> dict[str, Any]:
        """Returns the arguments of `data.load` that say how image files are decoded."""
        names = ("size", "background", "color_mode", "skip_unreadable")
        return {name: getattr(self, name) for name in names}

    def free(self, started: "Config") -> tuple[str, ...]:
        """Returns what may differ from a run that is resumed, besides what always may."""
        # In memory and streamed, images come in different orders.
        streamed = (self.workers is None) == (started.workers is None)
        return ("steps", "workers") if streamed else ("steps",)


@dataclass(frozen=True)
class Preset:
    """Sizes and optimizers that go together."""

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
    """Runs the experiment; returns the exit status, 130 after Ctrl-C and 143 after SIGTERM."""
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
    models = (
        dcgan.generator(**generator),
        dcgan.discriminator(image_shape, preset.discriminator_width, preset.dropout, logits=True),
    )
    computing = [train.InBfloat16(m) if config.precision == "bfloat16" else m for m in models]
    task = train.GAN(
        computing[0],
        computing[1],
        _accumulating(preset.generator_optimizer(), config.accumulate),
        _accumulating(preset.discriminator_optimizer(), config.accumulate),
        config.ema,
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
        say(f"{dataset}\n{config.preset} preset, {fit_config.steps} steps, into {out}")
    result = train.fit(task, dataset, fit_config, folder, resume=resume)
    return finish(config, out, fit_config, result)


def _accumulating(
    optimizer: optax.GradientTransformation, steps: int
) -> optax.GradientTransformation:
    """Returns an optimizer that updates once in so many steps."""
    if steps == 1:
        return optimizer
    return optax.MultiSteps(optimizer, steps).gradient_transformation()


if __name__ == "__main__":
    sys.exit(run(main, Config))
