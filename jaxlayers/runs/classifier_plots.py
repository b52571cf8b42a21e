"""Plots of a classifier: confusion matrix, kernels, feature maps and saliency."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxlayers.runs.plots import figure, is_legible, save_image, tile

# With more classes, there is no space for names and counts.
_MAX_CLASSES = 30
# Largest number of feature maps per plot.
_MAX_MAPS = 32
_MAX_NAME_LENGTH = 30
# Minimum and maximum size in pixels of images shown side by side; others are resized.
_MIN_SIZE, _MAX_SIZE = 150, 256


def save_confusion(matrix: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Plots a confusion matrix with counts, colored by the fraction of each row.

    The label of a class replaces its name if matplotlib's font cannot draw the name.

    Args:
        matrix: [classes, classes], as returned by `confusion_matrix`.
        names: Names of the classes.
        path: Path of the PNG file.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    count = len(names)
    side = 2.2 + 0.42 * min(count, _MAX_CLASSES)
    drawing = figure(side, side)
    axis = drawing.subplots()
    fractions = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axis.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    if count <= _MAX_CLASSES:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            color = "white" if fractions[row, column] > 0.5 else "black"
            text = str(matrix[row, column])
            axis.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    shown = range(0, count, -(-count // _MAX_CLASSES))
    labels = [_legible(names[label], label) for label in shown]
    axis.set_xticks(shown, labels, rotation=90, fontsize=8, parse_math=False)
    axis.set_yticks(shown, labels, fontsize=8, parse_math=False)
    axis.set_xlabel("Predicted")
    axis.set_ylabel("True")
    drawing.savefig(path, dpi=120)


def save_kernels(kernels: np.ndarray, path: Path) -> None:
    """Plots kernels in a grid, in color if they have three channels; 0 is gray.

    Args:
        kernels: [filters, height, width, channels]; the mean over channels is plotted unless there
            are one or three.
        path: Path of the PNG file.

    Raises:
        ImportError: If Pillow is not installed.
    """
    if kernels.shape[-1] not in (1, 3):
        kernels = kernels.mean(-1, keepdims=True)
    gray = tile(0.5 + kernels / (2 * (np.abs(kernels).max() or 1)), gap=1)
    opacity = tile(np.ones((*kernels.shape[:-1], 1)), gap=1)
    save_image(_with_opacity(gray, opacity), path)


def save_feature_maps(maps: np.ndarray, path: Path) -> int:
    """Plots the first feature maps of a layer in two rows, each scaled to its own range.

    Args:
        maps: [height, width, channels].
        path: Path of the PNG file.

    Returns:
        The number of plotted maps.

    Raises:
        ImportError: If Pillow or matplotlib is not installed.
    """
    maps = np.moveaxis(_downsampled(maps[..., :_MAX_MAPS], 64), -1, 0)
    low = maps.min((1, 2), keepdims=True)
    value_range = maps.max((1, 2), keepdims=True) - low
    scaled = np.divide(maps - low, value_range, out=np.zeros_like(maps), where=value_range > 0)
    # One transparent pixel between maps.
    colored = np.pad(_colored("viridis", scaled), ((0, 0), (0, 1), (0, 1), (0, 0)))
    count = len(colored)
    height, width = colored.shape[1:3]
    columns = min(count, _MAX_MAPS // 2)
    rows = -(-count // columns)
    grid = np.zeros((rows * columns, height, width, 4))
    grid[:count] = colored
    grid = grid.reshape(rows, columns, height, width, 4).swapaxes(1, 2)
    save_image(grid.reshape(rows * height, columns * width, 4)[:-1, :-1], path)
    return count


def save_saliency(image: np.ndarray, saliency: np.ndarray, path: Path) -> None:
    """Plots an image above the saliency of its pixels.

    Args:
        image: [height, width, 1 or 3 channels], values from 0 to 1.
        saliency: [height, width], not negative.
        path: Path of the PNG file.

    Raises:
        ImportError: If Pillow or matplotlib is not installed.
    """
    image, saliency = _downsampled(image, _MAX_SIZE), _downsampled(saliency, _MAX_SIZE)
    height, width, _ = image.shape
    top = _with_opacity(image, np.ones((height, width, 1)))
    gap = np.zeros((1, width, 4))
    bottom = _colored("inferno", saliency / (saliency.max() or 1))
    save_image(np.concatenate([top, gap, bottom]), path, max(1, _MIN_SIZE // width))


def save_thumbnail(image: np.ndarray, path: Path) -> None:
    """Plots an image at a size that is suitable for showing several side by side.

    Args:
        image: [height, width, 1 or 3 channels], values from 0 to 1.
        path: Path of the PNG file.

    Raises:
        ImportError: If Pillow is not installed.
    """
    image = _downsampled(image, _MAX_SIZE)
    save_image(image, path, max(1, _MIN_SIZE // image.shape[1]))


def _downsampled(image: np.ndarray, side: int) -> np.ndarray:
    """Returns every n-th pixel, with n such that neither side is longer than `side`."""
    every = -(-max(image.shape[:2]) // side)
    return image[::every, ::every]


def _with_opacity(image: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return np.concatenate([np.broadcast_to(image, (*image.shape[:2], 3)), opacity], -1)


def _legible(name: str, label: int) -> str:
    if len(name) > _MAX_NAME_LENGTH:
        name = f"{name[: _MAX_NAME_LENGTH - 1]}…"
    return name if name.strip() and is_legible(name) else f"class {label}"


def _colored(colormap: str, values: np.ndarray) -> np.ndarray:
    """Applies a colormap to values from 0 to 1; returns RGBA, [..., 4]."""
    try:
        from matplotlib import colormaps
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "jaxlayers[train]"') from error
    colors: np.ndarray = colormaps[colormap](values)
    return colors
