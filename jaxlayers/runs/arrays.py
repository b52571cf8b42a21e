"""Nested dictionaries of arrays in `.npz` files, including untrusted ones."""

import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from jaxlayers._files import write_atomically

_SEPARATOR = "/"
_MAX_DEPTH = 100
# Raised for files that are damaged or in another format.
_READ_ERRORS = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError)


def write_arrays(path: Path, tree: Mapping[str, Any]) -> None:
    """Writes nested dictionaries of arrays, uncompressed.

    The file is written atomically. Arrays of bfloat16, which the format does not support, are
    written as float32.

    Args:
        path: The file.
        tree: Nested dictionaries of arrays.
    """
    with write_atomically(path) as file:
        arrays: dict[str, Any] = dict(_flatten(tree))
        np.savez(file, **arrays)


def read_arrays(path: Path, shapes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the nested dictionaries that `write_arrays` wrote, with NumPy arrays.

    Memory use is bounded by the size of the file. Compressed members, which `write_arrays` never
    writes, and arrays whose declared size exceeds their part of the file are rejected.

    Args:
        path: The file.
        shapes: Nested dictionaries of arrays or `jax.ShapeDtypeStruct` to read; other arrays are
            ignored. Shapes are compared before any array is read. `None` for all arrays.

    Raises:
        ValueError: If the file is damaged, an array is missing or has another shape, or it is not
            numeric.
    """
    expected = None if shapes is None else {name: leaf.shape for name, leaf in _leaves(shapes)}
    tree: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if expected is not None:
                members = {name: info for name, info in members.items() if name in expected}
                _compare(expected, {name: _header(archive, m)[0] for name, m in members.items()})
            for name, info in members.items():
                _insert(tree, name, _read(archive, info))
    except _READ_ERRORS as error:
        raise ValueError(f"{path}: cannot be read as arrays ({error})") from error
    return tree


def array_names(path: Path) -> list[str]:
    """Returns the names of the arrays in a file, such as `params/dense/kernel`.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except _READ_ERRORS as error:
        raise ValueError(f"{path}: cannot be read as arrays ({error})") from error


def flat_names(tree: Mapping[str, Any]) -> list[str]:
    """Returns the names that the arrays of nested dictionaries have in a file."""
    return [name for name, _ in _leaves(tree)]


def _compare(expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    different = [
        f"{name} is {found.get(name, 'missing')}, the model has {shape}"
        for name, shape in expected.items()
        if found.get(name) != shape
    ]
    if different:
        more = f" and {len(different) - 8} more" if len(different) > 8 else ""
        raise ValueError(f"{'; '.join(different[:8])}{more}")


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[Any, bool, np.dtype[Any]]:
    """Returns the declared shape, order and dtype of a member, after checking them."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename!r} is compressed; arrays must be stored uncompressed")
    with archive.open(info) as member:
        return _read_header(member, info)


def _read_header(member: Any, info: zipfile.ZipInfo) -> tuple[Any, bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    if version != (1, 0):
        raise ValueError(f"{info.filename!r} has version {version} of NumPy's format")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(member)
    if dtype.kind not in "fiub":
        raise ValueError(f"{info.filename!r} has dtype {dtype}, which is not numeric")
    size = math.prod(shape) * dtype.itemsize
    if size > info.file_size:
        raise ValueError(f"{info.filename!r} declares {size} bytes, but has {info.file_size}")
    return shape, fortran_order, dtype


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    _header(archive, info)
    with archive.open(info) as member:
        shape, fortran_order, dtype = _read_header(member, info)
        size = math.prod(shape) * dtype.itemsize
        content = member.read(size)
    if len(content) < size:
        raise ValueError(f"{info.filename!r} is truncated")
    return np.ndarray(shape, dtype, content, order="F" if fortran_order else "C")


def _insert(tree: dict[str, Any], path: str, array: np.ndarray) -> None:
    *parents, name = map(unquote, path.split(_SEPARATOR))
    if len(parents) > _MAX_DEPTH:
        raise ValueError(f"an array is nested too deeply, in {len(parents)} dictionaries")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ValueError(f"{path!r} is inside an array")
    if name in tree:
        raise ValueError(f"{path!r} occurs twice")
    if name:
        tree[name] = array


def _flatten(tree: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    for path, leaf in _leaves(tree):
        array = np.asarray(leaf)
        # NumPy would write dtypes of other packages (kind V), but could not read them.
        yield path, array.astype(np.float32) if array.dtype.kind == "V" else array


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yields each array with its path; the path of an empty dictionary ends in the separator."""
    if not tree:
        yield above, np.empty(0)
    for name, node in tree.items():
        path = above + quote(name, safe="")
        if isinstance(node, Mapping):
            yield from _leaves(node, path + _SEPARATOR)
        else:
            yield path, node
