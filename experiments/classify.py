"""Classifies image files: `python -m experiments.classify --help`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.command_line import run
from jaxlayers import data, runs
from jaxlayers._text import short_repr
from jaxlayers.runs.classifier_report import predict
from jaxlayers.runs.terminal import display_width, padded, print_line


@dataclass(frozen=True)
class Config:
    """Prints the class probabilities of image files, in decreasing order."""

    folder: Path
    """Folder of a run of experiments.cnn, or of a converted Keras file."""
    images: tuple[Path, ...]
    """Image files of any size, in color or grayscale. They are resized. Dark images on a light
    background are inverted if the model was trained on light images on a dark background."""
    top: int = 10
    """Number of classes to print."""


def main(config: Config) -> int:
    """Prints the probabilities and returns the exit status."""
    if config.top < 1:
        raise ValueError(f"top must be a positive integer, got {config.top}")
    if not config.images:
        raise ValueError("images: pass at least one image file")
    model, params, state = runs.load(config.folder)
    shape = model.input_shape
    output = None if shape is None else model.output_shape(shape)
    if shape is None or output is None or len(shape) != 3 or len(output) != 1:
        raise ValueError(
            f"{config.folder}: must contain a classifier, which maps (height, width, channels) to "
            f"(classes,), got a model that maps {shape} to {output}"
        )
    description = runs.RunFolder(config.folder).model()
    names = _class_names(description, output[0], config.folder)
    # All files are read before the first output, so that an unreadable file fails immediately.
    preprocessing = description.get("preprocessing", {})
    background, border = preprocessing.get("background", "white"), preprocessing.get("border")
    read = [
        data.read_image(path, shape, background=background, border=border) for path in config.images
    ]
    probabilities = predict(model, params, state, np.stack([image for image, _ in read]))
    width = max(map(display_width, names))
    for path, (_, inverted), row in zip(config.images, read, probabilities, strict=True):
        print_line(f"{padded(str(path), 0)}{' (inverted)' if inverted else ''}")
        for label in np.argsort(-row)[: config.top]:
            print_line(f"  {padded(names[label], width)}  {row[label]:.4f}")
    return 0


def _class_names(description: Mapping[str, Any], count: int, folder: Path) -> list[str]:
    """Returns the class names in model.json; the labels if there are none."""
    names = description.get("class_names")
    if names is None:
        return [str(label) for label in range(count)]
    if not isinstance(names, list) or len(names) != count:
        raise ValueError(
            f"{folder / 'model.json'}: class_names must be a list of {count} names, one per "
            f"class of the model, got {short_repr(names)}"
        )
    return [str(name) for name in names]


if __name__ == "__main__":
    sys.exit(run(main, Config))
