"""What the forms are made of: padding, the part of an image that a tap meets, matrix products."""

from collections.abc import Iterable, Sequence

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.geometry import Extents, Geometry, taps

Padding = Sequence[tuple[int, int]]


def pad(x: Array, padding: Padding) -> Array:
    """Pads the spatial axes of [batch, *spatial, channels] with zeros; negative pads crop."""
    if not any(n for pair in padding for n in pair):
        return x
    config = [(0, 0, 0), *((front, behind, 0) for front, behind in padding), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def met(padded: Array, tap: Extents, outputs: Extents, geometry: Geometry) -> Array:
    """Returns what one tap meets of a padded image: [batch, *windows, channels]."""
    for axis, (index, windows) in enumerate(zip(tap, outputs, strict=True), 1):
        stride = geometry.strides[axis - 1]
        start = index * geometry.dilation[axis - 1]
        padded = lax.slice_in_dim(padded, start, start + (windows - 1) * stride + 1, stride, axis)
    return padded


def spread(y: Array, tap: Extents, spatial: Extents, geometry: Geometry) -> Array:
    """Returns an image with `y` where one tap meets it, and zeros elsewhere: `met` transposed."""
    config = [(0, 0, 0)]
    for axis, (index, extent, windows) in enumerate(zip(tap, spatial, y.shape[1:-1], strict=True)):
        stride = geometry.strides[axis]
        before = index * geometry.dilation[axis] - geometry.padding[axis][0]
        config.append((before, extent - before - (windows - 1) * stride - 1, stride - 1))
    return lax.pad(y, jnp.zeros((), y.dtype), [*config, (0, 0, 0)])


def spread_last(y: Array, tap: int, extent: int, row: Geometry) -> Array:
    """Returns `y` where a tap of the last axis meets an image along that axis, as `spread`."""
    (stride,), (dilation,), ((front, _),) = row.strides, row.dilation, row.padding
    before = tap * dilation - front
    behind = extent - before - (y.shape[-2] - 1) * stride - 1
    config = [(0, 0, 0)] * (y.ndim - 2) + [(before, behind, stride - 1), (0, 0, 0)]
    return lax.pad(y, jnp.zeros((), y.dtype), config)


def patches(x: Array, window: Extents, geometry: Geometry) -> Array:
    """Returns what all taps meet, side by side: [batch, *windows, taps * channels]."""
    outputs = geometry.outputs(x.shape[1:-1], window)
    padded = pad(x, geometry.padding)
    columns = [met(padded, tap, outputs, geometry) for tap in taps(window)]
    return lax.concatenate(columns, x.ndim - 1)


def beside(padded: Array, size: int, count: int, row: Geometry) -> Array:
    """Returns what the taps of the last axis meet of a padded image, side by side.

    Args:
        padded: [batch, *spatial, channels].
        size: of the window along the last axis.
        count: of the windows along it.
        row: the geometry of that axis.

    Returns:
        [batch, *spatial[:-1], count, size * channels], behind a barrier, so that what makes it is
        not computed again for each use.
    """
    (stride,), (dilation,) = row.strides, row.dilation
    axis = padded.ndim - 2
    columns = [
        lax.slice_in_dim(padded, start, start + (count - 1) * stride + 1, stride, axis)
        for start in range(0, size * dilation, dilation)
    ]
    return lax.optimization_barrier(lax.concatenate(columns, axis + 1))


def channel_slice(x: Array, index: int, width: int) -> Array:
    """Returns the `index`-th `width` channels."""
    return lax.slice_in_dim(x, index * width, (index + 1) * width, axis=x.ndim - 1)


def product(x: Array, matrix: Array) -> Array:
    """Returns [..., channels] times [channels, filters]."""
    return lax.dot_general(x, matrix, (((x.ndim - 1,), (0,)), ((), ())))


def transposed_product(y: Array, matrix: Array) -> Array:
    """Returns [..., filters] times the transpose of [channels, filters]."""
    return lax.dot_general(y, matrix, (((y.ndim - 1,), (1,)), ((), ())))


def rows_product(x: Array, y: Array) -> Array:
    """Returns [..., channels] and [..., filters] contracted over all else: [channels, filters]."""
    rows = tuple(range(x.ndim - 1))
    contracted = ((rows, rows), ((), ()))
    # XLA's product is up to 2.4 times faster with the narrower operand on the left.
    if y.shape[-1] <= x.shape[-1]:
        return lax.dot_general(y, x, contracted).T
    return lax.dot_general(x, y, contracted)


def total(terms: Iterable[Array], shape: Sequence[int], dtype: jnp.dtype) -> Array:
    """Returns the sum of arrays; zeros of `shape` where there is none."""
    terms = list(terms)
    if not terms:
        return jnp.zeros(shape, dtype)
    result, *rest = terms
    for term in rest:
        result = result + term
    return result
