"""Convolutions in which each group has one channel: elementwise, with no sum over channels."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.libraries import Library
from jaxlayers.ops.convolution.geometry import Extents, Geometry, taps


def forward(x: Array, kernel: Array, geometry: Geometry, library: Library) -> Array:
    """Returns y, multiplied and added tap by tap; kernel [*window, 1, filters]."""
    spatial, window = x.shape[1:-1], kernel.shape[:-2]
    outputs = geometry.outputs(spatial, window)
    padded = patches.pad(x, geometry.padding)
    each = kernel.shape[-1] // geometry.groups
    ones = (1,) * (x.ndim - 1)
    return patches.add_all(
        (
            jnp.repeat(patches.at_tap(padded, tap, outputs, geometry), each, -1)
            * kernel[tap].reshape(*ones, -1)
            for tap in geometry.live_taps(spatial, window)
        ),
        (x.shape[0], *outputs, kernel.shape[-1]),
        x.dtype,
    )


def kernel_gradient(
    x: Array, y: Array, window: Extents, geometry: Geometry, library: Library
) -> Array:
    """Returns the kernel: [*window, 1, filters].

    XLA does not vectorize a sum of a product over all positions (1 GFLOP/s). The products of one
    image after another are added elementwise, which it does vectorize (5 to 10), and a product with
    ones sums over the positions at the end.
    """
    outputs, filters = y.shape[1:-1], y.shape[-1]
    padded = patches.pad(x, geometry.padding)
    all_taps = list(taps(window))

    def add(sums: list[Array], image: tuple[Array, Array]) -> tuple[list[Array], None]:
        x, y = image
        return [total + read(x, tap) * y for total, tap in zip(sums, all_taps, strict=True)], None

    def read(x: Array, tap: Extents) -> Array:
        (each,) = patches.at_tap(x[None], tap, outputs, geometry)
        return jnp.repeat(each, filters // geometry.groups, -1)

    zeros = [jnp.zeros((*outputs, filters), x.dtype) for _ in all_taps]
    sums, _ = lax.scan(add, zeros, (padded, y))
    ones = jnp.ones((math.prod(outputs),), x.dtype)
    return jnp.stack([ones @ total.reshape(-1, filters) for total in sums]).reshape(*window, 1, -1)
