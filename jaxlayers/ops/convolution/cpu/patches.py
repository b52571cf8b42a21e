"""What the algorithms are made of: windows of padded images, patches, scatter, matrix products.

A tap is one position of a window. A patch is what all taps of a window read, concatenated along
the channels (im2col).
"""

from collections.abc import Iterable, Sequence

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution.geometry import Extents, Geometry, taps
from jaxlayers.ops.windows import Padding


def pad(x: Array, padding: Sequence[Padding]) -> Array:
    """Pads the spatial axes of [batch, *spatial, channels] with zeros; negative numbers crop."""
    if not any(n for pair in padding for n in pair):
        return x
    config = [(0, 0, 0), *((before, after, 0) for before, after in padding), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def at_tap(padded: Array, tap: Extents, outputs: Extents, geometry: Geometry) -> Array:
    """Returns what one tap of each window reads of a padded image: [batch, *outputs, channels]."""
    for axis, (index, count) in enumerate(zip(tap, outputs, strict=True), 1):
        stride = geometry.strides[axis - 1]
        start = index * geometry.dilation[axis - 1]
        padded = lax.slice_in_dim(padded, start, start + (count - 1) * stride + 1, stride, axis)
    return padded


def scatter(y: Array, tap: Extents, spatial: Extents, geometry: Geometry) -> Array:
    """Returns an image of zeros with `y` where one tap reads: the transpose of `at_tap`."""
    config = [(0, 0, 0)]
    for axis, (index, extent, count) in enumerate(zip(tap, spatial, y.shape[1:-1], strict=True)):
        stride = geometry.strides[axis]
        before = index * geometry.dilation[axis] - geometry.padding[axis][0]
        config.append((before, extent - before - (count - 1) * stride - 1, stride - 1))
    return lax.pad(y, jnp.zeros((), y.dtype), [*config, (0, 0, 0)])


def scatter_last(y: Array, tap: int, extent: int, row: Geometry) -> Array:
    """Scatters along the last spatial axis alone, which has the geometry `row`."""
    (stride,), (dilation,), ((front, _),) = row.strides, row.dilation, row.padding
    before = tap * dilation - front
    after = extent - before - (y.shape[-2] - 1) * stride - 1
    config = [(0, 0, 0)] * (y.ndim - 2) + [(before, after, stride - 1), (0, 0, 0)]
    return lax.pad(y, jnp.zeros((), y.dtype), config)


def extract(x: Array, window: Extents, geometry: Geometry) -> Array:
    """Returns the patches of an image: [batch, *outputs, taps * channels]."""
    outputs = geometry.outputs(x.shape[1:-1], window)
    padded = pad(x, geometry.padding)
    columns = [at_tap(padded, tap, outputs, geometry) for tap in taps(window)]
    return lax.concatenate(columns, x.ndim - 1)


def channel_slice(x: Array, index: int, width: int) -> Array:
    """Returns the `index`-th `width` channels."""
    return lax.slice_in_dim(x, index * width, (index + 1) * width, axis=x.ndim - 1)


def matmul(x: Array, matrix: Array) -> Array:
    """Returns [..., channels] times [channels, filters]."""
    return lax.dot_general(x, matrix, (((x.ndim - 1,), (0,)), ((), ())))


def add_all(terms: Iterable[Array], shape: Sequence[int], dtype: jnp.dtype) -> Array:
    """Returns the sum of arrays; zeros of `shape` where there are none."""
    terms = list(terms)
    if not terms:
        return jnp.zeros(shape, dtype)
    result, *rest = terms
    for term in rest:
        result = result + term
    return result
