"""Image files in a folder or a zip file, one sub-folder a class."""

import contextlib
import functools
import io
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class Listing:
    """The image files of a folder or a zip file, sorted by where they lie; none is open.

    Args:
        path: The folder or the zip file.
        name: Its name without a suffix.
        places: Where each file lies below the folder or inside the zip file.
        members: The number of each among all members of the zip file; None for a folder.
    """

    path: Path
    name: str
    places: tuple[str, ...]
    members: tuple[int, ...] | None


class Reader:
    """Reads the files of a listing, of which a zip file is kept open until `close`."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self._archive = None if listing.members is None else zipfile.ZipFile(listing.path)

    def read(self, index: int) -> bytes:
        """Returns the content of the file at `index` of the listing."""
        if self._archive is None or self.listing.members is None:
            return (self.listing.path / self.listing.places[index]).read_bytes()
        return self._archive.read(self._archive.infolist()[self.listing.members[index]])

    def close(self) -> None:
        """Closes the zip file, after which nothing can be read."""
        if self._archive is not None:
            self._archive.close()


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
    listing = list_folder(folder)
    return {"train": functools.partial(_load, listing, size)} if listing.places else {}


def zip_splits(path: Path, size: tuple[int, int] | None) -> Splits:
    """Returns the one split, `train`, of a zip file, in which images lie as in a folder.

    Nothing is unpacked to the disk.

    Raises:
        ValueError: Not a zip file, or one without images.
    """
    return {"train": functools.partial(_load, list_zip(path), size)}


def list_folder(folder: Path) -> Listing:
    """Lists the images in a folder and in its sub-folders; there may be none."""
    places = sorted(filter(_is_image, _walk(folder, PurePosixPath())))
    return Listing(folder, folder.resolve().name, tuple(map(str, places)), None)


def list_zip(path: Path) -> Listing:
    """Lists the images in a zip file.

    Raises:
        ValueError: Not a zip file, or one without images, or with an image that would unpack to
            more than `LARGEST_FILE` bytes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: not a readable zip file ({error}); get it again") from error
    members = sorted(
        (place, number)
        for number, info in enumerate(infos)
        if _is_image(place := PurePosixPath(info.filename)) and not info.is_dir()
    )
    if not members:
        raise ValueError(f"{path}: holds no images; these end in {', '.join(sorted(SUFFIXES))}")
    for _, number in members:
        if infos[number].file_size > LARGEST_FILE:
            raise ValueError(
                f"{path}: {infos[number].filename} claims to unpack to "
                f"{infos[number].file_size} bytes, "
                f"more than the {LARGEST_FILE} that an image may have; remove it"
            )
    places, numbers = zip(*members, strict=True)
    return Listing(path, path.stem, tuple(map(str, places)), numbers)


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
    pil = pillow()
    resized = np.empty((len(images), *size, images.shape[-1]), np.uint8)
    for image, target in zip(images, resized, strict=True):
        for channel in range(image.shape[-1]):
            plane = pil.fromarray(np.ascontiguousarray(image[..., channel]))
            target[..., channel] = _fit(plane, size)
    return resized


def classes(listing: Listing) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    """Returns the names of the classes and the int32 label of each image, or twice None.

    Raises:
        ValueError: Some images lie beside or below the sub-folders that are the classes.
    """
    places = [PurePosixPath(place) for place in listing.places]
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
                f"{listing.path}: images must lie in one folder, or all in one sub-folder a "
                f"class; {place} lies {'beside' if not parts else 'in a folder inside'} such "
                "sub-folders. Move it, or load the part that is laid out so"
            )
    class_names = tuple(sorted({parts[0] for parts in folders}))
    number = {class_name: label for label, class_name in enumerate(class_names)}
    return class_names, np.array([number[parts[0]] for parts in folders], np.int32)


