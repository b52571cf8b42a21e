"""A film of a run: its grids of samples as one animated picture."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from jaxlayers import _fields as fields
from jaxlayers._files import write_atomically

_FORMATS = {".gif": "GIF", ".webp": "WEBP"}
_LAST_SECONDS = 2.0
_CAPTION = 28  # height in pixels
_TEXT, _BACKGROUND = 235, 0


def write_film(
    samples: Mapping[int, Path],
    path: Path,
    *,
    frames_per_second: float = 10.0,
    max_frames: int = 100,
    caption: bool = True,
) -> int:
    """Writes the grids of samples of a run as an animated picture, which repeats endlessly.

    All grids of a run are generated from the same latent vectors, so that the film shows how each
    image develops. The last frame is shown for two seconds.

    Args:
        samples: The PNG files by step, such as `RunFolder(path).samples()`.
        path: Path of the film, which ends in .gif or .webp. WebP has all colors and is smaller.
        frames_per_second: Number of frames per second, at most 50, the most that browsers show.
        max_frames: The largest number of frames. Of more grids, this number is selected at even
            distances, including the first and the last one.
        caption: Whether to write the step below each frame.

    Returns:
        The number of frames.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If there are no samples, their sizes differ, or an argument is out of range.
        OSError: If a file cannot be read or written.
    """
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise ImportError('films need pillow: pip install "jaxlayers[train]"') from error
    if path.suffix not in _FORMATS:
        raise ValueError(f"write_film: path must end in {' or '.join(_FORMATS)}, got {path}")
    if not samples:
        raise ValueError("write_film: samples must have at least one grid, got none")
    max_frames = fields.Integer(at_least=2).check("write_film", "max_frames", max_frames)
    if not 0 < frames_per_second <= 50:
        raise ValueError(
            f"write_film: frames_per_second must be above 0 and at most 50, got {frames_per_second}"
        )
    steps = _evenly_spaced(sorted(samples), max_frames)
    frames = [_gray_or_rgb(samples[step]) for step in steps]
    for step, frame in zip(steps, frames, strict=True):
        if frame.size != frames[0].size:
            raise ValueError(
                f"write_film: samples must have the same size, got {frames[0].size} at step "
                f"{steps[0]} and {frame.size} at step {step}"
            )
    if caption:
        pairs = zip(steps, frames, strict=True)
        frames = [_with_caption(frame, f"step {step:,}") for step, frame in pairs]
    durations = [1000 / frames_per_second] * len(frames)
    durations[-1] = max(durations[-1], 1000 * _LAST_SECONDS)
    content = BytesIO()
    frames[0].save(
        content,
        _FORMATS[path.suffix],
        save_all=True,
        append_images=frames[1:],
        duration=[round(duration) for duration in durations],
        loop=0,
    )
    with write_atomically(path) as file:
        file.write(content.getvalue())
    return len(frames)


def _gray_or_rgb(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _with_caption(picture: Any, text: str) -> Any:
    """Returns a picture with a line of text below it."""
    from PIL import Image, ImageDraw, ImageFont

    gray = picture.mode == "L"
    width, height = picture.size
    frame = Image.new(picture.mode, (width, height + _CAPTION), _color(_BACKGROUND, gray))
    frame.paste(picture, (0, 0))
    font = ImageFont.load_default(_CAPTION // 2)
    middle = (width / 2, height + _CAPTION / 2)
    ImageDraw.Draw(frame).text(middle, text, _color(_TEXT, gray), font, anchor="mm")
    return frame


def _color(value: int, gray: bool) -> Any:
    return value if gray else (value,) * 3


def _evenly_spaced(steps: list[int], limit: int) -> list[int]:
    """Returns at most `limit` of the steps, evenly spaced, including the first and the last."""
    if len(steps) <= limit:
        return steps
    return [steps[index * (len(steps) - 1) // (limit - 1)] for index in range(limit)]
