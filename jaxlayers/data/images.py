"""Image files in a folder or a zip file, one sub-folder per class."""

import contextlib
import functools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxlayers.data import decoding
from jaxlayers.data.dataset import Dataset, Splits
from jaxlayers.data.listing import Listing, Reader, classes, list_folder, list_zip, shown

LARGEST_ARRAY = 2**35
"""Largest size of all images in memory, in bytes."""

_MOST_NAMED = 10  # files in one error or warning


class UnreadableImageError(ValueError):
    """Raised if a file cannot be decoded; the message names it."""


@dataclass(frozen=True)
class Options:
    """The checked options of `load` for image files."""

    size: tuple[int, int] | None = None
    background: decoding.Color = decoding.BACKGROUNDS["white"]
    skip_unreadable: bool = False
    color_mode: str | None = None
    labels: bool = True


_COLOR_MODES = {"grayscale": "L", "rgb": "RGB"}  # Pillow's names


def check_options(
    where: str,
    size: Sequence[int] | None,
    background: str | Sequence[int],
    skip_unreadable: bool,
    color_mode: str | None = None,
    labels: bool = True,
) -> Options:
    """Checks the options and returns them.

    Args:
        where: Name of the caller, for the error message.
        size: As in `load`, like the others.
        background: A name or a color.
        skip_unreadable: A boolean.
        color_mode: A name or None.
        labels: A boolean.

    Raises:
        ValueError: If a size or a color is invalid, or the color mode is unknown.
        TypeError: If a flag is not a bool.
    """
    for name, value in (("skip_unreadable", skip_unreadable), ("labels", labels)):
        if not isinstance(value, bool):
            raise TypeError(f"{where}: {name} must be True or False, got {value!r}")
    if color_mode is not None and color_mode not in _COLOR_MODES:
        raise ValueError(
            f"{where}: color_mode must be {', '.join(map(repr, _COLOR_MODES))} or None, "
            f"got {color_mode!r}"
        )
    return Options(
        decoding.check_size(where, size),
        decoding.check_background(where, background),
        skip_unreadable,
        color_mode,
        labels,
    )


def folder_splits(folder: Path, options: Options) -> Splits:
    """Returns the only split, `train`, of a folder of images; empty if there are no images.

    Returns:
        The split. Loading it raises a `ValueError` that names all images which cannot be read, or
        the first that differs from the others in size.
    """
    listing = list_folder(folder)
    return {"train": functools.partial(_load, listing, options)} if listing.places else {}


