"""Algorithms of the forward pass: x [batch, *spatial, channels] and kernel to y, ungrouped."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops import windows
from jaxlayers.ops.convolution import xla
from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.geometry import Geometry, taps


def convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """XLA's convolution, protected from XLA's own simplification.

    Where the window has more positions than the image, XLA exchanges the two, and no fast
    convolution takes the result: 2.7 GFLOP/s instead of 168 for a window of 5 on 4 x 4 x 256; for
    some geometries the compiler aborts the process. An image padded behind a barrier is never
    smaller than the window.
    """
    spans = map(windows.span, kernel.shape[: geometry.rank], geometry.dilation)
    cropped = any(n < 0 for pair in geometry.padding for n in pair)
    # For `per_column`, one of these axes is the batch: a symbolic one may be small.
    positions = math.prod(x.shape[1:-1])
    if cropped or not isinstance(positions, int) or math.prod(spans) > positions:
        x = lax.optimization_barrier(patches.pad(x, geometry.padding))
        geometry = geometry._replace(padding=((0, 0),) * geometry.rank)
    return xla.forward(x, kernel, geometry)


def even_convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """XLA's convolution with an additional channel of zeros, so that their number is even."""
    one_more = [(0, 0, 0)] * (x.ndim - 1) + [(0, 1, 0)]
    # [*window, channels, filters] has its channels where the image has its last spatial axis.
    with_channel = lax.pad(kernel, jnp.zeros((), x.dtype), [*one_more[1:], (0, 0, 0)])
    return convolution(lax.pad(x, jnp.zeros((), x.dtype), one_more), with_channel, geometry)


def one_tap(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """A matrix product, for a window of one position."""
    outputs = geometry.outputs(x.shape[1:-1], kernel.shape[:-2])
    padded = patches.pad(x, geometry.padding)
    only = patches.at_tap(padded, (0,) * geometry.rank, outputs, geometry)
    return patches.matmul(only, kernel.reshape(kernel.shape[-2:]))


def tap_by_tap(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The sum of a matrix product per tap that reads the image."""
    spatial, window = x.shape[1:-1], kernel.shape[:-2]
    outputs = geometry.outputs(spatial, window)
    padded = patches.pad(x, geometry.padding)
    return patches.add_all(
        (
            patches.matmul(patches.at_tap(padded, tap, outputs, geometry), kernel[tap])
            for tap in geometry.live_taps(spatial, window)
        ),
        (x.shape[0], *outputs, kernel.shape[-1]),
        x.dtype,
    )


def im2col(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """One matrix product with the patches of x."""
    return patches.matmul(
        patches.extract(x, kernel.shape[:-2], geometry), kernel.reshape(-1, kernel.shape[-1])
    )


def row_by_row(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Patches along the last axis, and the sum of a matrix product per tap of the other axes.

    Between `tap_by_tap`, whose products are as narrow as the image has channels, and `im2col`,
    which copies the image for every tap.
    """
    spatial, (*window, last, _, filters) = x.shape[1:-1], kernel.shape
    *outputs, columns = geometry.outputs(spatial, (*window, last))
    rows, row = geometry.axes(slice(-1)), geometry.axes(slice(-1, None))
    padded = patches.pad(x, geometry.padding)
    row_patches = patches.extract_last(padded, last, columns, row)
    return patches.add_all(
        (
            patches.matmul(
                patches.at_tap(row_patches, tap, tuple(outputs), rows),
                kernel[tap].reshape(-1, filters),
            )
            for tap in rows.live_taps(spatial[:-1], tuple(window))
        ),
        (x.shape[0], *outputs, columns, filters),
        x.dtype,
    )


def shifted_sums(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """One matrix product that gives the terms of all taps, and their sum."""
    window, filters = kernel.shape[:-2], kernel.shape[-1]
    outputs = geometry.outputs(x.shape[1:-1], window)
    count = math.prod(window)
    matrix = jnp.moveaxis(kernel.reshape(count, -1, filters), 0, 1).reshape(-1, count * filters)
    products = patches.pad(patches.matmul(x, matrix), geometry.padding)
    return patches.add_all(
        (
            patches.channel_slice(patches.at_tap(products, tap, outputs, geometry), index, filters)
            for index, tap in enumerate(taps(window))
        ),
        (x.shape[0], *outputs, filters),
        x.dtype,
    )
