"""Computes with the latent vectors of samples: `python -m experiments.arithmetic --help`."""

import sys
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.command_line import run
from experiments.generators import load_generator
from jaxlayers.runs import latents, plots
from jaxlayers.runs.terminal import print_line


@dataclass(frozen=True)
class Config:
    """Computes mean(A) - mean(B) + mean(C) with the latent vectors of samples.

    The first three rows of the picture show the samples of A, B and C, and the images of their mean
    vectors in the last column. The image of the result is below these. The samples are those of
    experiments.sample with the same seed (and the same label, if the generator is conditional), by
    their positions in the grid: row by row, the first is 0.
    """

    folder: Path
    """Folder of a run of experiments.dcgan, or of a converted Keras file."""
    a: tuple[int, ...] = ()
    """Numbers of the samples of A; several with the same content give better results."""
    b: tuple[int, ...] = ()
    """Numbers of the samples of B."""
    c: tuple[int, ...] = ()
    """Numbers of the samples of C."""
    label: str | None = None
    """Class of all images, by its name or number; required if the generator is conditional."""
    seed: int = 0
    """Seed of the latent vectors; not negative."""
    out: Path = Path("arithmetic.png")
    """The .png file to write."""


def main(config: Config) -> int:
    """Writes the picture and returns the exit status."""
    groups = {name: getattr(config, name) for name in ("a", "b", "c")}
    for name, numbers in groups.items():
        if not numbers or not all(0 <= number < 2**16 for number in numbers):
            raise ValueError(
                f"{name} must be at least one number of a sample, from 0 to {2**16 - 1}, "
                f"got {numbers}"
            )
    if not 0 <= config.seed < 2**63:
        raise ValueError(f"seed must be from 0 to 2**63 - 1, got {config.seed}")
    if config.out.suffix != ".png":
        raise ValueError(f"out must end in .png, got {config.out}")
    generator = load_generator(config.folder)
    label = generator.label(config.label)
    if generator.class_names and label is None:
        raise ValueError("label must be the class of the images, because the generator has classes")
    count = 1 + max(max(numbers) for numbers in groups.values())
    samples = latents.uniform(jax.random.key(config.seed), count, generator.latent_size)
    a, b, c = (samples[jnp.array(numbers)] for numbers in groups.values())
    result = latents.arithmetic(a, b, c)
    means = [group.mean(0, keepdims=True) for group in (a, b, c)]
    vectors = jnp.concatenate([a, means[0], b, means[1], c, means[2], result[None]])
    labels = None if label is None else jnp.full(len(vectors), label)
    images = generator.images(vectors, labels)
    sizes = [len(group) for group in groups.values()]
    columns = max(sizes) + 1
    plots.save_grid(_in_rows(images, sizes, columns), config.out, columns=columns)
    print_line(f"the image of the result is at the bottom right of {config.out}")
    return 0


def _in_rows(images: np.ndarray, sizes: list[int], columns: int) -> np.ndarray:
    """Returns images in the order of a grid, with the last image of each row in the last column.

    Args:
        images: [N, height, width, channels].
        sizes: Number of images of each row before the last one.
        columns: Number of columns of the grid.
    """
    grid = np.zeros((4, columns, *images.shape[1:]), np.float32)
    start = 0
    for row, size in enumerate([*sizes, 0]):
        grid[row, :size] = images[start : start + size]
        grid[row, -1] = images[start + size]
        start += size + 1
    return grid.reshape(-1, *images.shape[1:])


if __name__ == "__main__":
    sys.exit(run(main, Config))