def zip_splits(path: Path, options: Options) -> Splits:
    """Returns the only split, `train`, of a zip file of images.

    The images are read without extracting the file to disk.

    Raises:
        ValueError: If it is not a zip file, or holds no images.
    """
    return {"train": functools.partial(_load, list_zip(path), options)}


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes images by bicubic interpolation, with antialiasing when they shrink.

    Args:
        images: Uint8, `[N, height, width, channels]`.
        size: The new `(height, width)`. The aspect ratio is not kept.

    Returns:
        Uint8, `[N, *size, channels]`.

    Example:
        >>> resize(np.zeros((2, 28, 28, 1), np.uint8), (64, 64)).shape
        (2, 64, 64, 1)
    """
    if images.shape[1:3] == size:
        return images
    pil = decoding.pillow()
    resized = np.empty((len(images), *size, images.shape[-1]), np.uint8)
    for image, target in zip(images, resized, strict=True):
        for channel in range(image.shape[-1]):
            plane = pil.fromarray(np.ascontiguousarray(image[..., channel]))
            target[..., channel] = decoding.resize(plane, size)[..., 0]
    return resized


def decode(reader: Reader, index: int, options: Options) -> np.ndarray:
    """Reads one image; uint8, `[height, width, channels]`.

    Args:
        reader: Reads the files of a listing.
        index: Index of the file.
        options: The options; the size, the background and the color mode are used.

    Raises:
        UnreadableImageError: If the file cannot be decoded.
        ImportError: If Pillow is not installed.
    """
    # Pillow's decoders and zipfile raise a dozen unrelated types for damaged files.
    try:
        image = decoding.decode(reader.read(index), options.background)
        if options.color_mode is not None:
            image = image.convert(_COLOR_MODES[options.color_mode])
        return decoding.resize(image, options.size)
    except ImportError:
        raise
    except Exception as error:
        raise UnreadableImageError(
            f"{shown(reader.listing.places[index])} is not a readable image "
            f"({str(error) or type(error).__name__})"
        ) from error


def pixel_count(reader: Reader, index: int) -> int:
    """Returns the number of pixels of an image file; 0 if it cannot be read."""
    try:
        return decoding.pixel_count(reader.read(index))
    except Exception:  # as in decode
        return 0


def check_shape(
    listing: Listing, index: int, shape: tuple[int, ...], others: tuple[int, ...]
) -> None:
    """Checks that the shape of an image fits the others; grayscale fits color.

    Raises:
        ValueError: If it does not; the message says what to do.
    """
    if shape[:2] == others[:2] and shape[2] <= others[2]:
        return
    advice = (
        "give size=(height, width) to resize them all"
        if shape[:2] != others[:2]
        else 'give color_mode="rgb" or "grayscale" to convert them all'
    )
    raise ValueError(
        f"{listing.path}: {shown(listing.places[index])} is {_describe(shape)}, but images before "
        f"it are {_describe(others)}; {advice}"
    )


def unreadable(listing: Listing, errors: Sequence[str]) -> ValueError:
    """Returns an error that names the files that cannot be decoded."""
    return ValueError(
        f"{listing.path}: {_name(errors)}; remove or replace "
        f"{'it' if len(errors) == 1 else 'them'}, or give skip_unreadable=True"
    )


def warn_of_skipped(listing: Listing, errors: Sequence[str], done: str) -> None:
    """Warns of files that cannot be decoded and of how they are handled."""
    warnings.warn(f"{listing.path}: {done}: {_name(errors)}", stacklevel=2)


def _name(errors: Sequence[str]) -> str:
    more = len(errors) - _MOST_NAMED
    return "; ".join([*errors[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _load(listing: Listing, options: Options) -> Dataset:
    class_names, labels = classes(listing) if options.labels else (None, None)
    images, rows = _decode_all(listing, options)
    labels = None if labels is None else labels[rows]
    return Dataset(images, labels, class_names, listing.name, options.background)


def _decode_all(listing: Listing, options: Options) -> tuple[np.ndarray, list[int]]:
    """Returns all images that can be decoded, and their indices in the listing."""
    images = np.empty((0, 0, 0, 0), np.uint8)
    rows: list[int] = []
    errors: list[str] = []
    with contextlib.closing(Reader(listing)) as reader:
        for index in range(len(listing.places)):
            try:
                pixels = decode(reader, index, options)
            except UnreadableImageError as error:
                errors.append(str(error))
                continue
            if not rows:
                images = _allocate(listing, len(listing.places) - index, pixels.shape)
            elif pixels.shape[:2] == images.shape[1:3] and pixels.shape[2] > images.shape[3]:
                grayscale, images = images, _allocate(listing, len(images), pixels.shape)
                images[: len(rows)] = grayscale[: len(rows)]
            check_shape(listing, index, pixels.shape, images.shape[1:])
            images[len(rows)] = pixels
            rows.append(index)
    if errors and not (options.skip_unreadable and rows):
        raise unreadable(listing, errors)
    if errors:
        warn_of_skipped(listing, errors, "skipped")
    return images[: len(rows)], rows


def _allocate(listing: Listing, count: int, shape: tuple[int, ...]) -> np.ndarray:
    if count * math.prod(shape) > LARGEST_ARRAY:
        raise ValueError(
            f"{listing.path}: {count} images of {_describe(shape)} take "
            f"{count * math.prod(shape) / 2**30:.0f} GiB in memory, more than "
            f"{LARGEST_ARRAY / 2**30:.0f} GiB; give a smaller size=(height, width)"
        )
    return np.empty((count, *shape), np.uint8)


def _describe(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{height} x {width} {'grayscale' if channels == 1 else 'color'}"
