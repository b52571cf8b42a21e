"""Any image file, as a model takes its images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxlayers.data.images import pillow

# A border that differs by more is another kind of picture: dark on light instead of light on dark.
_ANOTHER = 0.5
# Borders of images of one kind are alike to this.
_ALIKE = 0.1


def border(images: np.ndarray) -> float | None:
    """Returns what lies around the things in grey images, from 0 to 1; None if it varies.

    Digits of MNIST are light on 0; a photograph may have anything at its border.

    Args:
        images: uint8, `[N, height, width, channels]`.

    Example:
        >>> border(np.zeros((2, 28, 28, 1), np.uint8))
        0.0
    """
    if images.shape[-1] != 1:
        return None
    means = np.array([_border(image / 255) for image in images[:, :, :, 0]])
    return float(means.mean()) if means.std() < _ALIKE else None


def read_image(
    path: str | Path, shape: Sequence[int], background: float | None = None
) -> tuple[np.ndarray, bool]:
    """Reads an image file, and makes it what a model was trained on.

    Args:
        path: An image of any size, in colour or not. What is transparent becomes white.
        shape: `(height, width, channels)` of the result; 1 channel for grey, or 3.
        background: What `border` says of the images of the training. If it says something, an
            image on another background is inverted, and filled up with its own border to the
            proportions of `shape`; otherwise it is stretched to these.

    Returns:
        Floats from 0 to 1, of the given shape, and whether it was inverted.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no readable image.
        ImportError: Pillow is not installed.
    """
    height, width, channels = shape
    pil = pillow()
    from PIL import ImageOps

    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    # Pillow's decoders raise a dozen unrelated types for damaged files.
    try:
        with pil.open(path) as file:
            # 16-bit images are of this mode; a conversion would clip them to white.
            if file.mode.startswith("I;16"):
                file = pil.fromarray((np.asarray(file) >> 8).astype(np.uint8))
            image = ImageOps.exif_transpose(file.convert("RGBA"))
    except Exception as error:
        raise ValueError(f"{path}: is not a readable image ({error})") from error
    white = pil.new("RGBA", image.size, "white")
    image = pil.alpha_composite(white, image).convert("L" if channels == 1 else "RGB")
    inverted = False
    if background is not None and channels == 1:
        around = _border(np.asarray(image) / 255)
        inverted = abs(around - background) > _ANOTHER
        if inverted:
            image, around = ImageOps.invert(image), 1 - around
        image = ImageOps.pad(
            image, _of_proportions(image.size, width, height), color=round(255 * around)
        )
    resized = image.resize((width, height), pil.Resampling.BICUBIC)
    return np.asarray(resized, np.float32).reshape(height, width, channels) / 255, inverted


def _of_proportions(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Returns the smallest size of the given proportions that holds another one."""
    scale = max(size[0] / width, size[1] / height)
    return max(size[0], round(width * scale)), max(size[1], round(height * scale))


def _border(image: np.ndarray) -> float:
    """Returns the median of the outermost pixels of [height, width]."""
    sides = (image[0], image[-1], image[:, 0], image[:, -1])
    return float(np.median(np.concatenate(sides)))
