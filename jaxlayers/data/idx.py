"""The IDX format of MNIST and similar data sets."""

import functools
import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxlayers.data.dataset import Dataset, Splits

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""The usual names of the image and label files, by split."""

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"

# Deflate compresses by at most a factor of 1,032, so that a header that claims more is false.
_LARGEST_GZIP_RATIO = 1032


def read(path: str | Path) -> np.ndarray:
    """Reads one IDX file, plain or gzipped.

    Args:
        path: The file. Gzip is detected from its content, not from its name.

    Returns:
        The array in the file, with its shape and dtype, in native byte order.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not IDX, or its content does not match its header.

    Example:
        >>> read("train-images-idx3-ubyte.gz").shape  # doctest: +SKIP
        (60000, 28, 28)
    """
    path = Path(path)
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    most = path.stat().st_size * (_LARGEST_GZIP_RATIO if packed else 1)
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            return _read_array(file, most, path)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: a damaged gzip file ({error}); get the file again") from error


def splits(folder: Path) -> Splits:
    """Finds the usual four files of a folder, plain or `.gz`, with `-idx3-` or `.idx3-`.

    Returns:
        `train` and `test`, each only if its image file exists. Labels may be missing.
    """
    found = {split: _find(folder, images) for split, (images, _) in FILES.items()}
    return {
        split: functools.partial(
            _load, images, _find(folder, FILES[split][1]), folder.resolve().name
        )
        for split, images in found.items()
        if images is not None
    }


def _read_array(file: BinaryIO | gzip.GzipFile, most: int, path: Path) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        raise ValueError(
            f"{path}: not an IDX file: it starts with {magic.hex(' ') or 'nothing'}, "
            "and IDX with 00 00, a type code (08, 09, 0b to 0e) and the number of axes"
        )
    dtype, rank = np.dtype(_DTYPES[magic[2]]), magic[3]
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(f"{path}: truncated: the file ends inside its header")
    shape = struct.unpack(f">{rank}I", sizes)
    claimed = math.prod(shape) * dtype.itemsize
    # Checked before the read, which allocates the claimed size.
    if claimed > most:
        raise ValueError(
            f"{path}: truncated, or a false header: it claims shape {shape}, {claimed} bytes, "
            f"more than the file can hold; get the file again"
        )
    content = file.read(claimed + 1)
    if len(content) != claimed:
        held = f"only {len(content)}" if len(content) < claimed else "more"
        raise ValueError(
            f"{path}: its header claims shape {shape}, {claimed} bytes, but it holds {held}; "
            "get the file again"
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _find(folder: Path, name: str) -> Path | None:
    spellings = (name, name.replace("-idx", ".idx"))
    candidates = (folder / (spelling + end) for spelling in spellings for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _load(images_path: Path, labels_path: Path | None, name: str) -> Dataset:
    images = _read_bytes(images_path, ndim=3)[..., np.newaxis]
    if labels_path is None:
        return Dataset(images, None, None, name)
    labels = _read_bytes(labels_path, ndim=1)
    if len(images) != len(labels):
        raise ValueError(
            f"{labels_path}: {len(labels)} labels for the {len(images)} images of {images_path}"
        )
    return Dataset(images, labels.astype(np.int32), None, name)


def _read_bytes(path: Path, ndim: int) -> np.ndarray:
    array = read(path)
    if array.dtype != np.uint8 or array.ndim != ndim or array.size == 0:
        raise ValueError(
            f"{path}: must hold a uint8 array with {ndim} axes that is not empty, "
            f"got {array.dtype} of shape {array.shape}"
        )
    return array
