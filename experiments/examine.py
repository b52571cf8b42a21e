"""What a trained classifier does on images that it was not trained on, as files in its folder."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlayers import Layer, Sequential, data, runs
from jaxlayers.metrics import confusion_matrix, precision, recall
from jaxlayers.models import features
from jaxlayers.runs import classifier_plots
from jaxlayers.runs.report import report

_MISTAKES = 24
_SALIENCIES = 8


def examine(
    folder: runs.RunFolder,
    model: Sequential,
    params: Any,
    state: Any,
    validation: data.Dataset,
    names: tuple[str, ...],
) -> str:
    """Writes `evaluation.json` and the pictures, puts these into the report, and returns a table.

    Args:
        folder: of the run.
        model: from images to probabilities.
        params: of the model.
        state: of the model.
        validation: images with labels.
        names: of the classes.

    Returns:
        Lines of text: precision and recall of each class.
    """
    labels = validation.labels
    assert labels is not None
    images = validation.images / np.float32(255)
    probabilities = predict(model, params, state, images)
    matrix = confusion_matrix(labels, probabilities.argmax(-1), len(names))
    _write(folder, matrix, names)
    pictures = folder.path / "pictures"
    pictures.mkdir(exist_ok=True)
    classifier_plots.save_confusion(matrix, names, pictures / "confusion.png")
    _draw_mistakes(images, labels, probabilities, names, pictures / "most_confident_mistakes.png")
    # What it looks at is best seen where it is right.
    right = np.flatnonzero(probabilities.argmax(-1) == labels)
    shown = right if len(right) else np.arange(len(labels))
    _draw_inside(model, params, state, images[shown], labels[shown], names, pictures)
    report(folder)
    return _table(matrix, names)


def _draw_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: tuple[str, ...],
    path: Path,
) -> None:
    """Draws the images of whose class the model is sure and wrong; nothing if it never is."""
    taken, confidence = probabilities.argmax(-1), probabilities.max(-1)
    wrong = np.flatnonzero(taken != labels)
    worst = wrong[np.argsort(-confidence[wrong])][:_MISTAKES]
    titles = [
        f"{names[labels[row]]}, taken for\n{names[taken[row]]} ({confidence[row]:.0%})"
        for row in worst
    ]
    if titles:
        classifier_plots.save_labelled(images[worst], titles, path)


def _draw_inside(
    model: Sequential,
    params: Any,
    state: Any,
    images: np.ndarray,
    labels: np.ndarray,
    names: tuple[str, ...],
    folder: Path,
) -> None:
    """Draws the first kernels, feature maps of the first image, saliency of one a class."""
    kernels = features.first_kernels(model, params)
    classifier_plots.save_kernels(kernels, folder / "first_kernels.png")
    maps = dict(features.feature_maps(model, params, state, images[0]))
    classifier_plots.save_feature_maps(images[0], maps, folder / "feature_maps.png")
    rows = [np.flatnonzero(labels == label)[0] for label in np.unique(labels)][:_SALIENCIES]
    saliencies = [features.saliency(model, params, state, images[row], labels[row]) for row in rows]
    titles = [names[labels[row]] for row in rows]
    classifier_plots.save_saliency(
        images[rows], np.stack(saliencies), titles, folder / "saliency.png"
    )


def predict(model: Layer, params: Any, state: Any, images: np.ndarray) -> np.ndarray:
    """Returns the probabilities of each class, [N, classes], computed in batches of one size."""
    apply = jax.jit(lambda batch: model.apply(params, state, batch)[0])
    size = min(len(images), 256)
    starts = range(0, len(images), size)
    # The last batch is filled up, so that all have one shape.
    batches = [images[np.arange(start, start + size) % len(images)] for start in starts]
    return np.concatenate([apply(batch) for batch in batches])[: len(images)]


def _write(folder: runs.RunFolder, matrix: np.ndarray, names: tuple[str, ...]) -> None:
    rows = zip(names, precision(matrix), recall(matrix), matrix.sum(1), strict=True)
    evaluation = {
        "accuracy": np.trace(matrix) / matrix.sum(),
        "classes": {
            name: {"precision": p, "recall": r, "images": int(count)} for name, p, r, count in rows
        },
        "confusion": matrix.tolist(),
    }
    (folder.path / "evaluation.json").write_text(json.dumps(evaluation, indent=2) + "\n")


def _table(matrix: np.ndarray, names: tuple[str, ...]) -> str:
    width = max(5, *map(len, names))
    lines = [f"{'class':{width}}  precision  recall  images"]
    for name, p, r, count in zip(
        names, precision(matrix), recall(matrix), matrix.sum(1), strict=True
    ):
        lines.append(f"{name:{width}}  {p:9.4f}  {r:6.4f}  {count:6d}")
    accuracy = np.trace(matrix) / matrix.sum()
    lines.append(f"accuracy on {matrix.sum()} images that it was not trained on: {accuracy:.4f}")
    return "\n".join(lines)
