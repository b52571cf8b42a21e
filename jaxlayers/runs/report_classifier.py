"""The sections of a classifier's report: confusion matrix, mistakes, kernels and saliency."""

import html
from pathlib import Path

import numpy as np

from jaxlayers.runs.evaluation import Evaluation
from jaxlayers.runs.report_parts import figure, scrollable, section, table

# With more classes, the most common confusions are shown instead of a matrix.
_MAX_MATRIX_CLASSES = 40
_MAX_CONFUSIONS = 20


def confusion_section(evaluation: Evaluation) -> str:
    """Returns the confusion matrix as HTML, or the most common confusions if it is large."""
    if len(evaluation.class_names) > _MAX_MATRIX_CLASSES:
        return section("Most common confusions", _confusions(evaluation))
    return section("Confusion matrix", scrollable("Confusion matrix", _matrix(evaluation)))


def picture_sections(evaluation: Evaluation, pictures: Path, kernels: Path | None) -> str:
    """Returns the plots of a classifier as HTML, one section per kind.

    Args:
        evaluation: The evaluation of the classifier.
        pictures: The folder of the plots.
        kernels: The plot of the kernels of the first convolution.

    Raises:
        OSError: If a plot cannot be read.
    """
    mistakes = [
        figure(
            pictures / "mistakes" / f"{number:02d}.png",
            f"True: {_name(evaluation, mistake.label)}<br>"
            f"Predicted: {_name(evaluation, mistake.predicted)} ({mistake.probability:.0%})",
            description="A misclassified image",
        )
        for number, mistake in enumerate(evaluation.mistakes)
    ]
    saliency = [
        figure(
            pictures / "saliency" / f"{number:02d}.png",
            _name(evaluation, label),
            description="An image, and the saliency of its pixels",
        )
        for number, label in enumerate(evaluation.saliency)
    ]
    maps = []
    for number, layer in enumerate(evaluation.feature_maps):
        *extents, channels = layer.shape
        shown = f", {layer.shown} shown" if layer.shown < channels else ""
        caption = (
            f"{html.escape(layer.layer)}: {channels} of {' × '.join(map(str, extents))}{shown}"
        )
        maps.append(figure(pictures / "feature_maps" / f"{number:02d}.png", caption, "maps"))
    first = [figure(kernels, "Kernels of the first convolution", "maps kernels")] if kernels else []
    groups = {
        "Most confident mistakes": mistakes,
        "Saliency": saliency,
        "Kernels": first,
        "Feature maps": maps,
    }
    return "\n".join(
        section(title, '<div class="pictures">\n' + "\n".join(figures) + "\n</div>", wide=True)
        for title, figures in groups.items()
        if figures
    )


def _name(evaluation: Evaluation, label: int) -> str:
    # <bdi> isolates right-to-left names, so that they do not reorder the surrounding text.
    return f"<bdi>{html.escape(evaluation.class_names[label])}</bdi>"


def _matrix(evaluation: Evaluation) -> str:
    matrix = evaluation.confusion
    percents = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    names = [_name(evaluation, label) for label in range(len(matrix))]
    head = "".join(f'<th scope="col"><span>{name}</span></th>' for name in names)
    rows = "\n".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(
            f'<td style="--part:{percent:.0f}">{count or ""}</td>'
            for count, percent in zip(row, parts, strict=True)
        )
        + "</tr>"
        for name, row, parts in zip(names, matrix.tolist(), percents, strict=True)
    )
    return (
        f'<table class="matrix"><thead>\n<tr><td></td><th colspan="{len(names)}">Predicted</th>'
        f'</tr>\n<tr><th class="corner">True</th>{head}</tr></thead>\n<tbody>{rows}</tbody></table>'
    )


def _confusions(evaluation: Evaluation) -> str:
    wrong = evaluation.confusion * (1 - np.eye(len(evaluation.confusion), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MAX_CONFUSIONS]
    rows = [
        (_name(evaluation, label), _name(evaluation, predicted), f"{wrong[label, predicted]:,}")
        for label, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[label, predicted]
    ]
    content = table(("True", "Predicted", "Images"), rows)
    return scrollable("Most common confusions", content) if rows else "<p>There are none.</p>"
