"""Draws samples from a trained model: `python -m experiments.sample --help`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import saved_model
from experiments.command_line import run
from jaxlayers import Sequential, train
from jaxlayers.train import pictures


@dataclass(frozen=True)
class Config:
    """Draws samples from the model in the folder of a run."""

    folder: Path
    """The folder of the run."""
    n: int = 64
    """How many samples."""
    seed: int = 0
    """Of the latent vectors; not negative."""
    out: Path = Path("samples.png")
    """A .png with all samples in a grid, or an .npy of [n, height, width, channels], float32,
    0 to 1."""


def main(config: Config) -> int:
    """Draws and writes the samples; returns the exit status."""
    if config.n < 1:
        raise ValueError(f"n must be a positive integer, got {config.n}")
    if not 0 <= config.seed < 2**63:
        raise ValueError(f"seed must be from 0 to 2**63 - 1, got {config.seed}")
    if config.out.suffix not in (".png", ".npy"):
        raise ValueError(f"out must end in .png or .npy, got {config.out}")
    folder = train.RunFolder(config.folder)
    generator, params, state = saved_model.load(folder)
    shape, output = generator.input_shape, generator.output_shape()
    if shape is None or len(shape) != 1 or len(output) != 3:
        raise ValueError(
            f"{folder.path}: the model goes from {shape} to {output}; "
            "a generator goes from (latent_size,) to (height, width, channels)"
        )
    images = _sample(generator, params, state, config)
    if config.out.suffix == ".png":
        pictures.save_grid(images, config.out)
    else:
        np.save(config.out, images)
    print(f"{config.n} samples are in {config.out}")
    return 0


def _sample(generator: Sequential, params: Any, state: Any, config: Config) -> np.ndarray:
    """Returns the samples, computed in batches of one size, so that n may be large."""
    key = jax.random.key(config.seed)
    shape = (config.n, *(generator.input_shape or ()))
    latents = jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    apply = jax.jit(lambda latents: generator.apply(params, state, latents)[0])
    size = min(config.n, 256)
    batches = [apply(latents[start : start + size]) for start in range(0, config.n, size)]
    return np.concatenate(batches).astype(np.float32)


if __name__ == "__main__":
    sys.exit(run(main, Config))
