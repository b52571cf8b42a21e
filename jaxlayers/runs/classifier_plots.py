"""Pictures of a classifier: what it confuses, where it errs, and what it looks at."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlayers.runs.plots import figure, tile

# Of more classes there is neither room for every name nor for numbers.
_LEGIBLE = 30
# Maps of one layer that a picture shows.
_MOST_MAPS = 32


def save_confusion(matrix: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Draws a confusion matrix, coloured by the part of each row, with the counts in it.

    Args:
        matrix: [classes, classes], as `confusion_matrix` makes it.
        names: of the classes.
        path: where to.
    """
    count = len(names)
    side = 2.2 + 0.42 * min(count, _LEGIBLE)
    drawing = figure(side, side)
    axis = drawing.subplots()
    parts = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axis.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    if count <= _LEGIBLE:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            color = "white" if parts[row, column] > 0.5 else "black"
            text = str(matrix[row, column])
            axis.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    named = range(0, count, -(-count // _LEGIBLE))
    axis.set_xticks(named, [names[label] for label in named], rotation=90, fontsize=8)
    axis.set_yticks(named, [names[label] for label in named], fontsize=8)
    axis.set_xlabel("taken for")
    axis.set_ylabel("is")
    drawing.savefig(path, dpi=120)


def save_labelled(images: np.ndarray, titles: Sequence[str], path: Path) -> None:
    """Draws images with a title each, in rows.

    Args:
        images: [N, height, width, 1 or 3 channels], values from 0 to 1, N at least 1.
        titles: [N], of one or two lines.
        path: where to.
    """
    columns = min(len(images), 6)
    rows = -(-len(images) // columns)
    drawing = figure(1.6 * columns, 1.9 * rows)
    axes = list(drawing.subplots(rows, columns, squeeze=False).flat)
    for axis in axes:
        axis.set_axis_off()
    for axis, image, title in zip(axes, images, titles, strict=False):
        _show(axis, image)
        axis.set_title(title, fontsize=8)
    drawing.savefig(path, dpi=120)


def save_kernels(kernels: np.ndarray, path: Path) -> None:
    """Draws kernels side by side, grey for 0; of three channels in colour.

    Args:
        kernels: [filters, height, width, channels]; of other channels than three the mean.
        path: where to.
    """
    if kernels.shape[-1] not in (1, 3):
        kernels = kernels.mean(-1, keepdims=True)
    largest = np.abs(kernels).max() or 1
    grid = tile(0.5 + kernels / (2 * largest), gap=1)
    drawing = figure(5, 5 * grid.shape[0] / grid.shape[1] + 0.4)
    axis = drawing.subplots()
    axis.set_axis_off()
    _show(axis, grid)
    axis.set_title(f"{len(kernels)} kernels of the first convolution", fontsize=9)
    drawing.savefig(path, dpi=120)


def save_feature_maps(image: np.ndarray, maps: Mapping[str, np.ndarray], path: Path) -> None:
    """Draws an image, and below it the first channels of what it is after each layer.

    Args:
        image: [height, width, 1 or 3 channels], values from 0 to 1.
        maps: [height, width, channels] by the name of the layer; each is scaled by itself.
        path: where to.
    """
    strips = {name: _strip(array) for name, array in maps.items()}
    heights = [1.3] + [8 * strip.shape[0] / strip.shape[1] + 0.35 for strip in strips.values()]
    drawing = figure(8, sum(heights) + 0.2)
    axes = drawing.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis in axes:
        axis.set_axis_off()
    _show(axes[0], image)
    axes[0].set_title("the image", fontsize=9)
    for axis, (name, strip) in zip(axes[1:], strips.items(), strict=True):
        axis.imshow(strip, cmap="viridis")
        height, width, channels = maps[name].shape
        shown = f", {_MOST_MAPS} shown" if channels > _MOST_MAPS else ""
        axis.set_title(f"{name}: {channels} maps of {height} x {width}{shown}", fontsize=9)
    drawing.savefig(path, dpi=120)


def save_saliency(
    images: np.ndarray, saliencies: np.ndarray, titles: Sequence[str], path: Path
) -> None:
    """Draws images, and below each which of its pixels count.

    Args:
        images: [N, height, width, 1 or 3 channels], values from 0 to 1.
        saliencies: [N, height, width], not negative.
        titles: [N].
        path: where to.
    """
    drawing = figure(1.5 * len(images), 3.4)
    axes = drawing.subplots(2, len(images), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for column, (image, map_, title) in enumerate(zip(images, saliencies, titles, strict=True)):
        _show(axes[0, column], image)
        axes[0, column].set_title(title, fontsize=8)
        axes[1, column].imshow(map_, cmap="inferno")
    drawing.savefig(path, dpi=120)


def _show(axis: Any, image: np.ndarray) -> None:
    grey = image.shape[-1] == 1
    axis.imshow(image[..., 0] if grey else image, cmap="gray" if grey else None, vmin=0, vmax=1)


def _strip(maps: np.ndarray) -> np.ndarray:
    """Returns the first channels in two rows or fewer, [height, width], each from 0 to 1."""
    maps = np.moveaxis(maps[..., :_MOST_MAPS], -1, 0)
    low = maps.min((1, 2), keepdims=True)
    spread = maps.max((1, 2), keepdims=True) - low
    scaled = np.divide(maps - low, spread, out=np.zeros_like(maps), where=spread > 0)
    padded = np.pad(scaled, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    columns = min(len(padded), _MOST_MAPS // 2)
    rows = -(-len(padded) // columns)
    grid = np.full((rows * columns, *padded.shape[1:]), np.nan)
    grid[: len(padded)] = padded
    height, width = padded.shape[1:]
    grid = grid.reshape(rows, columns, height, width).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width)
