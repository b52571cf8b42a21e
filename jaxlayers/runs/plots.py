"""Plots of a run: grids of images, and curves."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxlayers.runs.names import VALIDATION, score_group

# Characters in a line of a legend; if it is wider than the figure, the panels become narrower.
_LEGEND_CHARACTERS = 100


def save_grid(
    images: np.ndarray, path: Path, scale: int | None = None, columns: int | None = None
) -> None:
    """Writes images as one PNG, in a grid.

    Args:
        images: [N, height, width, channels], values from 0 to 1, one or three channels.
        path: Path of the file.
        scale: Integer factor by which images are enlarged; if `None`, the factor that gives a width
            of about 600 pixels.
        columns: As in `tile`.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If the array has another shape.
    """
    save_image(tile(images, columns=columns), path, scale)


def save_image(image: np.ndarray, path: Path, scale: int | None = None) -> None:
    """Writes an image as a PNG.

    Args:
        image: [height, width, channels], values from 0 to 1; one channel is gray, three are RGB,
            four are RGBA.
        path: Path of the file.
        scale: As in `save_grid`.

    Raises:
        ImportError: If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('plots need pillow: pip install "jaxlayers[train]"') from error
    scale = scale or max(1, 600 // image.shape[1])
    pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)


def tile(images: np.ndarray, gap: int = 2, columns: int | None = None) -> np.ndarray:
    """Arranges images in a grid with dark gaps.

    Args:
        images: [N, height, width, channels], one or three channels.
        gap: Pixels between images and around them.
        columns: Number of images per row; `None` for a near-square grid.

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
    columns = columns or int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    grid = np.zeros((rows * (height + gap) + gap, columns * (width + gap) + gap, channels))
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


def save_curves(
    metrics: Mapping[str, np.ndarray],
    path: Path,
    validation_scores: Mapping[str, float] | None = None,
) -> None:
    """Plots metrics against steps in one PNG, with one panel per suffix of their names.

    The panel of the losses is the first. Scores of generated images have panels by `score_group`.
    Lines with more than a few points are smoothed, and the original values are shown in a lighter
    color. A panel has a logarithmic axis if its largest value is much larger than the others. If
    there are no metrics, nothing is written.

    Args:
        metrics: Arrays of equal length by name, one of which is `step`; `seconds` is not plotted.
            Lines connect the finite values.
        path: Path of the file.
        validation_scores: Scores of real validation images by name, drawn as dashed lines in the
            panels of the same scores of generated images.

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
        panel = score_group(name) or name.rpartition("_")[2]
        panels.setdefault(panel, []).append(name)
    if not panels:
        return
    drawing = figure(8, 3.2 * len(panels))
    axes = drawing.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            finite = np.isfinite(columns[name])
            steps, values = metrics["step"][finite], columns[name][finite]
            (line,) = axis.plot(steps, values, alpha=0.25, linewidth=0.8)
            marker = "o" if len(steps) == 1 else None  # a single point has no line
            style = {"color": line.get_color(), "marker": marker, "label": _legible(name)}
            # Validation metrics and scores have few points, each computed from many examples.
            smooth = not name.startswith(VALIDATION) and score_group(name) is None
            axis.plot(steps, _smoothed(values) if smooth else values, **style)
            real = (validation_scores or {}).get(name, np.nan)
            if np.isfinite(real):
                axis.axhline(real, color=line.get_color(), linestyle="--", linewidth=1)
        if needs_log_axis(np.concatenate([columns[name] for name in names])):
            axis.set_yscale("log")
        axis.set_ylabel(_legible(label), parse_math=False)
        axis.grid(alpha=0.3)
        if any(name in (validation_scores or {}) for name in names):
            axis.plot([], [], "--", color="0.5", linewidth=1, label="real validation images")
        longest = max(len(label) for label in axis.get_legend_handles_labels()[1])
        legend = axis.legend(
            frameon=False,
            ncols=min(4, max(1, _LEGEND_CHARACTERS // (longest + 6))),
            loc="lower left",
            bbox_to_anchor=(0, 1),
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    axes[-1].set_xlabel("step")
    drawing.savefig(path, dpi=120)


def needs_log_axis(values: np.ndarray) -> bool:
    """Returns whether most values would be indistinguishable on a linear axis.

    This is the case if the values are positive and the largest is more than twenty times the
    median. Values that are not finite are ignored.
    """
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > 20 * np.median(finite))


def figure(width: float, height: float) -> Any:
    """Returns an empty matplotlib figure with the given size in inches.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "jaxlayers[train]"') from error
    return Figure(figsize=(width, height), layout="constrained")


def is_legible(text: str) -> bool:
    """Returns whether matplotlib can draw a text.

    Its font must have the characters, and right-to-left scripts are not supported.

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
    # matplotlib omits names that start with an underscore from legends.
    name = name.lstrip("_") or "metric"
    return name if is_legible(name) else name.encode("unicode_escape").decode()


def _smoothed(values: np.ndarray, part: float = 0.05) -> np.ndarray:
    """Returns the moving average over a fraction `part` of the values, fewer at both ends."""
    width = max(1, int(len(values) * part))
    window = np.ones(width)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")
