"""Forms of the forward pass: x [batch, *spatial, channels] and kernel to y, without groups."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops import library
from jaxlayers.ops.cpu import pieces
from jaxlayers.ops.geometry import Geometry, taps


def convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """JAX's own, kept away from what XLA's simplifier does to it.

    Where the window has more positions than the image XLA exchanges the two, and no fast
    convolution takes the result: 2.7 GFLOP/s instead of 168 for a window of 5 on 4 x 4 x 256, and
    for some geometries the compiler aborts the process. An image padded behind a barrier is never
    smaller than the window.
    """
    spans = [
        (size - 1) * dilation + 1
        for size, dilation in zip(kernel.shape, geometry.dilation, strict=False)
    ]
    cropped = any(n < 0 for pair in geometry.padding for n in pair)
    # Column by column, one of these axes is the batch: where it is not known there may be few.
    positions = math.prod(x.shape[1:-1])
    if cropped or not isinstance(positions, int) or math.prod(spans) > positions:
        x = lax.optimization_barrier(pieces.pad(x, geometry.padding))
        geometry = geometry._replace(padding=((0, 0),) * geometry.rank)
    return library.forward(x, kernel, geometry)


def even_convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """JAX's own, with a channel of zeros more, so that their number is even."""
    one_more = [(0, 0, 0)] * (x.ndim - 1) + [(0, 1, 0)]
    # [*window, channels, filters] has its channels where the image has its last spatial axis.
    with_channel = lax.pad(kernel, jnp.zeros((), x.dtype), [*one_more[1:], (0, 0, 0)])
    return convolution(lax.pad(x, jnp.zeros((), x.dtype), one_more), with_channel, geometry)


def one_tap(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """A window of one position is a matrix product."""
    outputs = geometry.outputs(x.shape[1:-1], kernel.shape[:-2])
    padded = pieces.pad(x, geometry.padding)
    only = pieces.met(padded, (0,) * geometry.rank, outputs, geometry)
    return pieces.product(only, kernel.reshape(kernel.shape[-2:]))


def tap_by_tap(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """A matrix product for each tap that meets the image, added up."""
    spatial, window = x.shape[1:-1], kernel.shape[:-2]
    outputs = geometry.outputs(spatial, window)
    padded = pieces.pad(x, geometry.padding)
    return pieces.total(
        (
            pieces.product(pieces.met(padded, tap, outputs, geometry), kernel[tap])
            for tap in geometry.live_taps(spatial, window)
        ),
        (x.shape[0], *outputs, kernel.shape[-1]),
        x.dtype,
    )


def patches(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """One matrix product with what all taps meet side by side."""
    return pieces.product(
        pieces.patches(x, kernel.shape[:-2], geometry), kernel.reshape(-1, kernel.shape[-1])
    )


def row_by_row(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """What the taps of the last axis meet side by side; of it a product for each tap of the others.

    Between `tap_by_tap`, whose products are as narrow as the image has channels, and `patches`,
    which copies the image for every tap.
    """
    spatial, (*window, last, _, filters) = x.shape[1:-1], kernel.shape
    *outputs, columns = geometry.outputs(spatial, (*window, last))
    rows, row = geometry.axes(slice(-1)), geometry.axes(slice(-1, None))
    beside = pieces.beside(pieces.pad(x, geometry.padding), last, columns, row)
    return pieces.total(
        (
            pieces.product(
                pieces.met(beside, tap, tuple(outputs), rows), kernel[tap].reshape(-1, filters)
            )
            for tap in rows.live_taps(spatial[:-1], tuple(window))
        ),
        (x.shape[0], *outputs, columns, filters),
        x.dtype,
    )


def shifted_sums(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """One matrix product that gives the outputs of all taps side by side, then their sum."""
    window, filters = kernel.shape[:-2], kernel.shape[-1]
    outputs = geometry.outputs(x.shape[1:-1], window)
    count = math.prod(window)
    matrix = jnp.moveaxis(kernel.reshape(count, -1, filters), 0, 1).reshape(-1, count * filters)
    products = pieces.pad(pieces.product(x, matrix), geometry.padding)
    return pieces.total(
        (
            pieces.channel_slice(pieces.met(products, tap, outputs, geometry), index, filters)
            for index, tap in enumerate(taps(window))
        ),
        (x.shape[0], *outputs, filters),
        x.dtype,
    )
