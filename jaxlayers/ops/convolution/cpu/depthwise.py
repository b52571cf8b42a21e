"""Convolutions in which each group has one channel: elementwise, with no sum over channels."""

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.libraries import Library
from jaxlayers.ops.convolution.geometry import Extents, Geometry, taps

# Into how many slices of the first spatial axis at most the products are divided.
_MOST_SLICES = 8


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
    """Returns the kernel, multiplied and summed tap by tap: [*window, 1, filters].

    XLA does not vectorize a sum of a product over all positions (1 GFLOP/s). Adding slices of the
    first spatial axis elementwise makes it a vectorized loop (5 to 10); a product with ones sums
    the small remainder.
    """
    outputs = y.shape[1:-1]
    padded = patches.pad(x, geometry.padding)
    each = y.shape[-1] // geometry.groups
    slices = max(n for n in range(1, _MOST_SLICES + 1) if outputs[0] % n == 0)
    size = outputs[0] // slices
    rows = []
    for tap in taps(window):
        read = jnp.repeat(patches.at_tap(padded, tap, outputs, geometry), each, -1)
        added = patches.add_all(
            (
                lax.slice_in_dim(read, start, start + size, axis=1)
                * lax.slice_in_dim(y, start, start + size, axis=1)
                for start in range(0, outputs[0], size)
            ),
            (),
            x.dtype,
        )
        # Without the barrier XLA sums everything at once again.
        remainder = lax.optimization_barrier(added).reshape(-1, y.shape[-1])
        rows.append(jnp.ones((remainder.shape[0],), remainder.dtype) @ remainder)
    return jnp.stack(rows).reshape(*window, 1, -1)