def decode(
    reader: Reader,
    index: int,
    size: tuple[int, int] | None,
    shape: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Reads one image; uint8, `[height, width, channels]`.

    Args:
        reader: Reads the files of a listing.
        index: Which of them.
        size: `(height, width)` to resize it to, or None.
        shape: What the image must come out as; None if any shape will do.

    Raises:
        ValueError: The file is not a readable image of 8 bits, or has another shape.
        ImportError: Pillow is not installed.
    """
    pil = pillow()
    where, place = reader.listing.path, reader.listing.places[index]
    # Pillow's decoders and zipfile raise a dozen unrelated types for damaged files.
    try:
        with pil.open(io.BytesIO(reader.read(index))) as image:
            _check_extent(image, pil.MAX_IMAGE_PIXELS)
            image.load()
            mode = image.mode
            pixels = _to_array(image, size) if mode in _MODES else None
    except Exception as error:
        raise ValueError(
            f"{where}: {place} is not a readable image ({error}); remove or replace it"
        ) from error
    if pixels is None:
        raise ValueError(
            f"{where}: {place} has Pillow's mode {mode}; "
            f"8-bit images are read: {', '.join(_MODES)}. Convert it"
        )
    if shape is not None and pixels.shape != shape:
        raise ValueError(
            f"{where}: {place} is {_describe(pixels.shape)}, but images before it "
            f"are {_describe(shape)}; {_advice(pixels.shape, shape)}"
        )
    return pixels


def _walk(folder: Path, place: PurePosixPath) -> list[PurePosixPath]:
    found = []
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            found.append(place / entry.name)
        # A link to a folder above would lead around in a circle.
        elif not folder.resolve().is_relative_to(entry.resolve()):
            found.extend(_walk(entry, place / entry.name))
    return found


def _is_image(place: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return not hidden and place.suffix.lower() in SUFFIXES


def _load(listing: Listing, size: tuple[int, int] | None) -> Dataset:
    class_names, labels = classes(listing)
    return Dataset(_decode_all(listing, size), labels, class_names, listing.name)


def _decode_all(listing: Listing, size: tuple[int, int] | None) -> np.ndarray:
    count = len(listing.places)
    with contextlib.closing(Reader(listing)) as reader:
        first = decode(reader, 0, size)
        shape = (count, *first.shape)
        if math.prod(shape) > LARGEST_ARRAY:
            raise ValueError(
                f"{listing.path}: {count} images of {_describe(first.shape)} take "
                f"{math.prod(shape) / 2**30:.0f} GiB in memory, more than "
                f"{LARGEST_ARRAY / 2**30:.0f} GiB; give a smaller size=(height, width)"
            )
        images = np.empty(shape, np.uint8)
        images[0] = first
        for index in range(1, count):
            images[index] = decode(reader, index, size, first.shape)
    return images


def _check_extent(image: "Image.Image", most: int | None) -> None:
    # Pillow only warns of up to twice as many; and a filter that made it an error would not be
    # safe where several threads decode.
    pixels = image.width * image.height
    if most is not None and pixels > most:
        raise ValueError(f"Image size ({pixels} pixels) exceeds limit of {most} pixels")


def _to_array(image: "Image.Image", size: tuple[int, int] | None) -> np.ndarray:
    if image.mode in ("P", "PA"):
        # Pillow warns when it must drop a palette's transparency on the way to RGB.
        image = image.convert("RGBA")
    image = image.convert(_MODES[image.mode])
    pixels = np.asarray(image) if size is None else _fit(image, size)
    return pixels.reshape(*pixels.shape[:2], _CHANNELS[image.mode])


def _fit(image: "Image.Image", size: tuple[int, int]) -> np.ndarray:
    height, width = size
    return np.asarray(image.resize((width, height), pillow().Resampling.BICUBIC))


def _describe(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{height} x {width} {'grey' if channels == 1 else 'colour'}"


def _advice(shape: tuple[int, ...], first: tuple[int, ...]) -> str:
    if shape[-1] != first[-1]:
        return "make them all grey or all colour"
    return "give size=(height, width) to resize them all"


def pillow() -> ModuleType:
    """Returns Pillow's module of images.

    Raises:
        ImportError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'images are read and resized by Pillow: pip install "jaxlayers[train]"'
        ) from error
    return Image
