"""Forms of the gradient by the kernel: x and y to [*window, channels, filters], without groups."""

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.cpu import forward_forms, pieces
from jaxlayers.ops.geometry import Extents, Geometry, taps


def convolution(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """The convolution of x by y, with the batch and the channels exchanged.

    XLA brings a convolution into the layout of its fast code only outside of loops; inside, what
    JAX makes of the derivative runs 6 to 50 times slower (7 x 7 with strides 2: 240 GFLOP/s
    outside of a scan, 2 inside). Exchanged here it runs at the speed of the former in both.
    """
    padding = tuple(
        (front, (size - 1) * dilation + (windows - 1) * stride + 1 - extent - front)
        for extent, windows, size, stride, (front, _), dilation in zip(
            x.shape[1:-1],
            y.shape[1:-1],
            window,
            geometry.strides,
            geometry.padding,
            geometry.dilation,
            strict=True,
        )
    )
    kernel = forward_forms.convolution(
        jnp.swapaxes(x, 0, -1),
        jnp.moveaxis(y, 0, -2),
        Geometry(geometry.dilation, padding, geometry.strides),
    )
    return jnp.moveaxis(kernel, 0, -2)


def tap_by_tap(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """A matrix product for each tap that meets the image."""
    spatial, outputs = x.shape[1:-1], y.shape[1:-1]
    padded = pieces.pad(x, geometry.padding)
    live = set(geometry.live_taps(spatial, window))
    nothing = jnp.zeros((x.shape[-1], y.shape[-1]), x.dtype)
    rows = [
        pieces.rows_product(pieces.met(padded, tap, outputs, geometry), y)
        if tap in live
        else nothing
        for tap in taps(window)
    ]
    return jnp.stack(rows).reshape(*window, *nothing.shape)


def patches(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """One matrix product with what all taps meet side by side."""
    gradient = pieces.rows_product(pieces.patches(x, window, geometry), y)
    return gradient.reshape(*window, x.shape[-1], y.shape[-1])


def row_by_row(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """Y moved along the last axis to where each tap meets it; a product for each tap of the others.

    The sides of the products are wider than those of `tap_by_tap`, and y is copied only as often
    as the window has columns.
    """
    *others, last = window
    spatial, (channels, filters) = x.shape[1:-1], (x.shape[-1], y.shape[-1])
    rows, row = geometry.axes(slice(-1)), geometry.axes(slice(-1, None))
    moved = lax.optimization_barrier(
        lax.concatenate(
            [pieces.spread_last(y, tap, spatial[-1], row) for tap in range(last)], y.ndim - 1
        )
    )
    padded = pieces.pad(x, (*rows.padding, (0, 0)))
    live = set(rows.live_taps(spatial[:-1], tuple(others)))
    nothing = jnp.zeros((channels, last * filters), x.dtype)
    gradient = jnp.stack(
        [
            pieces.rows_product(pieces.met(padded, tap, y.shape[1:-2], rows), moved)
            if tap in live
            else nothing
            for tap in taps(tuple(others))
        ]
    )
    apart = gradient.reshape(*others, channels, last, filters)
    return jnp.swapaxes(apart, -3, -2)


def output_patches(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """One matrix product with y moved to where each tap meets it: for a y of few channels."""
    columns = [pieces.spread(y, tap, x.shape[1:-1], geometry) for tap in taps(window)]
    gradient = pieces.rows_product(x, jnp.concatenate(columns, -1))
    return jnp.moveaxis(gradient.reshape(x.shape[-1], *window, y.shape[-1]), 0, -2)
