"""Generates samples from a trained model: `python -m experiments.sample --help`."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from experiments.command_line import run
from experiments.generators import Generator, load_generator
from jaxlayers.runs import latents, plots

# The default grid of a conditional generator.
_PER_CLASS, _MOST_ROWS = 10, 20


@dataclass(frozen=True)
class Config:
    """Generates samples from the model in the folder of a run."""

    folder: Path
    """Folder of a run of experiments.dcgan, or of a converted Keras file."""
    n: int | None = None
    """Number of samples; by default 64, or 10 of each class of a conditional generator with at most
    20 classes."""
    label: str | None = None
    """Class of the samples of a conditional generator, by its name or number. By default, there are
    equally many of each class, and each row of the grid shows one class if n is a multiple of the
    number of classes."""
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
    if config.n is not None and config.n < 1:
        raise ValueError(f"n must be a positive integer, got {config.n}")
    if not 0 <= config.seed < 2**63:
        raise ValueError(f"seed must be from 0 to 2**63 - 1, got {config.seed}")
    if config.out.suffix not in (".png", ".npy"):
        raise ValueError(f"out must end in .png or .npy, got {config.out}")
    if not 0 <= config.truncation <= 1:
        raise ValueError(f"truncation must be a number from 0 to 1, got {config.truncation}")
    if config.interpolate and config.n == 1:
        raise ValueError(f"n must be at least 2 to interpolate, got {config.n}")
    generator = load_generator(config.folder)
    if config.out.suffix == ".png" and generator.image_shape[-1] not in (1, 3):
        raise ValueError(
            f"{config.folder}: a .png needs images with 1 or 3 channels, got images of shape "
            f"{generator.image_shape}; use --out FILE.npy"
        )
    label = generator.label(config.label)
    classes = len(generator.class_names) if label is None else 0
    default = _PER_CLASS * classes if 0 < classes <= _MOST_ROWS else 64
    n = default if config.n is None else config.n
    # One class per row if the rows are complete, otherwise a near-square grid.
    columns = n // classes if classes and n % classes == 0 else math.ceil(math.sqrt(n))
    labels = generator.labels(n) if label is None else jnp.full(n, label)
    if labels is not None and config.interpolate:
        # Each row shows the class that it begins with.
        labels = labels[jnp.arange(n) // columns * columns]
    images = generator.images(_latents(generator, config, n, columns), labels)
    if config.out.suffix == ".png":
        plots.save_grid(images, config.out, columns=columns)
    else:
        np.save(config.out, images)
    print(f"{n} samples written to {config.out}")
    return 0


def _latents(generator: Generator, config: Config, n: int, columns: int) -> jax.Array:
    """Returns the latent vectors, truncated and interpolated as in the config."""
    key = jax.random.key(config.seed)
    if config.interpolate is None:
        vectors = latents.uniform(key, n, generator.latent_size)
    else:
        ends = latents.uniform(key, 2 * math.ceil(n / columns), generator.latent_size)
        vectors = latents.rows_between(config.interpolate, ends, columns)[:n]
    return latents.truncate(vectors, config.truncation)


if __name__ == "__main__":
    sys.exit(run(main, Config))
