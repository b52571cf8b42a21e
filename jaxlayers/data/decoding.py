"""Decoding of image files with Pillow.

An image becomes 8 bits per channel, upright and opaque, with 1 channel (grayscale) or 3 (color):

| in the file | decoded as |
| --- | --- |
| grayscale, black and white | 1 channel |
| color, palette, CMYK, YCbCr | 3 channels |
| transparency (alpha channel, transparent color) | blended with the background |
| EXIF orientation | applied |
| 16-bit grayscale | divided by 257, rounded |
| floating point (TIFF), 0 to 1 | multiplied by 255, rounded; other values raise an error |
| several frames | the first |

Pillow reads 16-bit color as the high byte of each value.
"""

import io
import operator
import re
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of the supported formats. Some of the others start programs."""

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Suffixes of image files, in lower case; other files are ignored."""

Color = tuple[int, int, int]

BACKGROUNDS: dict[str, Color] = {"white": (255, 255, 255), "black": (0, 0, 0)}
"""The named colors of `background`."""

# Pillow's modes, each with the mode that it is converted to. Palettes may have transparency.
_GRAYSCALE = ("1", "L", "LA", "La")
_COLOR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_FLOAT = "F"

_EXIF_ORIENTATION = 0x0112
_TIFF_TILE = (322, 323)  # width, height


def decode(content: bytes, background: Color) -> "Image.Image":
    """Decodes the content of an image file, as described in the module's docstring.

    Args:
        content: The bytes of the file.
        background: Color that transparent pixels are blended with: (red, green, blue), 0 to 255.
            Its luminance is used for grayscale images.

    Returns:
        A Pillow image of mode L or RGB.

    Raises:
        ValueError: If the file has another format, more pixels than `PIL.Image.MAX_IMAGE_PIXELS`,
            or pixels that are not described above. Damaged files raise whatever Pillow raises.
        ImportError: If Pillow is not installed.
    """
    pil = pillow()
    with _open(content, pil) as image:
        _check_extent(image, pil.MAX_IMAGE_PIXELS)
        image.load()
        turn = _turn(image, pil.Transpose)
        opaque = _opaque(_eight_bits(image), background)
    return opaque if turn is None else opaque.transpose(turn)


def pixel_count(content: bytes) -> int:
    """Returns the number of pixels in the header of an image file; errors as in `decode`."""
    with _open(content, pillow()) as image:
        return int(image.width * image.height)


def resize(image: "Image.Image", size: tuple[int, int] | None) -> np.ndarray:
    """Resizes an image by bicubic interpolation, with antialiasing when it shrinks.

    Args:
        image: A Pillow image of mode L or RGB.
        size: The new `(height, width)`, ignoring the aspect ratio; None keeps the size.

    Returns:
        Uint8, `[height, width, channels]`.
    """
    if size is not None and size != (image.height, image.width):
        image = image.resize(size[::-1], pillow().Resampling.BICUBIC)
    # Faster than np.asarray for small images.
    return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, -1)


def check_background(where: str, background: str | Sequence[int]) -> Color:
    """Checks a background color and returns (red, green, blue).

    Args:
        where: Name of the caller, for the error message.
        background: A name of `BACKGROUNDS`, `"#rrggbb"` in hexadecimal, or three integers from 0
            to 255.

    Raises:
        ValueError: If an argument has any other value.
    """
    if isinstance(background, str) and background in BACKGROUNDS:
        return BACKGROUNDS[background]
    if isinstance(background, str) and re.fullmatch("#[0-9a-fA-F]{6}", background):
        red, green, blue = bytes.fromhex(background[1:])
        return red, green, blue
    if isinstance(background, list | tuple) and len(background) == 3:
        try:
            red, green, blue = map(operator.index, background)
        except TypeError:
            pass
        else:
            if all(0 <= value <= 255 for value in (red, green, blue)):
                return red, green, blue
    raise ValueError(
        f"{where}: background must be {', '.join(map(repr, BACKGROUNDS))}, '#rrggbb' or "
        f"(red, green, blue), three integers from 0 to 255, got {background!r}"
    )


def check_size(where: str, size: Sequence[int] | None) -> tuple[int, int] | None:
    """Checks a size and returns `(height, width)` as a tuple of int, or None.

    Raises:
        ValueError: If it is not two positive integers.
    """
    if size is None:
        return None
    if isinstance(size, list | tuple) and len(size) == 2:
        try:
            height, width = map(operator.index, size)
        except TypeError:
            pass
        else:
            if height > 0 and width > 0:
                return height, width
    raise ValueError(
        f"{where}: size must be (height, width), two positive integers, or None, got {size!r}"
    )


