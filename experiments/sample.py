"""Generates samples from a trained model: `python -m experiments.sample --help`."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from experiments.command_line import run
from jaxlayers import Layer, runs
from jaxlayers.runs import latents, plots
from jaxlayers.train.images import to_unit


@dataclass(frozen=True)
class Config:
    """Generates samples from the model in the folder of a run."""

    folder: Path
    """Folder of a run of experiments.dcgan, or of a converted Keras file."""
    n: int = 64
    """Number of samples."""
    seed: int = 0
    """Seed of the latent vectors; not negative."""
    truncation: float = 1.0
    """Factor, from 0 to 1, that the latent vectors are scaled by. Smaller values give more typical,
    but more similar images."""
    interpolate: Literal["linear", "spherical"] | None = None
    """Interpolate between pairs of latent vectors: each row of the grid goes from one image to
    another. Spherical interpolation keeps the length of the vectors."""
    out: Path = Path("samples.png")
    """A .png file with all samples in a grid, or an .npy file with a float32 array, [n, height,
    width, channels]. Values are from 0 to 1; the output of a model that ends in tanh is scaled."""


def main(config: Config) -> int:
    """Generates and writes the samples, and returns the exit status."""
    if config.n < 1:
        raise ValueError(f"n must be a positive integer, got {config.n}")
    if not 0 <= config.seed < 2**63:
        raise ValueError(f"seed must be from 0 to 2**63 - 1, got {config.seed}")
    if config.out.suffix not in (".png", ".npy"):
        raise ValueError(f"out must end in .png or .npy, got {config.out}")
    if not 0 <= config.truncation <= 1:
        raise ValueError(f"truncation must be a number from 0 to 1, got {config.truncation}")
    if config.interpolate and config.n < 2:
        raise ValueError(f"n must be at least 2 to interpolate, got {config.n}")
    generator, params, state = runs.load(config.folder)
    _check_generator(generator, config)
    images = _sample(generator, params, state, config)
    if config.out.suffix == ".png":
        plots.save_grid(images, config.out)
    else:
        np.save(config.out, images)
    print(f"{config.n} samples written to {config.out}")
    return 0


def _check_generator(model: Layer, config: Config) -> None:
    """Checks that a model is a generator, from latent vectors to images."""
    latent = model.input_shape
    image = None if latent is None else model.output_shape(latent)
    if latent is None or image is None or len(latent) != 1 or len(image) != 3:
        raise ValueError(
            f"{config.folder}: must contain a generator, which maps (latent_size,) to (height, "
            f"width, channels), got a model that maps {latent} to {image}"
        )
    if config.out.suffix == ".png" and image[-1] not in (1, 3):
        raise ValueError(
            f"{config.folder}: a .png needs images with 1 or 3 channels, got images of shape "
            f"{image}; use --out FILE.npy"
        )


def _sample(generator: Layer, params: Any, state: Any, config: Config) -> np.ndarray:
    """Returns the samples, computed in batches to limit memory use."""
    vectors = _latents(generator, config)
    apply = jax.jit(lambda vectors: generator.apply(params, state, vectors)[0])
    size = min(config.n, 256)
    batches = [apply(vectors[start : start + size]) for start in range(0, config.n, size)]
    images = np.concatenate(batches).astype(np.float32)
    return to_unit(generator, images)


def _latents(generator: Layer, config: Config) -> jax.Array:
    """Returns the latent vectors, truncated and interpolated as in the config."""
    (latent_size,) = generator.input_shape or ()
    key = jax.random.key(config.seed)
    if config.interpolate is None:
        vectors = latents.uniform(key, config.n, latent_size)
    else:
        columns = math.ceil(math.sqrt(config.n))  # as in the grid
        ends = latents.uniform(key, 2 * math.ceil(config.n / columns), latent_size)
        vectors = latents.rows_between(config.interpolate, ends, columns)[: config.n]
    return latents.truncate(vectors, config.truncation)


if __name__ == "__main__":
    sys.exit(run(main, Config))
