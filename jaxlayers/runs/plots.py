"""Pictures of a run: grids of images, and curves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxlayers.runs.names import VALIDATION


def save_grid(images: np.ndarray, path: Path, scale: int | None = None) -> None:
    """Writes images as one PNG, in rows as long as there are rows.

    Args:
        images: [N, height, width, channels], values from 0 to 1, one or three channels.
        path: where to.
        scale: pixels of the picture for a pixel of an image; as many as make the picture some
            600 wide where `None`.

    Raises:
        ImportError: without pillow.
        ValueError: an array of another shape.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('pictures need pillow: pip install "jaxlayers[train]"') from error
    grid = tile(images)
    scale = scale or max(1, 600 // grid.shape[1])
    pixels = np.round(np.clip(grid, 0, 1) * 255).astype(np.uint8)
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)


def tile(images: np.ndarray, gap: int = 2) -> np.ndarray:
    """Returns images as one, in a near-square grid with dark gaps.

    Args:
        images: [N, height, width, channels], one or three channels.
        gap: pixels between images and around them.

    Returns:
        [rows * (height + gap) + gap, columns * (width + gap) + gap, channels].

    Raises:
        ValueError: an array of another shape.
    """
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(
            f"tile: images must be [N, height, width, 1 or 3 channels], got shape {images.shape}"
        )
    count, height, width, channels = images.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    grid = np.zeros((rows * (height + gap) + gap, columns * (width + gap) + gap, channels))
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


def save_curves(metrics: Mapping[str, np.ndarray], path: Path) -> None:
    """Writes metrics against steps as one PNG, with a panel for each last word of their names.

    Losses come first. Behind each line of more than a few points stand the values that it smooths.

    Args:
        metrics: `step` and columns of its length; `seconds` is left out. Lines go from one
            finite value to the next.
        path: where to.

    Raises:
        ImportError: without matplotlib.
    """
    names = [name for name in metrics if name not in ("step", "seconds")]
    panels: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: not name.endswith("loss")):
        panels.setdefault(name.rpartition("_")[2], []).append(name)
    if not panels:
        return
    drawing = figure(8, 3.2 * len(panels))
    axes = drawing.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, columns) in zip(axes, panels.items(), strict=True):
        for name in columns:
            finite = np.isfinite(metrics[name])
            steps, values = metrics["step"][finite], metrics[name][finite]
            (line,) = axis.plot(steps, values, alpha=0.25, linewidth=0.8)
            marker = "o" if len(steps) == 1 else None  # one point makes no line
            style = {"color": line.get_color(), "marker": marker, "label": _spaced(name)}
            # What is known of a few steps is not blurred.
            sparse = name.startswith(VALIDATION) or not len(values)
            axis.plot(steps, values if sparse else _smoothed(values), **style)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    axes[-1].set_xlabel("step")
    drawing.savefig(path, dpi=120)


def figure(width: float, height: float) -> Any:
    """Returns an empty figure of matplotlib's, in inches.

    Raises:
        ImportError: without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "jaxlayers[train]"') from error
    return Figure(figsize=(width, height), layout="constrained")


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _smoothed(values: np.ndarray, part: float = 0.05) -> np.ndarray:
    """Returns the mean over a window of `part` of the values, shorter at the ends."""
    width = max(1, int(len(values) * part))
    window = np.ones(width)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")