def pillow() -> ModuleType:
    """Returns Pillow's module `Image`, with the readers of `FORMATS` loaded.

    Raises:
        ImportError: If Pillow is not installed.
    """
    try:
        # Otherwise Pillow loads the readers of all its formats when one is missing.
        from PIL import (
            BmpImagePlugin,  # noqa: F401
            GifImagePlugin,  # noqa: F401
            Image,
            JpegImagePlugin,  # noqa: F401
            PngImagePlugin,  # noqa: F401
            PpmImagePlugin,  # noqa: F401
            TiffImagePlugin,  # noqa: F401
            WebPImagePlugin,  # noqa: F401
        )
    except ImportError as error:
        raise ImportError(
            'images are read and resized by Pillow: pip install "jaxlayers[train]"'
        ) from error
    return Image


def _open(content: bytes, pil: ModuleType) -> "Image.Image":
    try:
        image: Image.Image = pil.open(io.BytesIO(content), formats=FORMATS)
    except pil.UnidentifiedImageError:
        raise ValueError(
            f"its content must be {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, "
            f"and starts with {content[:12]!r}"
        ) from None
    return image


def _check_extent(image: "Image.Image", most: int | None) -> None:
    # Up to twice this size Pillow only warns, and a warning filter that raises an error would not
    # be thread-safe.
    tags = getattr(image, "tag_v2", {})
    tile = [int(tags.get(tag, 1)) for tag in _TIFF_TILE]
    pixels = max(image.width * image.height, tile[0] * tile[1])
    if most is not None and pixels > most:
        raise ValueError(f"Image size ({pixels} pixels) exceeds limit of {most} pixels")


def _turn(image: "Image.Image", method: "type[Image.Transpose]") -> "Image.Transpose | None":
    """Returns the transposition that makes an image upright by its EXIF data, or None."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION)
    except Exception:  # Pillow raises many types for damaged EXIF data, which viewers ignore.
        return None
    if not isinstance(orientation, int):
        return None
    turns = {
        2: method.FLIP_LEFT_RIGHT,
        3: method.ROTATE_180,
        4: method.FLIP_TOP_BOTTOM,
        5: method.TRANSPOSE,
        6: method.ROTATE_270,
        7: method.TRANSVERSE,
        8: method.ROTATE_90,
    }
    return turns.get(orientation)


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """Converts an image to 8 bits and mode L, LA, RGB or RGBA."""
    # Pillow warns if a conversion to RGB drops the transparency of a palette.
    transparent = image.has_transparency_data or image.mode in ("P", "PA")
    mode = None
    if image.mode in _GRAYSCALE:
        mode = "LA" if transparent else "L"
    elif image.mode in _COLOR:
        mode = "RGBA" if transparent else "RGB"
    if mode is not None:
        return image if image.mode == mode else image.convert(mode)
    if image.mode not in (*_SIXTEEN_BITS, _FLOAT):
        raise ValueError(
            f"it has Pillow's mode {image.mode}, and these are read: "
            f"{', '.join((*_GRAYSCALE, *_COLOR, *_SIXTEEN_BITS, _FLOAT))}"
        )
    pixels = np.asarray(image)
    largest = 1 if image.mode == _FLOAT else 65535
    # The condition also rejects NaN.
    if not (pixels.min() >= 0 and pixels.max() <= largest):
        raise ValueError(
            f"{'floating-point' if largest == 1 else 'integer'} pixels must be from 0 to "
            f"{largest}, got {pixels.min()} to {pixels.max()}"
        )
    scaled = np.rint(pixels.astype(np.float32) * (255 / largest))
    gray: Image.Image = pillow().fromarray(scaled.astype(np.uint8))
    # A 16-bit PNG may declare one value as transparent.
    if (clear := image.info.get("transparency")) is not None:
        gray.putalpha(pillow().fromarray(np.where(pixels == clear, 0, 255).astype(np.uint8)))
    return gray


def _opaque(image: "Image.Image", background: Color) -> "Image.Image":
    """Blends an alpha channel, if any, with the background; returns mode L or RGB."""
    if not image.mode.endswith("A"):
        return image
    pil = pillow()
    mode = image.mode.removesuffix("A")
    color = pil.new("RGB", (1, 1), background).convert(mode).getpixel((0, 0))
    opaque: Image.Image = pil.new(mode, image.size, color)
    opaque.paste(image if mode == "RGB" else image.getchannel("L"), mask=image.getchannel("A"))
    return opaque
