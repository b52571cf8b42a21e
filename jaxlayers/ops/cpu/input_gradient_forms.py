"""Forms of the gradient by the image: y [batch, *windows, filters] and kernel to x, no groups."""

import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxlayers.ops import library
from jaxlayers.ops.cpu import pieces
from jaxlayers.ops.geometry import Extents, Geometry, taps


def shifted_sums(y: Array, kernel: Array, spatial: Extents, geometry: Geometry) -> Array:
    """One matrix product that gives what all taps add to x side by side, then their sum."""
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    products = pieces.product(y, jnp.moveaxis(kernel, -1, 0).reshape(filters, -1))
    return pieces.total(
        (
            pieces.spread(pieces.channel_slice(products, index, channels), tap, spatial, geometry)
            for index, tap in enumerate(taps(window))
        ),
        (y.shape[0], *spatial, channels),
        y.dtype,
    )


class _Phase(NamedTuple):
    """The positions phase, phase + stride, ... of one axis of x, as a convolution of strides 1."""

    taps: slice
    padding: tuple[int, int]
    dilation: int


def phase_kernels(
    kernel: Array, outputs: Extents, spatial: Extents, geometry: Geometry
) -> list[tuple[Array, Geometry] | None]:
    """Returns, for each combination of phases of x, the kernel and geometry that make it of y.

    The last axis is the fastest; `None` where no tap reaches a phase, so that it is zero.
    """
    per_axis = [
        [_phase(axis, phase, outputs, spatial, kernel.shape, geometry) for phase in range(stride)]
        for axis, stride in enumerate(geometry.strides)
    ]
    back: list[tuple[Array, Geometry] | None] = []
    for phases in itertools.product(*per_axis):
        reached = [phase for phase in phases if phase is not None]
        if len(reached) < len(phases):
            back.append(None)
            continue
        part = library.turned(kernel[tuple(phase.taps for phase in reached)], geometry.groups)
        padding = tuple(phase.padding for phase in reached)
        dilation = tuple(phase.dilation for phase in reached)
        ones = (1,) * geometry.rank
        back.append((part, Geometry(ones, padding, dilation, geometry.groups)))
    return back


def _phase(
    axis: int,
    phase: int,
    outputs: Extents,
    spatial: Extents,
    window: Extents,
    geometry: Geometry,
) -> _Phase | None:
    stride, dilation = geometry.strides[axis], geometry.dilation[axis]
    front, _ = geometry.padding[axis]
    count = len(range(phase, spatial[axis], stride))
    # Every `step`-th tap meets the phase, from the first that does.
    step = stride // math.gcd(stride, dilation)
    first = next(
        (
            tap
            for tap in range(min(step, window[axis]))
            if (phase + front - tap * dilation) % stride == 0
        ),
        None,
    )
    if first is None or count == 0:
        return None
    apart = step * dilation // stride
    used = len(range(first, window[axis], step))
    # Position phase + j * stride meets y[j + offset - i * apart] by the i-th of these taps.
    offset = (phase + front - first * dilation) // stride
    before = (used - 1) * apart - offset
    behind = count + offset - outputs[axis]
    return _Phase(slice(first, window[axis], step), (before, behind), apart)
