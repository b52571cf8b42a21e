"""Trains the DCGAN: `python -m experiments.dcgan --help`."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import optax

from experiments.command_line import run
from jaxlayers import data, train
from jaxlayers.models import dcgan


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
    out: Path | None = None
    """The folder of the run; runs/dcgan-PRESET-TIME where not given."""


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
    """Runs the experiment; returns the exit status, 130 after Ctrl-C."""
    preset = PRESETS[config.preset]
    dataset = data.load(config.data, split="all")
    image_shape = dataset.images.shape[1:]
    if image_shape[-1] not in (1, 3):
        raise ValueError(f"data: images must have 1 or 3 channels, got {dataset}")
    generator: dict[str, Any] = {
        "image_shape": image_shape,
        "width": preset.generator_width,
        "dropout": preset.dropout,
    }
    task = train.GAN(
        dcgan.generator(**generator),
        dcgan.discriminator(image_shape, preset.discriminator_width, preset.dropout, logits=True),
        preset.generator_optimizer(),
        preset.discriminator_optimizer(),
    )
    fit_config = train.FitConfig(
        steps=preset.steps if config.steps is None else config.steps,
        batch_size=preset.batch_size if config.batch_size is None else config.batch_size,
        seed=config.seed,
    )
    # Too few images for a batch should fail before there is a folder.
    data.batch_at(dataset, fit_config.batch_size, seed=fit_config.seed, step=0)
    out = config.out or Path("runs") / f"dcgan-{config.preset}-{datetime.now():%Y%m%d-%H%M%S}"
    folder = train.RunFolder(out)
    folder.create(
        config=asdict(config) | asdict(fit_config) | {"out": str(out)},
        model={"model": "dcgan.generator", "arguments": generator, "params": "generator"},
    )
    print(f"{dataset}\n{config.preset} preset, {fit_config.steps} steps, into {out}", flush=True)
    fitted = train.fit(task, dataset, fit_config, folder)
    print(f"samples, curves and parameters are in {out}")
    return 130 if fitted.interrupted else 0


if __name__ == "__main__":
    sys.exit(run(main, Config))
