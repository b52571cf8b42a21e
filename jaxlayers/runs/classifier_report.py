"""The evaluation of a trained classifier on validation data, with plots and the report."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlayers.composition import Composition
from jaxlayers.data import Dataset
from jaxlayers.layer import Layer, Params, State
from jaxlayers.metrics import confusion_matrix, precision, recall
from jaxlayers.runs import classifier_plots, features
from jaxlayers.runs.evaluation import Evaluation, FeatureMaps, Mistake
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.report import report
from jaxlayers.runs.terminal import display_width, padded

_MAX_MISTAKES = 24
_MAX_SALIENCIES = 8


def write_classifier_report(
    folder: str | Path | RunFolder,
    model: Layer,
    params: Params,
    state: State,
    dataset: Dataset,
    class_names: Sequence[str] | None = None,
) -> str:
    """Evaluates a classifier and writes the results to the folder of its run.

    It writes `evaluation.json` (accuracy, precision, recall and the confusion matrix), `pictures/`
    (plots of the confusion matrix, the most confident mistakes, the kernels of the first
    convolution, feature maps and saliency) and the report, which includes them.

    Args:
        folder: Folder of the run.
        model: A model from images, [batch, height, width, channels] with values from 0 to 1, to
            probabilities, [batch, classes]. Feature maps are plotted only for a
            `Sequential` or `Functional`.
        params: Params of the model.
        state: State of the model.
        dataset: Images that the model was not trained on, with labels.
        class_names: Names of the classes; if `None`, those of the data set or, if it has none, the
            labels.

    Returns:
        A table with the precision and recall of each class, and the accuracy, as text.

    Raises:
        FileNotFoundError: If there is no run in the folder.
        ImportError: If Pillow or matplotlib is not installed.
        ValueError: If the data has no labels, or the number of names is not the number of classes.
    """
    folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    folder.config()  # raises an error if there is no run
    labels = dataset.labels
    if labels is None:
        raise ValueError(
            f"write_classifier_report: dataset must have labels, got {dataset.name} without labels"
        )
    names = class_names or dataset.class_names
    probabilities = predict(model, params, state, dataset.images)
    classes = probabilities.shape[-1]
    names = tuple(names or map(str, range(classes)))
    if len(names) != classes or labels.max() >= classes:
        raise ValueError(
            f"write_classifier_report: the model has {classes} classes, got {len(names)} class "
            f"names and labels up to {labels.max()}"
        )
    matrix = confusion_matrix(labels, probabilities.argmax(-1), classes)
    pictures = folder.path / "pictures"
    # An earlier evaluation may have written more files.
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir()
    classifier_plots.save_confusion(matrix, names, pictures / "confusion.png")
    steps = folder.metrics().get("step", [0])
    plotted: dict[str, Any] = {}
    if dataset.images.shape[-1] in (1, 3):  # shown as images
        plotted = {
            "mistakes": _plot_mistakes(dataset, probabilities, pictures / "mistakes"),
            **_plot_features(model, params, state, dataset, probabilities, pictures),
        }
    evaluation = Evaluation(int(steps[-1]), names, matrix, **plotted)
    evaluation.write(folder.path / "evaluation.json")
    report(folder)
    return _table(evaluation)


def predict(model: Layer, params: Params, state: State, images: np.ndarray) -> np.ndarray:
    """Returns the class probabilities of images, computed in batches of equal size.

    Args:
        model: A classifier.
        params: Params of the model.
        state: State of the model.
        images: [N, height, width, channels], floats from 0 to 1, or uint8 from 0 to 255.

    Returns:
        [N, classes].
    """
    apply = jax.jit(lambda batch: model.apply(params, state, _as_float(batch))[0])
    size = min(len(images), 256)
    starts = range(0, len(images), size)
    # The last batch is padded, so that all batches have the same shape.
    batches = (images[np.arange(start, start + size) % len(images)] for start in starts)
    return np.concatenate([apply(batch) for batch in batches])[: len(images)]


def _as_float(images: Any) -> Any:
    return images / jnp.float32(255) if images.dtype == np.uint8 else images


def _plot_mistakes(
    dataset: Dataset, probabilities: np.ndarray, folder: Path
) -> tuple[Mistake, ...]:
    """Plots the most confident mistakes."""
    predicted, confidence = probabilities.argmax(-1), probabilities.max(-1)
    wrong = np.flatnonzero(predicted != dataset.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MAX_MISTAKES]
    mistakes: list[Mistake] = []
    for row in worst:
        path = _numbered(folder, len(mistakes))
        classifier_plots.save_thumbnail(dataset.images[row] / 255, path)
        assert dataset.labels is not None
        label = int(dataset.labels[row])
        mistakes.append(Mistake(label, int(predicted[row]), float(confidence[row])))
    return tuple(mistakes)


def _plot_features(
    model: Layer,
    params: Params,
    state: State,
    dataset: Dataset,
    probabilities: np.ndarray,
    folder: Path,
) -> dict[str, Any]:
    """Plots kernels, feature maps of one image, and the saliency of one image per class."""
    labels = dataset.labels
    assert labels is not None
    # Saliency is most informative for correctly classified images.
    correct = np.flatnonzero(probabilities.argmax(-1) == labels)
    rows = correct if len(correct) else np.arange(len(labels))
    maps: list[FeatureMaps] = []
    if isinstance(model, Composition):
        kernels = features.first_kernels(model, params)
        if kernels is not None:
            classifier_plots.save_kernels(kernels, folder / "first_kernels.png")
        image = dataset.images[rows[0]] / np.float32(255)
        for name, array in features.feature_maps(model, params, state, image):
            path = _numbered(folder / "feature_maps", len(maps))
            shown = classifier_plots.save_feature_maps(array, path)
            maps.append(FeatureMaps(name, array.shape, shown))
    saliency: list[int] = []
    for label in np.unique(labels[rows])[:_MAX_SALIENCIES]:
        image = dataset.images[rows[labels[rows] == label][0]] / np.float32(255)
        values = features.saliency(model, params, state, image, label)
        path = _numbered(folder / "saliency", len(saliency))
        classifier_plots.save_saliency(image, values, path)
        saliency.append(int(label))
    return {"saliency": tuple(saliency), "feature_maps": tuple(maps)}


def _numbered(folder: Path, number: int) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / f"{number:02d}.png"


def _table(evaluation: Evaluation) -> str:
    matrix = evaluation.confusion
    width = max(5, *map(display_width, evaluation.class_names))
    lines = [f"{'class':{width}}  precision  recall  images"]
    rows = zip(
        evaluation.class_names, precision(matrix), recall(matrix), matrix.sum(1), strict=True
    )
    for name, p, r, count in rows:
        lines.append(f"{padded(name, width)}  {p:9.4f}  {r:6.4f}  {count:6d}")
    mean = padded("mean", width)
    lines.append(
        f"{mean}  {evaluation.precision:9.4f}  {evaluation.recall:6.4f}  {matrix.sum():6d}"
    )
    lines.append(f"val_accuracy: {evaluation.accuracy:.4f}")
    return "\n".join(lines)
