"""Tells the class of image files: `python -m experiments.classify --help`."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.command_line import run
from experiments.examine import predict
from jaxlayers import data, runs


@dataclass(frozen=True)
class Config:
    """Prints the probability of each class for image files, the likeliest first."""

    folder: Path
    """The folder of a run of experiments.cnn, or of a converted Keras file."""
    images: tuple[Path, ...]
    """Image files of any size, in colour or not; resized, and inverted where they are dark on
    light and the model was trained on light on dark."""
    top: int = 10
    """How many classes are printed."""


def main(config: Config) -> int:
    """Prints the probabilities; returns the exit status."""
    if config.top < 1:
        raise ValueError(f"top must be a positive integer, got {config.top}")
    if not config.images:
        raise ValueError("images: give at least one image file")
    model, params, state = runs.load(config.folder)
    shape = model.input_shape
    output = None if shape is None else model.output_shape(shape)
    if shape is None or output is None or len(shape) != 3 or len(output) != 1:
        raise ValueError(
            f"{config.folder}: holds no classifier: that goes from (height, width, channels) to "
            f"(classes,), this from {shape} to {output}"
        )
    description = runs.RunFolder(config.folder).model()
    names = description.get("class_names") or [str(label) for label in range(output[0])]
    # All are read before the first line, so that a file that cannot be says so at once.
    preprocessing = description.get("preprocessing", {})
    background, border = preprocessing.get("background", "white"), preprocessing.get("border")
    read = [
        data.read_image(path, shape, background=background, border=border) for path in config.images
    ]
    probabilities = predict(model, params, state, np.stack([image for image, _ in read]))
    width = max(map(len, names))
    for path, (_, inverted), row in zip(config.images, read, probabilities, strict=True):
        print(f"{path}{' (inverted)' if inverted else ''}")
        for label in np.argsort(-row)[: config.top]:
            print(f"  {names[label]:{width}}  {row[label]:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, Config))
