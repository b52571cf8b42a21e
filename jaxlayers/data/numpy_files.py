"""Images in NumPy's `.npy` and `.npz` files."""

import functools
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from jaxlayers.data.arrays import as_images, as_labels, to_uint8
from jaxlayers.data.dataset import Dataset, Splits

# x_train as in Keras's data sets, images as common with NumPy; the first key found is used.
_IMAGE_KEYS = {
    "train": ("images", "x_train", "train_images", "x", "X"),
    "test": ("x_test", "test_images"),
}
_LABEL_KEYS = {
    "train": ("labels", "y_train", "train_labels", "y", "Y"),
    "test": ("y_test", "test_labels"),
}
_UNREADABLE = (ValueError, OSError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error)


def npy_splits(path: Path) -> Splits:
    """Returns the only split, `train`, of an `.npy` file of images."""
    return {"train": functools.partial(_load_npy, path)}


def npz_splits(path: Path) -> Splits:
    """Finds the splits of an `.npz` file by its keys; a single array has the images.

    Raises:
        ValueError: If the file cannot be read, or none of its keys is known.
    """
    try:
        with zipfile.ZipFile(path) as file:
            keys = tuple(name.removesuffix(".npy") for name in file.namelist())
    except _UNREADABLE as error:
        raise ValueError(f"{path}: not a readable .npz file ({error})") from error
    found = {split: _first(names, keys) for split, names in _IMAGE_KEYS.items()}
    if not any(found.values()) and len(keys) == 1:
        found["train"] = keys[0]
    if not any(found.values()):
        raise ValueError(
            f"{path}: has the keys {', '.join(keys) or 'none'}; name the images "
            f"{' or '.join(_IMAGE_KEYS['train'])} (and {' or '.join(_IMAGE_KEYS['test'])})"
        )
    return {
        split: functools.partial(_load_npz, path, key, _first(_LABEL_KEYS[split], keys))
        for split, key in found.items()
        if key is not None
    }


def _load_npy(path: Path) -> Dataset:
    try:
        # Memory mapping compares the claimed shape with the size of the file before any allocation.
        array = np.array(np.lib.format.open_memmap(path, mode="r"))
    except _UNREADABLE as error:
        raise ValueError(f"{path}: not a readable .npy file ({error})") from error
    return Dataset(to_uint8(as_images(array, str(path))), None, None, path.stem)


def _load_npz(path: Path, image_key: str, label_key: str | None) -> Dataset:
    images = to_uint8(as_images(_read_member(path, image_key), f"{path}[{image_key!r}]"))
    if label_key is None:
        return Dataset(images, None, None, path.stem)
    labels = as_labels(_read_member(path, label_key), f"{path}[{label_key!r}]")
    if len(images) != len(labels):
        raise ValueError(
            f"{path}: {len(labels)} {label_key!r} for {len(images)} {image_key!r}; "
            "there must be one label per image"
        )
    return Dataset(images, labels, None, path.stem)


def _read_member(path: Path, key: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            # Members that are not arrays are returned as bytes and fail by their shape.
            return np.asarray(file[key])
    except _UNREADABLE as error:
        raise ValueError(f"{path}[{key!r}]: not a readable array ({error})") from error


def _first(names: Iterable[str], keys: Iterable[str]) -> str | None:
    return next((name for name in names if name in keys), None)
