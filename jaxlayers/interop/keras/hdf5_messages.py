"""The messages in the headers of HDF5 objects: dtypes, shapes, attributes.

Reference:
    HDF5 File Format Specification, version 3.0, section IV.A.2,
    https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

import math
import struct
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

# Keys are the size, the positions and widths of exponent and mantissa, and the exponent bias.
_FLOATS = {
    (2, 10, 5, 0, 10, 15): np.dtype("<f2"),
    (2, 7, 8, 0, 7, 127): jnp.dtype(jnp.bfloat16),
    (4, 23, 8, 0, 23, 127): np.dtype("<f4"),
    (8, 52, 11, 0, 52, 1023): np.dtype("<f8"),
}
# Keras writes bfloat16 as two opaque bytes, with an attribute that names the dtype.
OPAQUE_PAIR = np.dtype("V2")


def padded(size: int) -> int:
    """Returns a size rounded up to a multiple of eight."""
    return (size + 7) // 8 * 8


def exactly(content: bytes, size: int) -> bytes:
    """Returns the first `size` bytes, or raises an error if there are fewer."""
    if len(content) < size:
        raise ValueError("is truncated or damaged: a header ends early")
    return content[:size]


def text(content: bytes) -> str:
    """Decodes UTF-8 text."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"is damaged: {content[:40]!r} is not UTF-8 text") from None


def shape_of(message: bytes) -> tuple[int, ...]:
    """Returns the shape in a dataspace message."""
    version, rank, _, kind = struct.unpack("<BBBB", exactly(message, 4))
    if version not in (1, 2) or rank > 32 or (version == 2 and kind == 2):
        raise ValueError("is damaged: an array has no shape")
    start = 8 if version == 1 else 4
    return struct.unpack(f"<{rank}Q", exactly(message[start:], 8 * rank))


def dtype_of(message: bytes) -> np.dtype:
    """Returns the dtype of numbers or fixed-length strings; other types raise an error."""
    head, bits, _, _, size = struct.unpack("<BBBBI", exactly(message, 8))
    kind, properties = head & 15, message[8:]
    if kind == 0 and size in (1, 2, 4, 8) and not bits & 1:
        return np.dtype(f"<{'i' if bits & 8 else 'u'}{size}")
    if kind == 1 and not bits & 0x41:  # little-endian
        place = struct.unpack("<HHBBBBI", exactly(properties, 12))
        dtype: np.dtype | None = _FLOATS.get((size, *place[2:]))
        if dtype is not None and place[:2] == (0, 8 * size):
            return dtype
    if kind == 3 and 0 < size < 2**16:
        return np.dtype(f"S{size}")
    if kind == 5 and size == 2:
        return OPAQUE_PAIR
    raise ValueError(f"has a datatype that Keras does not write (class {kind}, {size} bytes)")


def attribute(message: bytes) -> tuple[str, tuple[bytes, bytes, bytes]]:
    """Returns the name of an attribute, and its datatype, dataspace and content."""
    version, flags, *sizes = struct.unpack("<BBHHH", exactly(message, 8))
    if version not in (1, 2, 3) or (version > 1 and flags):
        raise ValueError("is damaged, or has a type of attribute that Keras does not write")
    offset, parts = 9 if version == 3 else 8, []
    for size in sizes:
        parts.append(exactly(message[offset:], size))
        offset += padded(size) if version == 1 else size
    return text(parts[0].partition(b"\0")[0]), (parts[1], parts[2], message[offset:])


def strings(
    heap_object: Callable[[int, int], bytes], kind: bytes, shape: bytes, data: bytes
) -> list[str]:
    """Returns the strings of an attribute.

    Args:
        heap_object: Returns an object of a heap, by the address of the heap and its index.
        kind: The datatype message.
        shape: The dataspace message.
        data: The content.
    """
    count = math.prod(shape_of(shape))
    if kind[:1] and kind[0] & 15 == 9:  # variable-length strings, in the heap
        records = exactly(data, 16 * count)
        found = [struct.unpack_from("<IQI", records, 16 * at) for at in range(count)]
        # Empty strings are not in the heap.
        return [
            text(heap_object(address, index)[:length]) if length else ""
            for length, address, index in found
        ]
    dtype = dtype_of(kind)
    if count == 0:
        return []
    if dtype.kind != "S" or count > len(data):
        raise ValueError("is damaged: an attribute contains no strings")
    size = dtype.itemsize
    texts = exactly(data, size * count)
    return [text(texts[at * size : (at + 1) * size].rstrip(b"\0")) for at in range(count)]
