"""Reading of one image file as the input of a model."""

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxlayers.data import decoding
from jaxlayers.data.arrays import as_images, to_uint8
from jaxlayers.data.listing import read_file

if TYPE_CHECKING:
    from PIL import Image

# Larger differences of the border mean inverted images: dark on light rather than light on dark.
_ANOTHER = 0.5
# Tolerance within which borders of similar images agree.
_ALIKE = 0.1


def border(images: np.ndarray) -> float | None:
    """Returns the brightness at the border of grayscale images; None if it varies.

    It is 0 for MNIST's digits and varies for photographs.

    Args:
        images: `[N, height, width, channels]`, uint8 or floating point from 0 to 1.

    Returns:
        The brightness from 0 to 1; None also for color images.

    Raises:
        TypeError: If the argument is not an array.
        ValueError: If the shape, dtype or range of values is any other.

    Example:
        >>> border(np.zeros((2, 28, 28, 1), np.uint8))
        0.0
    """
    images = to_uint8(as_images(images, "border"))
    if images.shape[-1] != 1:
        return None
    sides = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    means = np.median(np.concatenate(sides, axis=1)[..., 0], axis=1) / 255
    return float(means.mean()) if means.std() < _ALIKE else None


def read_image(
    path: str | Path,
    shape: Sequence[int],
    *,
    background: str | Sequence[int] = "white",
    border: float | None = None,
) -> tuple[np.ndarray, bool]:
    """Reads an image file as `load` does and resizes it to the input of a model.

    Args:
        path: A file of a format that `load` reads, of any size, grayscale or color.
        shape: `(height, width, channels)` of the result; 1 channel for grayscale, or 3.
        background: Color that transparent pixels are blended with, as in `load` for the training
            data.
        border: The brightness at the border of the training images, as returned by the function
            `border`. If it is given and `shape` has 1 channel, an image whose border has another
            brightness is inverted, and padded with its border to the aspect ratio of `shape`;
            otherwise it is resized as in `load`, ignoring its aspect ratio.

    Returns:
        Float32 from 0 to 1, of the given shape; and whether the image was inverted.

    Raises:
        FileNotFoundError: If the file does not exist.
        TypeError: If an argument has the wrong type.
        ValueError: If it is not a readable image, or an argument is out of range.
        ImportError: If Pillow is not installed.

    Example:
        >>> from PIL import Image
        >>> Image.new("RGBA", (6, 4), (255, 0, 0, 0)).save("clear.png")
        >>> image, inverted = read_image("clear.png", (2, 2, 3), background=(255, 255, 0))
        >>> image[0, 0].tolist()
        [1.0, 1.0, 0.0]
    """
    height, width, channels = _check_shape(shape)
    color = decoding.check_background("read_image", background)
    if border is not None and not (isinstance(border, int | float) and 0 <= border <= 1):
        raise ValueError(f"read_image: border must be from 0 to 1, or None, got {border!r}")
    image = _decode(path, color).convert("L" if channels == 1 else "RGB")
    inverted = False
    if border is not None and channels == 1:
        from PIL import ImageOps

        around = _border(np.asarray(image) / 255)
        inverted = abs(around - border) > _ANOTHER
        if inverted:
            image, around = ImageOps.invert(image), 1 - around
        size = _with_aspect_ratio(image.size, width, height)
        image = ImageOps.pad(image, size, color=round(255 * around))
    return decoding.resize(image, (height, width)) / np.float32(255), inverted


def _decode(path: str | Path, background: decoding.Color) -> "Image.Image":
    if not isinstance(path, str | Path) or not path:
        raise TypeError(f"read_image: path must be a str or a Path that is not empty, got {path!r}")
    if not Path(path).exists():
        raise FileNotFoundError(
            f"read_image: path {path}: there is no such file; give a file of "
            f"{', '.join(decoding.FORMATS)}"
        )
    # Pillow's decoders raise a dozen unrelated types for damaged files.
    try:
        return decoding.decode(read_file(Path(path)), background)
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"read_image: path {path} is not a readable image ({error})") from error


def _check_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    try:
        height, width, channels = map(operator.index, shape)
    except (TypeError, ValueError):
        pass
    else:
        if height > 0 and width > 0 and channels in (1, 3):
            return height, width, channels
    raise ValueError(
        "read_image: shape must be (height, width, channels), positive integers and 1 or 3 "
        f"channels, got {shape!r}"
    )


def _with_aspect_ratio(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Returns the smallest size with aspect ratio width : height that contains `size`."""
    scale = max(size[0] / width, size[1] / height)
    return max(size[0], round(width * scale)), max(size[1], round(height * scale))


def _border(image: np.ndarray) -> float:
    """Returns the median of the outermost pixels of [height, width]."""
    sides = (image[0], image[-1], image[:, 0], image[:, -1])
    return float(np.median(np.concatenate(sides)))
