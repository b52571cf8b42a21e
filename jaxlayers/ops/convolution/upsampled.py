"""Convolution of an upsampled image, computed from the image before upsampling.

Nearest upsampling by s repeats every position s times. Several taps of a window therefore read the
same value, and their weights can be added first. Which taps these are depends on the phase, the
offset of the window modulo s. For example, a window of 5 on an image upsampled by 2 reads 3
positions in both phases: along two axes, 4 convolutions with 3 x 3 taps replace one with 5 x 5 taps
on an image 4 times as large, with 36 multiplications instead of 100.
"""

import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxlayers.ops.convolution import primitives
from jaxlayers.ops.convolution.geometry import Extents, Geometry
from jaxlayers.ops.convolution.phases import interleave, unstack_phases


class _Phase(NamedTuple):
    """The convolution of the image before upsampling that gives one phase of an axis."""

    positions: tuple[int, ...]  # for each tap, the tap of the summed kernel that it is added to
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
        factors: Number of times each position is repeated, one integer per spatial axis.
        geometry: Geometry of the convolution of the upsampled image; the strides must be 1.

    Returns:
        [batch, *windows, filters].
    """
    per_axis, outputs = _phases(x.shape[1:-1], kernel.shape[:-2], factors, geometry)
    counts = tuple(map(len, per_axis))
    combinations = list(itertools.product(*per_axis))
    kernels = [_sum_taps(kernel, combination) for combination in combinations]
    geometries = [
        geometry._replace(padding=tuple(p.padding for p in phases), dilation=(1,) * geometry.rank)
        for phases in combinations
    ]
    same_geometry = len({(k.shape, g) for k, g in zip(kernels, geometries, strict=True)}) == 1
    if same_geometry and geometry.groups == 1:
        # One convolution for all phases reads the image once.
        stacked = primitives.forward(x, jnp.concatenate(kernels, -1), geometries[0])
        return unstack_phases(stacked, counts, outputs)
    phases = [primitives.forward(x, k, g) for k, g in zip(kernels, geometries, strict=True)]
    return interleave(phases, counts, outputs)


def is_cheaper(spatial: Extents, window: Extents, factors: Extents, geometry: Geometry) -> bool:
    """Returns whether `convolve_upsampled` takes fewer multiplications than upsampling first."""
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
    # The positions that the taps of window `factor * q + phase` read, relative to q.
    offsets = [(phase + tap * dilation - front) // factor for tap in range(size)]
    count = len(range(phase, windows, factor))
    taps = offsets[-1] - offsets[0] + 1
    after = count + taps - 1 - extent + offsets[0]
    return _Phase(tuple(position - offsets[0] for position in offsets), (-offsets[0], after), count)


def _sum_taps(kernel: Array, phases: tuple[_Phase, ...]) -> Array:
    """Adds the taps that read the same position."""
    for axis, phase in enumerate(phases):
        selection = np.zeros((phase.taps, kernel.shape[axis]))
        selection[phase.positions, range(len(phase.positions))] = 1
        # A sum as a product with zeros and ones in full precision, which compiles faster.
        summed = jnp.tensordot(
            jnp.asarray(selection, kernel.dtype), kernel, (1, axis), precision=lax.Precision.HIGHEST
        )
        kernel = jnp.moveaxis(summed, 0, axis)
    return kernel
