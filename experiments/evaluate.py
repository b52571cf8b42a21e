"""Scores generated images: `python -m experiments.evaluate --help`."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.command_line import run
from experiments.machines import use_compilation_cache
from jaxlayers import Layer, data, runs, train
from jaxlayers import _fields as fields
from jaxlayers._structure import are_several_shapes
from jaxlayers.interop import keras
from jaxlayers.metrics.features import Features
from jaxlayers.metrics.image_scores import LEAST_IMAGES, possible_scores
from jaxlayers.runs.names import larger_is_better
from jaxlayers.runs.report import report
from jaxlayers.runs.scores import ScoreTable
from jaxlayers.runs.terminal import display_width, padded, print_line


@dataclass(frozen=True)
class Config:
    """Compares images of a trained generator with real ones, and prints their scores."""

    source: Path
    """Folder of a run of experiments.dcgan, or an .npy or .npz file of generated images. The scores
    of a run are also written to scores.json and to the report in its folder."""
    data: str | None = None
    """Real images: a data set or a path, as for experiments.dcgan; by default those of the run. The
    test images, or every fifth image if there are none, are scored like the generated ones; the
    other real images are what both are compared with."""
    n: int = 5000
    """Number of generated images."""
    features: str = "classifier"
    """classifier: those of a classifier that is trained once on the real images, which must have
    labels; otherwise a .keras or .h5 file of a model of images from 0 to 1."""
    layer: str | None = None
    """Layer of the --features file whose output the features are; by default the output of the
    model."""
    inception: Path | None = None
    """A .keras or .h5 file with the weights of the published Inception-v3, to compute FID and
    KID."""
    scores: tuple[
        Literal[
            "frechet_distance",
            "kernel_distance",
            "precision_recall",
            "density_coverage",
            "inception_score",
            "classes",
            "modes",
        ],
        ...,
    ] = ()
    """The scores to compute; by default all that the features allow, modes only of Stacked-MNIST
    and other stacked images."""
    seed: int = 0
    """Seed of the latent vectors; not negative."""
    size: tuple[int, int] | None = None
    """Height and width to resize real images to; by default as in the run, like the following
    options."""
    background: str | None = None
    """Color that transparent pixels of image files are blended with."""
    color_mode: Literal["rgb", "grayscale"] | None = None
    """Color mode of the real images."""
    skip_unreadable: bool = False
    """Skip image files that cannot be read, with a warning."""
    json: Path | None = None
    """Also write the scores to this file."""
    compilation_cache: bool = True
    """Whether to cache compiled programs in the user's cache folder."""


def main(config: Config) -> int:
    """Prints the scores and returns the exit status."""
    fields.Integer(at_least=LEAST_IMAGES).check("evaluate", "n", config.n)
    fields.Integer(at_least=0).check("evaluate", "seed", config.seed)
    if config.compilation_cache:
        use_compilation_cache()
    folder = None if config.source.is_file() else runs.RunFolder(config.source)
    # Both are read first, because the training of a classifier takes a while.
    images = data.load(config.source, split="all", labels=False).images if folder is None else None
    trained = None if folder is None else runs.load(folder.path)
    training, validation = _real_images(config, {} if folder is None else folder.config())
    features = _features(config, training)
    scores = train.SampleScores(
        *(features, training, validation),
        samples=config.n if images is None else min(config.n, len(images)),
        scores=config.scores or _all_scores(features, training),
        seed=config.seed,
    )
    if trained is not None:
        classes = _classes(config.source, trained[0], training)
        scored, step = scores.of_generator(*trained, classes), _last_step(config.source)
    else:
        assert images is not None
        scored, step = scores.of_images(images[: config.n]), None
    table = scores.table(scored, step, training.class_names)
    _print(table, training.name)
    if config.json is not None:
        table.write(config.json)
        print_line(f"scores written to {config.json}")
    if folder is not None:
        with folder.open(resume=True):
            table.write(folder.path / "scores.json")
            report(folder)
        print_line(f"scores.json and report.html written to {folder.path}")
    return 0


def _real_images(config: Config, saved: Mapping[str, Any]) -> tuple[data.Dataset, data.Dataset]:
    """Returns the real images that all others are compared with, and those that are scored."""
    source = saved.get("data") if config.data is None else config.data
    if not isinstance(source, str):
        raise ValueError(
            f"data must be the real images to compare with, a name or a path, because "
            f"{config.source} does not contain the data set of a run"
        )
    decoding = {
        name: saved[name] if getattr(config, name) in (None, False) else getattr(config, name)
        for name in ("size", "background", "color_mode", "skip_unreadable")
        if getattr(config, name) or saved.get(name)
    }
    has_labels = config.features == "classifier" and config.inception is None
    if "test" in data.split_names(source):
        train_images, test_images = (
            data.load(source, split=split, labels=has_labels, **decoding)
            for split in ("train", "test")
        )
        return train_images, test_images
    dataset = data.load(source, labels=has_labels, **decoding)
    is_validation = np.arange(len(dataset)) % 5 == 4
    return _rows(dataset, ~is_validation), _rows(dataset, is_validation)


def _rows(dataset: data.Dataset, rows: np.ndarray) -> data.Dataset:
    labels = None if dataset.labels is None else dataset.labels[rows]
    return replace(dataset, images=dataset.images[rows], labels=labels)


def _features(config: Config, training: data.Dataset) -> Features:
    if config.inception is not None:
        return keras.inception_features(config.inception)
    if config.features == "classifier":
        return train.classifier_features(training)
    return keras.features(config.features, config.layer)


def _all_scores(features: Features, training: data.Dataset) -> tuple[str, ...]:
    names = possible_scores(features)
    is_stacked = training.channel_source is not None
    return tuple(name for name in names if name != "modes" or is_stacked)


def _classes(path: Path, generator: Layer, training: data.Dataset) -> int | None:
    """Returns the number of classes of a conditional generator; `None` for one without labels."""
    if not isinstance(generator.input_shape, tuple) or not are_several_shapes(
        generator.input_shape
    ):
        return None
    names = runs.RunFolder(path).model().get("class_names") or training.class_names
    if isinstance(names, list | tuple):
        return len(names)
    if training.labels is None:
        raise ValueError(
            f"{path}: model.json has no class_names, which tell the number of classes that the "
            "generator was trained on"
        )
    return int(training.labels.max()) + 1


def _last_step(path: Path) -> int | None:
    rows = runs.RunFolder(path).rows()
    return rows[-1]["step"] if rows else None


def _print(table: ScoreTable, name: str) -> None:
    """Prints the scores, and the fraction of each class."""
    real = f"{table.validation:,} real images of {name}"
    _print_rows(
        [
            ("score", f"{table.samples:,} samples", real, "better"),
            *(
                (
                    score,
                    *(f"{value:.4g}" if np.isfinite(value) else "-" for value in values),
                    "larger" if larger_is_better(score) else "smaller",
                )
                for score, *values in table.rows()
            ),
        ]
    )
    if table.class_fractions:
        print_line("")
        _print_rows(
            [
                ("predicted class", "samples", "real images"),
                *(
                    (label, f"{value:.1%}", f"{table.validation_class_fractions[label]:.1%}")
                    for label, value in table.class_fractions.items()
                ),
            ]
        )
    print_line(f"\nfeatures: {table.features}; compared with {table.real:,} real images of {name}")


def _print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """Prints rows with aligned columns."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (padded(cell, width) for cell, width in zip(row, widths, strict=True))
        print_line("  ".join(cells).rstrip())


if __name__ == "__main__":
    sys.exit(run(main, Config))
