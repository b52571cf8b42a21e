"""Convolutions in which each group has one channel: elementwise, for nothing is summed over."""

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.cpu import pieces
from jaxlayers.ops.geometry import Extents, Geometry, taps

# How many parts of the first spatial axis are added elementwise before the rest is summed.
_MOST_SLICES = 8


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Multiplies and adds tap by tap; kernel [*window, 1, filters]."""
    spatial, window = x.shape[1:-1], kernel.shape[:-2]
    outputs = geometry.outputs(spatial, window)
    padded = pieces.pad(x, geometry.padding)
    each = kernel.shape[-1] // geometry.groups
    ones = (1,) * (x.ndim - 1)
    return pieces.total(
        (
            jnp.repeat(pieces.met(padded, tap, outputs, geometry), each, -1)
            * kernel[tap].reshape(*ones, -1)
            for tap in geometry.live_taps(spatial, window)
        ),
        (x.shape[0], *outputs, kernel.shape[-1]),
        x.dtype,
    )


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """Multiplies and sums tap by tap; [*window, 1, filters].

    XLA sums all positions of a product at once without vectors (1 GFLOP/s). Adding parts of the
    first spatial axis elementwise makes it a vectorised loop (5 to 10); a product with ones sums
    the little that is left.
    """
    outputs = y.shape[1:-1]
    padded = pieces.pad(x, geometry.padding)
    each = y.shape[-1] // geometry.groups
    parts = max(n for n in range(1, _MOST_SLICES + 1) if outputs[0] % n == 0)
    size = outputs[0] // parts
    rows = []
    for tap in taps(window):
        part = jnp.repeat(pieces.met(padded, tap, outputs, geometry), each, -1)
        added = pieces.total(
            (
                lax.slice_in_dim(part, start, start + size, axis=1)
                * lax.slice_in_dim(y, start, start + size, axis=1)
                for start in range(0, outputs[0], size)
            ),
            (),
            x.dtype,
        )
        # Without the barrier XLA sums everything at once again.
        left = lax.optimization_barrier(added).reshape(-1, y.shape[-1])
        rows.append(jnp.ones((left.shape[0],), left.dtype) @ left)
    return jnp.stack(rows).reshape(*window, 1, -1)
