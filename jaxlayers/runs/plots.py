"""Plots of a run: grids of images, and curves."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxlayers.runs.names import VALIDATION


def save_grid(images: np.ndarray, path: Path, scale: int | None = None) -> None:
    """Writes images as one PNG, in a near-square grid.

    Args:
        images: [N, height, width, channels], values from 0 to 1, one or three channels.
        path: Of the file.
        scale: Pixels of the PNG per pixel of an image; so many that it is about 600 wide where
            `None`.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If the array has another shape.
    """
    save_image(tile(images), path, scale)


def save_image(image: np.ndarray, path: Path, scale: int | None = None) -> None:
    """Writes an image as a PNG.

    Args:
        image: [height, width, channels], values from 0 to 1; one channel is gray, three are red,
            green and blue, a fourth is the opacity.
        path: Of the file.
        scale: As for `save_grid`.

    Raises:
        ImportError: If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('pictures need pillow: pip install "jaxlayers[train]"') from error
    scale = scale or max(1, 600 // image.shape[1])
    pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)


def tile(images: np.ndarray, gap: int = 2) -> np.ndarray:
    """Returns images as one, in a near-square grid with dark gaps.

    Args:
        images: [N, height, width, channels], one or three channels.
        gap: Pixels between images and around them.

    Returns:
        [rows * (height + gap) + gap, columns * (width + gap) + gap, channels].

    Raises:
        ValueError: If the array has another shape.
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

    Losses come first. Lines of more than a few points are smoothed, with the values behind them.
    A panel whose largest value dwarfs the rest has a logarithmic axis. Nothing is written where
    there are no metrics.

    Args:
        metrics: `step` and columns of its length; `seconds` is left out. Lines connect the
            finite values.
        path: Of the file.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    columns = {
        name: values
        for name, values in metrics.items()
        if name not in ("step", "seconds") and np.isfinite(values).any()
    }
    panels: dict[str, list[str]] = {}
    for name in sorted(columns, key=lambda name: not name.endswith("loss")):
        panels.setdefault(name.rpartition("_")[2], []).append(name)
    if not panels:
        return
    drawing = figure(8, 3.2 * len(panels))
    axes = drawing.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            finite = np.isfinite(columns[name])
            steps, values = metrics["step"][finite], columns[name][finite]
            (line,) = axis.plot(steps, values, alpha=0.25, linewidth=0.8)
            marker = "o" if len(steps) == 1 else None  # one point makes no line
            style = {"color": line.get_color(), "marker": marker, "label": _legible(name)}
            # Metrics of validation data have few points, each of many examples.
            smooth = not name.startswith(VALIDATION)
            axis.plot(steps, _smoothed(values) if smooth else values, **style)
        if is_dwarfed(np.concatenate([columns[name] for name in names])):
            axis.set_yscale("log")
        axis.set_ylabel(_legible(label), parse_math=False)
        axis.grid(alpha=0.3)
        legend = axis.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
        for text in legend.get_texts():
            text.set_parse_math(False)
    axes[-1].set_xlabel("step")
    drawing.savefig(path, dpi=120)


def is_dwarfed(values: np.ndarray) -> bool:
    """Whether most values are indistinguishable on a linear axis, because one dwarfs them.

    True where the values are positive and the largest is more than twenty times the median;
    those that are not finite do not count.
    """
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > 20 * np.median(finite))


def figure(width: float, height: float) -> Any:
    """Returns an empty matplotlib figure, in inches.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "jaxlayers[train]"') from error
    return Figure(figsize=(width, height), layout="constrained")


def is_legible(text: str) -> bool:
    """Whether matplotlib can draw a text: its font has the characters, written left to right.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties()))
    return all(
        font.get_char_index(ord(character))
        and character.isprintable()
        and unicodedata.bidirectional(character) not in ("R", "AL")
        for character in text
    )


def _legible(name: str) -> str:
    # matplotlib leaves out of a legend what begins with an underscore.
    name = name.lstrip("_") or "metric"
    return name if is_legible(name) else name.encode("unicode_escape").decode()


def _smoothed(values: np.ndarray, part: float = 0.05) -> np.ndarray:
    """Returns the mean over a window of `part` of the values, shorter at both ends."""
    width = max(1, int(len(values) * part))
    window = np.ones(width)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")
