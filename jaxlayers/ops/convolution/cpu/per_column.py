"""Small images, one column of outputs at a time, without the taps that only read padding.

Half of the taps of a window of 5 on 4 x 4 positions read padding. For one column of outputs, the
taps of the last axis that read the image are contiguous in the image and in the kernel, so that
they are one contraction. The batch takes the place of that axis, which gives the remaining
convolution long rows.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.forward import convolution
from jaxlayers.ops.convolution.geometry import Extents, Geometry


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Returns y, by a convolution per column; ungrouped."""
    spatial, window, (channels, filters) = x.shape[1:-1], kernel.shape[:-2], kernel.shape[-2:]
    rows = jnp.moveaxis(x, 0, -3)[None]  # [1, *spatial[:-1], batch, spatial[-1], channels]
    strides, padding, dilation, _ = geometry.axes(slice(-1))
    along_rows = Geometry((*strides, 1), (*padding, (0, 0)), (*dilation, 1))
    columns = []
    for column in range(geometry.outputs(spatial, window)[-1]):
        live, read = _column(column, spatial, window, geometry)
        patches_of_column = rows[..., read, :].reshape(*rows.shape[:-2], len(live) * channels)
        taps = kernel[..., _slice(live), :, :].reshape(*window[:-1], 1, -1, filters)
        columns.append(convolution(patches_of_column, taps, along_rows))
    return jnp.moveaxis(jnp.stack(columns, -2)[0], -3, 0)


def input_gradient(y: Array, kernel: Array, spatial: Extents, geometry: Geometry) -> Array:
    """Returns x, by a matrix product per column and tap of the other axes; ungrouped."""
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    rows = jnp.moveaxis(y, 0, -2)  # [*windows, batch, filters]
    columns = []
    for column in range(y.shape[-2]):
        live, read = _column(column, spatial, window, geometry)
        gradient = patches.add_all(
            (
                _place(
                    patches.matmul_transposed(
                        rows[(*tap.of_y, column)],
                        kernel[tap.taps][_slice(live)].reshape(-1, filters),
                    ),
                    tap.of_x,
                    spatial,
                )
                for tap in _taps(spatial, window, geometry)
            ),
            (*spatial[:-1], y.shape[0], len(live) * channels),
            y.dtype,
        )
        gradient = gradient.reshape(*gradient.shape[:-1], len(live), channels)
        where = (*map(slice, gradient.shape[:-2]), read)
        columns.append(_place(gradient, where, (*gradient.shape[:-2], spatial[-1])))
    shape = (*spatial[:-1], y.shape[0], spatial[-1], channels)
    return jnp.moveaxis(patches.add_all(columns, shape, y.dtype), -3, 0)


class _Tap(NamedTuple):
    """A tap of all axes but the last, and the positions of x and y that it connects."""

    taps: Extents
    of_x: tuple[slice, ...]
    of_y: tuple[slice, ...]


def _taps(spatial: Extents, window: Extents, geometry: Geometry) -> Iterator[_Tap]:
    """Yields the taps that read the image in any window."""
    others = geometry.axes(slice(-1))
    for index in others.live_taps(spatial[:-1], window[:-1]):
        of_x, of_y = [], []
        for axis, tap in enumerate(index):
            outputs = geometry.outputs_of_tap(axis, tap, spatial, window)
            stride = geometry.strides[axis]
            start = geometry.start_of_output(axis, outputs[0]) + tap * geometry.dilation[axis]
            of_x.append(slice(start, start + (len(outputs) - 1) * stride + 1, stride))
            of_y.append(_slice(outputs))
        yield _Tap(index, tuple(of_x), tuple(of_y))


def _column(
    column: int, spatial: Extents, window: Extents, geometry: Geometry
) -> tuple[range, slice]:
    """Returns the taps with which one output of the last axis reads the image, and where."""
    live = geometry.taps_of_output(-1, column, spatial, window)
    dilation = geometry.dilation[-1]
    start = geometry.start_of_output(-1, column) + live.start * dilation
    stop = start + (len(live) - 1) * dilation + 1
    return live, slice(start, stop, dilation) if live else slice(0)


def _place(part: Array, where: tuple[slice, ...], extents: Extents) -> Array:
    """Returns zeros of the given extents along the first axes, with `part` in one place."""
    config = [
        (place.start or 0, extent - place.stop, (place.step or 1) - 1)
        for place, extent in zip(where, extents, strict=False)
    ]
    rest = [(0, 0, 0)] * (part.ndim - len(config))
    return lax.pad(part, jnp.zeros((), part.dtype), config + rest)


def _slice(indices: range) -> slice:
    return slice(indices.start, indices.stop)
