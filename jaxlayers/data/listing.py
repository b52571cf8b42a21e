"""Listing and reading of the image files in a folder or a zip file."""

import stat
import struct
import threading
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from jaxlayers.data.decoding import SUFFIXES

LARGEST_FILE = 2**28
"""Largest uncompressed size of an image file in bytes; larger ones are mistakes or attacks."""

_HEADER = struct.Struct("<4s2xH18xHH")  # signature, flags, lengths of the name and the extra field
_UTF_8 = 0x800  # flag of a member whose name is UTF-8


@dataclass(frozen=True)
class Listing:
    """The image files of a folder or a zip file, sorted by path.

    Args:
        path: The folder or the zip file.
        name: Its name without a suffix.
        places: Paths of the files relative to the folder or inside the zip file.
        members: Indices of the files among all members of the zip file; None for a folder.
    """

    path: Path
    name: str
    places: tuple[str, ...]
    members: tuple[int, ...] | None


def checksum(listing: Listing) -> int:
    """Returns a checksum of the names and the content of the files.

    The content is represented by the checksums in a zip file, and by the sizes of files in a
    folder.
    """
    if listing.members is None:
        parts = [f"{place} {(listing.path / place).stat().st_size}" for place in listing.places]
    else:
        with zipfile.ZipFile(listing.path) as archive:
            infos = archive.infolist()
            parts = [f"{infos[number].filename} {infos[number].CRC}" for number in listing.members]
    return zlib.crc32("\n".join(parts).encode("utf-8", "surrogateescape"))


class Reader:
    """Reads the files of a listing, from any thread; a zip file is kept open until `close`."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self._archive = None if listing.members is None else zipfile.ZipFile(listing.path)
        self._lock = threading.Lock()

    def read(self, index: int) -> bytes:
        """Returns the content of the file at `index` of the listing.

        Raises:
            ValueError: If it is not a regular file, or has more than `LARGEST_FILE` bytes.
            OSError: If the file cannot be read. `zipfile` raises other types as well.
        """
        if self._archive is not None and self.listing.members is not None:
            info = self._archive.infolist()[self.listing.members[index]]
            # Never more than the size in the zip directory, which is checked.
            with self._lock:
                content = _read_stored(self._archive, info)
                return self._archive.read(info) if content is None else content
        return read_file(self.listing.path / self.listing.places[index])

    def close(self) -> None:
        """Closes the zip file."""
        if self._archive is not None:
            self._archive.close()


def _read_stored(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
    """Returns the content of a member that is neither compressed nor damaged, otherwise None.

    `ZipFile.read` takes several times as long, a tenth of the time of decoding a small image.
    """
    if info.compress_type != zipfile.ZIP_STORED or archive.fp is None:
        return None
    archive.fp.seek(info.header_offset)
    header = archive.fp.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    signature, flags, length, extra = _HEADER.unpack(header)
    # Flags other than that of the encoding mean encryption, or a format that zipfile refuses.
    if signature != b"PK\3\4" or flags != info.flag_bits or flags & ~_UTF_8:
        return None
    name = archive.fp.read(length + extra)[:length]
    if name != info.orig_filename.encode("utf-8" if flags else "cp437"):
        return None
    content = archive.fp.read(info.file_size)
    return content if zlib.crc32(content) == info.CRC else None


def read_file(path: Path) -> bytes:
    """Returns the content of a file of at most `LARGEST_FILE` bytes.

    Raises:
        ValueError: If it is not a regular file, which could be endless, or a larger one.
        OSError: If the file cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    if status.st_size > LARGEST_FILE:
        raise ValueError(f"it has {status.st_size} bytes, more than the allowed {LARGEST_FILE}")
    return path.read_bytes()


def list_folder(folder: Path) -> Listing:
    """Lists the images in a folder and its sub-folders.

    Hidden files and files that are not images by their suffix are ignored.
    """
    places = sorted(filter(_is_image, _walk(folder, PurePosixPath())))
    return Listing(folder, folder.resolve().name, tuple(map(str, places)), None)


def list_zip(path: Path) -> Listing:
    """Lists the images in a zip file, ignoring the same files as `list_folder`.

    Raises:
        ValueError: If it is not a zip file, holds no images, or holds an image that unpacks to more
            than `LARGEST_FILE` bytes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise ValueError(f"{path}: not a readable zip file ({error}); get it again") from error
    members = sorted(
        (place, number)
        for number, info in enumerate(infos)
        if _is_image(place := PurePosixPath(info.filename)) and not info.is_dir()
    )
    if not members:
        raise ValueError(f"{path}: holds no images; these end in {', '.join(sorted(SUFFIXES))}")
    for place, number in members:
        if infos[number].file_size > LARGEST_FILE:
            raise ValueError(
                f"{path}: {shown(str(place))} claims to unpack to {infos[number].file_size} bytes, "
                f"more than the {LARGEST_FILE} that an image may have; remove it"
            )
    places, numbers = zip(*members, strict=True)
    return Listing(path, path.stem, tuple(map(str, places)), numbers)


def classes(listing: Listing) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    """Returns the class names and the int32 labels of the images, or None for both.

    Images directly in the folder have no labels. The classes of images in sub-folders are the
    sorted names of these. A single folder that contains everything is skipped.

    Raises:
        ValueError: If some images are next to or below the sub-folders that are the classes.
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
                f"{listing.path}: images with labels must lie in one sub-folder per class; "
                f"{shown(str(place))} lies "
                f"{'beside' if not parts else 'in a folder inside'} such sub-folders. Move it, or "
                "load the images without labels, by labels=False"
            )
    class_names = tuple(sorted({parts[0] for parts in folders}))
    number = {class_name: label for label, class_name in enumerate(class_names)}
    return class_names, np.array([number[parts[0]] for parts in folders], np.int32)


def shown(place: str) -> str:
    """Returns a printable file name, with control characters escaped."""
    return place if place.isprintable() else ascii(place)


def _walk(folder: Path, place: PurePosixPath) -> list[PurePosixPath]:
    found = []
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            found.append(place / entry.name)
        # A link to a parent folder would be followed endlessly.
        elif not folder.resolve().is_relative_to(entry.resolve()):
            found.extend(_walk(entry, place / entry.name))
    return found


def _is_image(place: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return not hidden and place.suffix.lower() in SUFFIXES
