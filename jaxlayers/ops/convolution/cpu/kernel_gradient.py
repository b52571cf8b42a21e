"""Algorithms of the gradient with respect to the kernel: x and y to kernel."""

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution import xla
from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.libraries import Library
from jaxlayers.ops.convolution.geometry import Extents, Geometry, taps


def convolution(x: Array, y: Array, window: Extents, geometry: Geometry, library: Library) -> Array:
    """The convolution of x by y, with the batch and the channels of a group exchanged.

    XLA assigns a convolution the layout of its fast code only outside of loops; inside, JAX's
    derivative runs 6 to 50 times slower (7 x 7 with strides 2: 240 GFLOP/s outside of a scan, 2
    inside). With the axes exchanged here, it has the speed of the former in both.
    """
    padding = xla.kernel_gradient_padding(x.shape[1:-1], y.shape[1:-1], window, geometry)
    batch, *spatial, _ = x.shape
    images = jnp.moveaxis(x.reshape(batch, *spatial, geometry.groups, -1), (-1, 0), (0, -1))
    kernel = library.convolution(
        images.reshape(-1, *spatial, geometry.groups * batch),
        jnp.moveaxis(y, 0, -2),
        Geometry(geometry.dilation, padding, geometry.strides, geometry.groups),
    )
    return jnp.moveaxis(kernel, 0, -2)


def channels_as_axis(
    x: Array, y: Array, window: Extents, geometry: Geometry, library: Library
) -> Array:
    """The convolution of x by y, with the channels as a spatial axis and the batch as channels.

    As many outputs as there are channels are adjacent, whereas those of `convolution` are as few as
    the taps of a row.
    """
    padding = xla.kernel_gradient_padding(x.shape[1:-1], y.shape[1:-1], window, geometry)
    images = jnp.moveaxis(x, 0, -1)[None]  # [1, *spatial, channels, batch]
    kernel = jnp.expand_dims(jnp.moveaxis(y, 0, -2), -3)  # [*windows, 1, batch, filters]
    strides, dilation = (*geometry.dilation, 1), (*geometry.strides, 1)
    swapped = Geometry(strides, (*padding, (0, 0)), dilation)
    return library.convolution(images, kernel, swapped)[0]


def one_tap(x: Array, y: Array, window: Extents, geometry: Geometry, library: Library) -> Array:
    """A matrix product, for a window of one position."""
    padded = patches.pad(x, geometry.padding)
    only = patches.at_tap(padded, (0,) * geometry.rank, y.shape[1:-1], geometry)
    return library.contract_positions(only, y).reshape(*window, x.shape[-1], y.shape[-1])


def tap_by_tap(x: Array, y: Array, window: Extents, geometry: Geometry, library: Library) -> Array:
    """A matrix product per tap that reads the image; zeros for the others."""
    spatial, outputs = x.shape[1:-1], y.shape[1:-1]
    padded = patches.pad(x, geometry.padding)
    live = set(geometry.live_taps(spatial, window))
    nothing = jnp.zeros((x.shape[-1], y.shape[-1]), x.dtype)
    rows = [
        library.contract_positions(patches.at_tap(padded, tap, outputs, geometry), y)
        if tap in live
        else nothing
        for tap in taps(window)
    ]
    return jnp.stack(rows).reshape(*window, *nothing.shape)


def im2col(x: Array, y: Array, window: Extents, geometry: Geometry, library: Library) -> Array:
    """One matrix product with the patches of x."""
    gradient = library.contract_positions(patches.extract(x, window, geometry), y)
    return gradient.reshape(*window, x.shape[-1], y.shape[-1])


def im2col_taps_first(
    x: Array, y: Array, window: Extents, geometry: Geometry, library: Library
) -> Array:
    """One matrix product with the patches of x, an image per tap, where x has one channel.

    Copied in this order, positions stay adjacent; in that of `im2col`, they would be as far apart
    as there are taps.
    """
    padded = patches.pad(x, geometry.padding)
    columns = [patches.at_tap(padded, tap, y.shape[1:-1], geometry) for tap in taps(window)]
    rows = jnp.stack(columns).reshape(len(columns), -1)
    return library.matmul(rows, y.reshape(-1, y.shape[-1])).reshape(*window, 1, -1)


def row_by_row(x: Array, y: Array, window: Extents, geometry: Geometry, library: Library) -> Array:
    """Scatters y along the last axis for its taps; a matrix product per tap of the other axes.

    The operands of the products are wider than those of `tap_by_tap`, and y is copied only once
    per column of the window.
    """
    *others, last = window
    spatial, (channels, filters) = x.shape[1:-1], (x.shape[-1], y.shape[-1])
    rows, row = geometry.axes(slice(-1)), geometry.axes(slice(-1, None))
    scattered = lax.optimization_barrier(
        lax.concatenate(
            [patches.scatter_last(y, tap, spatial[-1], row) for tap in range(last)], y.ndim - 1
        )
    )
    padded = patches.pad(x, (*rows.padding, (0, 0)))
    live = set(rows.live_taps(spatial[:-1], tuple(others)))
    nothing = jnp.zeros((channels, last * filters), x.dtype)
    gradient = jnp.stack(
        [
            library.contract_positions(patches.at_tap(padded, tap, y.shape[1:-2], rows), scattered)
            if tap in live
            else nothing
            for tap in taps(tuple(others))
        ]
    )
    return jnp.swapaxes(gradient.reshape(*others, channels, last, filters), -3, -2)


def output_patches(
    x: Array, y: Array, window: Extents, geometry: Geometry, library: Library
) -> Array:
    """One matrix product with y scattered for each tap, where y has few filters."""
    columns = [patches.scatter(y, tap, x.shape[1:-1], geometry) for tap in taps(window)]
    gradient = library.contract_positions(x, jnp.concatenate(columns, -1))
    return jnp.moveaxis(gradient.reshape(x.shape[-1], *window, y.shape[-1]), 0, -2)
