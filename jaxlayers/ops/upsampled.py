"""Convolution of an upsampled image, computed from the image before upsampling.

Nearest upsampling by s repeats every position s times, so that several taps of a window meet the
same number: their kernels can be added first. Which ones depends on where between two positions
the window starts, its phase. A window of 5 on an image upsampled by 2 meets 3 positions in both
phases: along two axes 4 small convolutions of 3 x 3 instead of one of 5 x 5 on an image 4 times
as large, 36 products instead of 100.
"""

import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxlayers.ops import trilinear
from jaxlayers.ops.geometry import Extents, Geometry
from jaxlayers.ops.phases import interleave, unstack_phases


class _Phase(NamedTuple):
    """One phase of the output along one axis, as a convolution of the image not upsampled."""

    positions: tuple[int, ...]  # which tap of the summed kernel each tap belongs to
    padding: tuple[int, int]
    windows: int

    @property
    def taps(self) -> int:
        return self.positions[-1] + 1


def convolve_upsampled(x: Array, kernel: Array, factors: Extents, geometry: Geometry) -> Array:
    """Returns the convolution of `x`, upsampled by `factors`, with strides 1.

    Args:
        x: [batch, *spatial, channels], before upsampling.
        kernel: [*window, channels / groups, filters].
        factors: how often each position is repeated, one number for each spatial axis.
        geometry: of the convolution of the upsampled image; its strides are 1.

    Returns:
        [batch, *windows, filters].
    """
    per_axis, outputs = _phases(x.shape[1:-1], kernel.shape[:-2], factors, geometry)
    counts = tuple(map(len, per_axis))
    combinations = list(itertools.product(*per_axis))
    kernels = [_sum_taps(kernel, phases) for phases in combinations]
    geometries = [
        geometry._replace(padding=tuple(p.padding for p in phases), dilation=(1,) * geometry.rank)
        for phases in combinations
    ]
    alike = len({(k.shape, g) for k, g in zip(kernels, geometries, strict=True)}) == 1
    if alike and geometry.groups == 1:
        # One convolution that makes all phases reads the image once.
        together = trilinear.forward(x, jnp.concatenate(kernels, -1), geometries[0])
        return unstack_phases(together, counts, outputs)
    parts = [trilinear.forward(x, k, g) for k, g in zip(kernels, geometries, strict=True)]
    return interleave(parts, counts, outputs)


def pays(spatial: Extents, window: Extents, factors: Extents, geometry: Geometry) -> bool:
    """Whether `convolve_upsampled` takes fewer products than upsampling and convolving."""
    per_axis, outputs = _phases(spatial, window, factors, geometry)
    before = math.prod(outputs) * math.prod(window)
    after = math.prod(sum(phase.windows * phase.taps for phase in phases) for phases in per_axis)
    return geometry.strides == (1,) * geometry.rank and after < before


def _phases(
    spatial: Extents, window: Extents, factors: Extents, geometry: Geometry
) -> tuple[list[list[_Phase]], Extents]:
    upsampled = tuple(extent * factor for extent, factor in zip(spatial, factors, strict=True))
    outputs = geometry.outputs(upsampled, window)
    return [
        [
            _phase(phase, factor, size, extent, windows, dilation, front)
            for phase in range(min(factor, windows))
        ]
        for factor, size, extent, windows, dilation, (front, _) in zip(
            factors, window, spatial, outputs, geometry.dilation, geometry.padding, strict=True
        )
    ], outputs


def _phase(
    phase: int, factor: int, size: int, extent: int, windows: int, dilation: int, front: int
) -> _Phase:
    # Tap t of window `factor * q + phase` meets this position, relative to q.
    met = [(phase + tap * dilation - front) // factor for tap in range(size)]
    count = len(range(phase, windows, factor))
    taps = met[-1] - met[0] + 1
    behind = count + taps - 1 - extent + met[0]
    return _Phase(tuple(position - met[0] for position in met), (-met[0], behind), count)


def _sum_taps(kernel: Array, phases: tuple[_Phase, ...]) -> Array:
    """Adds the taps that meet the same position."""
    for axis, phase in enumerate(phases):
        adds = np.zeros((phase.taps, kernel.shape[axis]))
        adds[phase.positions, range(len(phase.positions))] = 1
        # A product with ones and zeros in full precision is a sum, with little to compile.
        summed = jnp.tensordot(
            jnp.asarray(adds, kernel.dtype), kernel, (1, axis), precision=lax.Precision.HIGHEST
        )
        kernel = jnp.moveaxis(summed, 0, axis)
    return kernel
