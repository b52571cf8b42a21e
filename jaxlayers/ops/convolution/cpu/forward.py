"""Algorithms of the forward pass: x [batch, *spatial, channels] and kernel to y, ungrouped."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.libraries import Library
from jaxlayers.ops.convolution.geometry import Geometry, taps


def convolution(x: Array, kernel: Array, geometry: Geometry, library: Library) -> Array:
    """The convolution of the library."""
    return library.convolution(x, kernel, geometry)


def one_tap(x: Array, kernel: Array, geometry: Geometry, library: Library) -> Array:
    """A matrix product, for a window of one position."""
    outputs = geometry.outputs(x.shape[1:-1], kernel.shape[:-2])
    padded = patches.pad(x, geometry.padding)
    only = patches.at_tap(padded, (0,) * geometry.rank, outputs, geometry)
    # XLA's product is slower with a transposed operand, as a flipped kernel is without the barrier.
    matrix = lax.optimization_barrier(kernel.reshape(kernel.shape[-2:]))
    return patches.matmul(only, matrix)


def tap_by_tap(x: Array, kernel: Array, geometry: Geometry, library: Library) -> Array:
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


def im2col(x: Array, kernel: Array, geometry: Geometry, library: Library) -> Array:
    """One matrix product with the patches of x."""
    return patches.matmul(
        patches.extract(x, kernel.shape[:-2], geometry), kernel.reshape(-1, kernel.shape[-1])
    )


def shifted_sums(x: Array, kernel: Array, geometry: Geometry, library: Library) -> Array:
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
