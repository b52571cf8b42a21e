"""A reader of the subset of HDF5 that Keras writes, in bounded time and memory.

The HDF5 C library has infinite loops on damaged files, and a loop in C cannot be interrupted, so
it is not used for reading. Keras writes a small subset of the format: groups in symbol tables,
contiguous and compact arrays, string attributes. Anything else raises an error: compressed and
chunked arrays, soft and external links, external storage, user-defined types.

Each byte that is read counts towards a budget of a few times the size of the file. Therefore, an
array is not allocated unless its bytes are in the file, and cyclic structures raise an error.

Reference:
    HDF5 File Format Specification, version 3.0,
    https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxlayers.interop.keras import hdf5_messages as messages

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNDEFINED = 2**64 - 1

# The types of messages in an object header.
_DATASPACE, _DATATYPE, _EXTERNAL_FILES, _LAYOUT, _FILTERS = 0x01, 0x03, 0x07, 0x08, 0x0B
_LINK, _LINK_INFO, _ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE = 0x06, 0x02, 0x0C, 0x10, 0x11
_ATTRIBUTE_INFO = 0x15


class File:
    """An HDF5 file in memory.

    Args:
        data: All bytes of the file.

    Raises:
        ValueError: If the file is not HDF5, is damaged, or has features that Keras does not use.
            The methods of its nodes raise this error as well.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._budget = 8 * len(data) + 2**16
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        if data[: len(_SIGNATURE)] != _SIGNATURE:
            raise ValueError(
                "is neither an HDF5 file nor a zip archive; Keras saves to .keras and .h5 files"
            )
        self.root = Node(self, self._root_address(), "/")

    def take(self, offset: int, size: int) -> bytes:
        """Returns a copy of bytes of the file."""
        return bytes(self.view(offset, size))

    def view(self, offset: int, size: int) -> memoryview:
        """Returns bytes of the file without a copy."""
        self._budget -= size + 16
        if offset < 0 or size < 0 or offset + size > len(self._data):
            raise ValueError("is truncated or damaged: it refers to bytes beyond its end")
        if self._budget < 0:
            raise ValueError("is damaged: it refers to the same bytes repeatedly")
        return memoryview(self._data)[offset : offset + size]

    def unpack(self, form: str, offset: int) -> tuple[Any, ...]:
        """Returns little-endian numbers of the file; `form` is a format of `struct`."""
        return struct.unpack(f"<{form}", self.take(offset, struct.calcsize(f"<{form}")))

    def expect(self, signature: bytes, offset: int) -> None:
        """Checks the signature of a structure."""
        if self.take(offset, len(signature)) != signature:
            raise ValueError(f"is damaged: {signature.decode()} is missing at offset {offset}")

    def heap_object(self, address: int, index: int) -> bytes:
        """Returns an object of a global heap, which contains variable-length strings."""
        if address not in self._heaps:
            self._heaps[address] = dict(self._heap_objects(address))
        if index not in self._heaps[address]:
            raise ValueError(f"is damaged: a string is missing in the heap at {address}")
        return self.take(*self._heaps[address][index])

    def _heap_objects(self, address: int) -> Iterator[tuple[int, tuple[int, int]]]:
        self.expect(b"GCOL", address)
        (size,) = self.unpack("Q", address + 8)
        offset, end = address + 16, min(address + size, len(self._data))
        while offset + 16 <= end:
            index, length = self.unpack("H6xQ", offset)
            if index == 0:  # the free space, which is last
                return
            yield index, (offset + 16, length)
            offset += 16 + messages.padded(length)

    def _root_address(self) -> int:
        (version,) = self.unpack("B", 8)
        if version > 1:
            raise ValueError(
                f"has an HDF5 superblock of version {version}, but Keras writes version 0. Save "
                "the model again with Keras, or copy the file with h5py.File(..., "
                "libver='earliest')"
            )
        if self.unpack("BB", 13) != (8, 8):
            raise ValueError("is damaged: offsets and lengths must have 8 bytes")
        base = 24 if version == 0 else 28
        if self.unpack("Q", base) != (0,):
            raise ValueError("has a user block before the HDF5 data, which must be removed")
        (address,) = self.unpack("Q", base + 32 + 8)
        return int(address)


