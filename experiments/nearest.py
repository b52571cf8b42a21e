"""Shows the training images nearest to samples: `python -m experiments.nearest --help`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import numpy as np

from experiments.command_line import run
from experiments.generators import Generator, load_generator
from jaxlayers import data, runs, train
from jaxlayers.runs import latents, plots
from jaxlayers.runs.nearest import data_copying, nearest, nearest_others, side_by_side
from jaxlayers.runs.terminal import print_line

# Options of data.load in the config of a run.
_DECODING = ("background", "color_mode", "skip_unreadable")
_REAL = 256  # images whose distances those of samples are compared with


@dataclass(frozen=True)
class Config:
    """Shows whether a generator has memorized training images.

    Finds the nearest training images of samples, writes the samples that are nearest to one, each
    with its neighbors, and compares the distances with those between training images.
    """

    folder: Path
    """Folder of a run of experiments.dcgan, or of a converted Keras file."""
    data: str | None = None
    """The training images, as in experiments.dcgan; by default those of the run."""
    features: Literal["pixels", "classifier"] = "pixels"
    """What is compared. classifier: the features of a classifier that is trained on the data, which
    must have labels, and cached. Unlike pixels, they are similar for shifted images."""
    n: int = 256
    """Number of samples."""
    shown: int = 24
    """Number of samples in the picture."""
    k: int = 5
    """Number of neighbors of each sample in the picture."""
    seed: int = 0
    """Seed of the latent vectors, as in experiments.sample."""
    out: Path = Path("nearest.png")
    """The .png file to write."""


def main(config: Config) -> int:
    """Writes the picture, prints the comparison, and returns the exit status."""
    for name in ("n", "shown", "k"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be a positive integer, got {getattr(config, name)}")
    if not 0 <= config.seed < 2**63:
        raise ValueError(f"seed must be from 0 to 2**63 - 1, got {config.seed}")
    if config.out.suffix != ".png":
        raise ValueError(f"out must end in .png, got {config.out}")
    generator = load_generator(config.folder)
    dataset = _training_data(generator, config)
    training = dataset.images
    if config.k > len(training) or len(training) < 2:
        raise ValueError(f"k must be at most {len(training)}, the images of the data")
    vectors = latents.uniform(jax.random.key(config.seed), config.n, generator.latent_size)
    samples = np.clip(generator.images(vectors, generator.labels(config.n)), 0, 1)
    features = None if config.features == "pixels" else train.classifier_features(dataset)
    found = nearest(samples, training, config.k, features=features)
    rows = np.random.default_rng(0).permutation(len(training))[:_REAL]
    real = nearest_others(training, rows, features=features).distances[:, 0]
    order = np.argsort(found.distances[:, 0], kind="stable")
    shown = order[: config.shown]
    neighbors = training[found.indices[shown]].astype(np.float32) / 255
    plots.save_image(side_by_side(samples[shown], neighbors), config.out)
    first = order[0]
    print_line(
        f"distance of a sample to the nearest training image: median "
        f"{np.median(found.distances[:, 0]):.3g}\n"
        f"distance of a training image to the nearest other one: median {np.median(real):.3g}\n"
        "probability that a sample is nearer than a training image: "
        f"{data_copying(found.distances[:, 0], real):.3f} (0.5 or less without copies)\n"
        f"smallest distance: {found.distances[first, 0]:.3g}, of sample {first} to training image "
        f"{found.indices[first, 0]}\n"
        f"{len(shown)} samples and their neighbors written to {config.out}"
    )
    return 0


def _training_data(generator: Generator, config: Config) -> data.Dataset:
    """Returns the images that the generator was trained on, with labels if they are needed."""
    saved = runs.RunFolder(config.folder).config()
    source = saved.get("data") if config.data is None else config.data
    if not isinstance(source, str):
        raise ValueError(
            f"data: {config.folder / 'config.json'} does not contain the data of the run; "
            "pass --data"
        )
    options = {name: saved[name] for name in _DECODING if saved.get(name) is not None}
    size, labels = generator.image_shape[:2], config.features == "classifier"
    dataset = data.load(source, split="all", labels=labels, size=size, **options)
    if dataset.image_shape != generator.image_shape:
        raise ValueError(
            f"data: images must be of shape {generator.image_shape}, as those of the generator, "
            f"got {dataset}"
        )
    return dataset


if __name__ == "__main__":
    sys.exit(run(main, Config))
