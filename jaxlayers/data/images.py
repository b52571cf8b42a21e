"""Image files in a folder or a zip file, one sub-folder a class."""

import functools
import io
import math
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxlayers.data.dataset import Dataset, Splits

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""The names of files that count as images end so, in any case; the others are ignored."""

LARGEST_FILE = 2**28
"""Bytes that one image file in a zip may unpack to. More is a mistake, or an attack."""

LARGEST_ARRAY = 2**35
"""Bytes that all images together may take in memory."""

# An alpha channel is dropped. Pillow's modes of 16 and 32 bits are not here: a conversion would
# clip them to white without a word.
_MODES = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "P": "RGB",
    "PA": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
}
_CHANNELS = {"L": 1, "RGB": 3}


class _File(NamedTuple):
    place: PurePosixPath  # below the folder or inside the zip file
    read: Callable[[], bytes]


def folder_splits(folder: Path, size: tuple[int, int] | None) -> Splits:
    """Returns the one split, `train`, of a folder of images; empty if it holds none.

    Args:
        folder: Images in it have no labels. Images in its sub-folders have the sorted names of
            these as their classes. Folders that hold everything are stepped into; hidden files
            and files that are not images by their suffix are ignored.
        size: `(height, width)` to resize the images to; None if they all have one size.

    Returns:
        The split, whose loading raises a `ValueError` that names the first image which cannot
        be read, or differs from the first in size or in being grey or coloured.
    """
    files = [
        _File(place, path.read_bytes)
        for place, path in _walk(folder, PurePosixPath())
        if _is_image(place)
    ]
    if not files:
        return {}
    name = folder.resolve().name
    return {"train": functools.partial(_load, files, size, str(folder), name)}


def zip_splits(path: Path, size: tuple[int, int] | None) -> Splits:
    """Returns the one split, `train`, of a zip file, in which images lie as in a folder.

    Nothing is unpacked to the disk.

    Raises:
        ValueError: Not a zip file, or one without images.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                info
                for info in archive.infolist()
                if not info.is_dir() and _is_image(PurePosixPath(info.filename))
            ]
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: not a readable zip file ({error}); get it again") from error
    if not members:
        raise ValueError(f"{path}: holds no images; these end in {', '.join(sorted(SUFFIXES))}")
    return {"train": functools.partial(_load_zip, path, members, size)}


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes images by bicubic interpolation, with antialiasing where they shrink.

    Args:
        images: uint8, `[N, height, width, channels]`.
        size: The new `(height, width)`. The aspect ratio is not kept.

    Returns:
        uint8, `[N, *size, channels]`.

    Example:
        >>> resize(np.zeros((2, 28, 28, 1), np.uint8), (64, 64)).shape
        (2, 64, 64, 1)
    """
    if images.shape[1:3] == size:
        return images
    pil = _pillow()
    resized = np.empty((len(images), *size, images.shape[-1]), np.uint8)
    for image, target in zip(images, resized, strict=True):
        for channel in range(image.shape[-1]):
            plane = pil.fromarray(np.ascontiguousarray(image[..., channel]))
            target[..., channel] = _fit(plane, size)
    return resized


def _walk(folder: Path, place: PurePosixPath) -> list[tuple[PurePosixPath, Path]]:
    found = []
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            found.append((place / entry.name, entry))
        # A link to a folder above would lead around in a circle.
        elif not folder.resolve().is_relative_to(entry.resolve()):
            found.extend(_walk(entry, place / entry.name))
    return found


def _is_image(place: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return not hidden and place.suffix.lower() in SUFFIXES


def _load_zip(
    path: Path, members: Sequence[zipfile.ZipInfo], size: tuple[int, int] | None
) -> Dataset:
    for info in members:
        if info.file_size > LARGEST_FILE:
            raise ValueError(
                f"{path}: {info.filename} claims to unpack to {info.file_size} bytes, "
                f"more than the {LARGEST_FILE} that an image may have; remove it"
            )
    with zipfile.ZipFile(path) as archive:
        files = [
            _File(PurePosixPath(info.filename), functools.partial(archive.read, info))
            for info in members
        ]
        return _load(files, size, str(path), path.stem)


def _load(files: Sequence[_File], size: tuple[int, int] | None, where: str, name: str) -> Dataset:
    files = sorted(files, key=lambda file: file.place)
    class_names, labels = _classes([file.place for file in files], where)
    return Dataset(_decode_all(files, size, where), labels, class_names, name)


def _classes(
    places: Sequence[PurePosixPath], where: str
) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    folders = [place.parent.parts for place in places]
    shared = 0
    while all(len(parts) > shared and parts[shared] == folders[0][shared] for parts in folders):
        shared += 1
    folders = [parts[shared:] for parts in folders]
    if not any(folders):
        return None, None
    for place, parts in zip(places, folders, strict=True):
        if len(parts) != 1:
            raise ValueError(
                f"{where}: images must lie in one folder, or all in one sub-folder a class; "
                f"{place} lies {'beside' if not parts else 'in a folder inside'} such "
                "sub-folders. Move it, or load the part that is laid out so"
            )
    class_names = tuple(sorted({parts[0] for parts in folders}))
    number = {class_name: label for label, class_name in enumerate(class_names)}
    return class_names, np.array([number[parts[0]] for parts in folders], np.int32)


def _decode_all(files: Sequence[_File], size: tuple[int, int] | None, where: str) -> np.ndarray:
    pil = _pillow()
    with warnings.catch_warnings():
        # Pillow warns of an image of absurd extent and then decodes it all the same.
        warnings.simplefilter("error", pil.DecompressionBombWarning)
        first = _decode(pil, files[0], size, where)
        shape = (len(files), *first.shape)
        if math.prod(shape) > LARGEST_ARRAY:
            raise ValueError(
                f"{where}: {len(files)} images of {_describe(first)} take "
                f"{math.prod(shape) / 2**30:.0f} GiB in memory, more than "
                f"{LARGEST_ARRAY / 2**30:.0f} GiB; give a smaller size=(height, width)"
            )
        images = np.empty(shape, np.uint8)
        images[0] = first
        for index, file in enumerate(files[1:], start=1):
            image = _decode(pil, file, size, where)
            if image.shape != first.shape:
                raise ValueError(
                    f"{where}: {file.place} is {_describe(image)}, but those before it "
                    f"are {_describe(first)}; {_advice(image.shape, first.shape)}"
                )
            images[index] = image
    return images


def _decode(pil: ModuleType, file: _File, size: tuple[int, int] | None, where: str) -> np.ndarray:
    # Pillow's decoders and zipfile raise a dozen unrelated types for damaged files.
    try:
        with pil.open(io.BytesIO(file.read())) as image:
            image.load()
            if image.mode in _MODES:
                return _to_array(image, size)
            mode = image.mode
    except Exception as error:
        raise ValueError(
            f"{where}: {file.place} is not a readable image ({error}); remove or replace it"
        ) from error
    raise ValueError(
        f"{where}: {file.place} has Pillow's mode {mode}; "
        f"8-bit images are read: {', '.join(_MODES)}. Convert it"
    )


def _to_array(image: "Image.Image", size: tuple[int, int] | None) -> np.ndarray:
    if image.mode in ("P", "PA"):
        # Pillow warns when it must drop a palette's transparency on the way to RGB.
        image = image.convert("RGBA")
    image = image.convert(_MODES[image.mode])
    pixels = np.asarray(image) if size is None else _fit(image, size)
    return pixels.reshape(*pixels.shape[:2], _CHANNELS[image.mode])


def _fit(image: "Image.Image", size: tuple[int, int]) -> np.ndarray:
    height, width = size
    return np.asarray(image.resize((width, height), _pillow().Resampling.BICUBIC))


def _describe(image: np.ndarray) -> str:
    height, width, channels = image.shape
    return f"{height} x {width} {'grey' if channels == 1 else 'colour'}"


def _advice(shape: tuple[int, ...], first: tuple[int, ...]) -> str:
    if shape[-1] != first[-1]:
        return "make them all grey or all colour"
    return "give size=(height, width) to resize them all"


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'images are read and resized by Pillow: pip install "jaxlayers[train]"'
        ) from error
    return Image
