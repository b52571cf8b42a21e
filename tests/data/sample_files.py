"""Writes files for the tests of data sources."""

import gzip
import struct

import numpy as np
from PIL import Image

# From the specification of the format, so that they are independent of the reader.
IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def encode_idx(array):
    code = IDX_CODES[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx_folder(folder, *, spelling="{}-{}-idx{}-ubyte", packed=False):
    """Writes MNIST's four files with random pixels; returns (images, labels) by split."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    arrays = {}
    for split, prefix, count in (("train", "train", 4), ("test", "t10k", 2)):
        images = rng.integers(256, size=(count, 5, 6), dtype=np.uint8)
        labels = rng.integers(10, size=count, dtype=np.uint8)
        for kind, array in (("images", images), ("labels", labels)):
            name = spelling.format(prefix, kind, array.ndim) + (".gz" if packed else "")
            content = encode_idx(array)
            (folder / name).write_bytes(gzip.compress(content) if packed else content)
        arrays[split] = images, labels
    return arrays


def write_image(path, value=0, *, mode="L", size=(4, 4)):
    """Writes an image with one value; `size` is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], value).save(path)
    return path