class Node:
    """A group or an array of an HDF5 file."""

    def __init__(self, file: File, address: int, path: str) -> None:
        self._file = file
        self.path = path
        self.address = address

    @cached_property
    def children(self) -> dict[str, "Node"]:
        """The members of a group by name; `{}` for an array."""
        tables = self._messages(_SYMBOL_TABLE)
        if not tables:
            return {}
        tree, heap = struct.unpack("<QQ", messages.exactly(tables[0], 16))
        self._file.expect(b"HEAP", heap)
        size, names = self._file.unpack("Q8xQ", heap + 8)
        if names + size > len(self._file._data):
            raise ValueError(f"is truncated or damaged: the names of {self.path} are missing")
        members = {}
        for name, address in self._symbols(tree, (names, size), seen=set()):
            path = f"{self.path.rstrip('/')}/{name}"
            if name in members:
                raise ValueError(f"is damaged: {path} occurs twice")
            members[name] = Node(self._file, address, path)
        return members

    @property
    def is_array(self) -> bool:
        """Whether this is an array."""
        return bool(self._messages(_LAYOUT))

    @cached_property
    def array(self) -> "StoredArray":
        """The shape, the dtype and the location of an array; its values are not read."""
        for kind, what in {_FILTERS: "compressed", _EXTERNAL_FILES: "in other files"}.items():
            if self._messages(kind):
                raise ValueError(f"{self.path}: arrays that are {what} are not supported")
        dtype = messages.dtype_of(self._one(_DATATYPE))
        if dtype == messages.OPAQUE_PAIR and self.strings("dtype") == ["bfloat16"]:
            dtype = jnp.dtype(jnp.bfloat16)
        shape = messages.shape_of(self._one(_DATASPACE))
        return StoredArray(self._file, self.path, shape, dtype, self._one(_LAYOUT))

    def strings(self, name: str) -> list[str] | None:
        """Returns the strings of an attribute; `None` if there is no such attribute.

        h5py stores an empty list as an array of numbers, which is also returned as an empty list.
        """
        found = self._attributes.get(name)
        return None if found is None else messages.strings(self._file.heap_object, *found)

    @cached_property
    def _attributes(self) -> dict[str, tuple[bytes, bytes, bytes]]:
        """The type, the shape and the content of each attribute by name."""
        return dict(map(messages.attribute, self._messages(_ATTRIBUTE)))

    @cached_property
    def _header(self) -> list[tuple[int, bytes]]:
        """The type and the content of each message in the object header."""
        version, count, size = self._file.unpack("BxH4xI", self.address)
        if version != 1:
            raise ValueError(f"{self.path}: is damaged, or has a version that Keras does not write")
        blocks, seen = [(self.address + 16, size)], {self.address}
        found: list[tuple[int, bytes]] = []
        while blocks and len(found) < count:
            offset, size = blocks.pop(0)
            end = offset + size
            while offset + 8 <= end and len(found) < count:
                kind, length, flags = self._file.unpack("HHB", offset)
                content = self._file.take(offset + 8, length)
                if kind in (_LINK, _LINK_INFO, _ATTRIBUTE_INFO):
                    raise ValueError(f"{self.path}: has links or attributes Keras does not write")
                if flags & 2 and kind in (_DATASPACE, _DATATYPE, _LAYOUT, _ATTRIBUTE):
                    raise ValueError(f"{self.path}: has a shared type, which Keras does not write")
                if kind == _CONTINUATION:
                    address, more = struct.unpack("<QQ", messages.exactly(content, 16))
                    if address in seen:
                        raise ValueError(f"{self.path}: is damaged: its header is cyclic")
                    seen.add(address)
                    blocks.append((address, more))
                found.append((kind, content))
                offset += 8 + length
        return found

    def _messages(self, kind: int) -> list[bytes]:
        return [content for found, content in self._header if found == kind]

    def _one(self, kind: int) -> bytes:
        found = self._messages(kind)
        if len(found) != 1:
            raise ValueError(f"{self.path}: is damaged, or not an array")
        return found[0]

    def _symbols(
        self, tree: int, names: tuple[int, int], seen: set[int]
    ) -> Iterator[tuple[str, int]]:
        """Yields the name and the address of each member below a node of the group's B-tree."""
        if tree in seen:
            raise ValueError(f"{self.path}: is damaged: the group contains itself")
        seen.add(tree)
        self._file.expect(b"TREE", tree)
        kind, level, used = self._file.unpack("BBH", tree + 4)
        if kind != 0 or level > 16:
            raise ValueError(f"{self.path}: is damaged: not a B-tree of names")
        for position in range(used):
            (child,) = self._file.unpack("Q", tree + 32 + 16 * position)
            if level > 0:
                yield from self._symbols(child, names, seen)
            else:
                yield from self._leaf(child, names)

    def _leaf(self, address: int, names: tuple[int, int]) -> Iterator[tuple[str, int]]:
        self._file.expect(b"SNOD", address)
        (count,) = self._file.unpack("H", address + 6)
        for position in range(count):
            at, header, kind = self._file.unpack("QQI", address + 8 + 40 * position)
            start, size = names
            if at >= size:
                raise ValueError(f"{self.path}: is damaged: a name is missing")
            text = self._file.take(start + at, min(size - at, 1024)).partition(b"\0")[0]
            name = messages.text(text)
            if kind == 2 or header == _UNDEFINED:
                raise ValueError(f"{self.path}: {name!r} is a soft link, which is not supported")
            yield name, header


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, whose values have not been read.

    Attributes:
        file: The file.
        path: The path of the array in the file.
        shape: The declared shape; the values may be missing.
        dtype: A float dtype for weights; other arrays may have other dtypes.
        layout: The layout message.
    """

    file: File
    path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    layout: bytes

    def read(self) -> np.ndarray:
        """Returns the values as a read-only array that shares memory with the file.

        Raises:
            ValueError: If the bytes are not in the file, or the array is chunked.
        """
        size = math.prod(self.shape) * self.dtype.itemsize
        version, kind = struct.unpack_from("<BB", messages.exactly(self.layout[:2], 2))
        if version not in (3, 4) or kind not in (0, 1):
            raise ValueError(
                f"{self.path}: chunked arrays, which Keras does not write, are not supported. Copy "
                "the array with h5py without chunks and compression"
            )
        if kind == 0:
            (stored,) = struct.unpack("<H", messages.exactly(self.layout[2:4], 2))
            data = memoryview(self.layout)[4 : 4 + stored]
        else:
            address, stored = struct.unpack("<QQ", messages.exactly(self.layout[2:18], 16))
            if stored != size:
                raise ValueError(
                    f"{self.path}: is damaged: {stored:,} bytes for an array of {size:,}"
                )
            data = self.file.view(0 if size == 0 else address, size)
        if len(data) != size:
            raise ValueError(f"{self.path}: is damaged: {len(data)} bytes for an array of {size}")
        return np.frombuffer(data, self.dtype).reshape(self.shape)
