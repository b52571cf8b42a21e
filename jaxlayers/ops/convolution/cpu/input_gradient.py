"""Algorithms of the gradient with respect to the input: y and kernel to x."""

import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution import xla
from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.decomposition import Decomposition, Subproblem
from jaxlayers.ops.convolution.cpu.libraries import Library
from jaxlayers.ops.convolution.geometry import Extents, Geometry, taps
from jaxlayers.ops.convolution.phases import interleave


def shifted_sums(
    y: Array, kernel: Array, spatial: Extents, geometry: Geometry, library: Library
) -> Array:
    """One matrix product that gives the terms of all taps, scattered and added; ungrouped."""
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    products = patches.matmul(y, jnp.moveaxis(kernel, -1, 0).reshape(filters, -1))
    return patches.add_all(
        (
            patches.scatter(
                patches.channel_slice(products, index, channels), tap, spatial, geometry
            )
            for index, tap in enumerate(taps(window))
        ),
        (y.shape[0], *spatial, channels),
        y.dtype,
    )


def dilated_output(
    y: Array, kernel: Array, spatial: Extents, geometry: Geometry, library: Library
) -> Array:
    """One convolution with strides 1 of y with zeros between its positions."""
    padding = xla.input_gradient_padding(spatial, y.shape[1:-1], kernel.shape[:-2], geometry)
    steps = zip(padding, geometry.strides, strict=True)
    config = [(0, 0, 0), *((*pair, stride - 1) for pair, stride in steps), (0, 0, 0)]
    dilated = lax.pad(y, jnp.zeros((), y.dtype), config)
    none = ((0, 0),) * geometry.rank
    plain = Geometry((1,) * geometry.rank, none, geometry.dilation, geometry.groups)
    return library.convolution(dilated, xla.flipped(kernel, geometry.groups), plain)


class _Phase(NamedTuple):
    """Positions phase, phase + stride, ... of one axis of x, as a convolution with strides 1."""

    taps: slice
    padding: tuple[int, int]
    dilation: int


def phases(kernel: Array, outputs: Extents, spatial: Extents, geometry: Geometry) -> Decomposition:
    """Returns a forward pass per phase of the strides, whose results interleave to x."""
    per_phase = _phase_subproblems(kernel, outputs, spatial, geometry)
    longest = tuple(-(-n // s) for n, s in zip(spatial, geometry.strides, strict=True))
    channels = kernel.shape[-2] * geometry.groups

    def combine(results: list[Array]) -> Array:
        if len(per_phase) == 1:
            return results[0]
        shape, dtype = (results[0].shape[0], *longest, channels), results[0].dtype
        computed = iter(results)
        images = [jnp.zeros(shape, dtype) if each is None else next(computed) for each in per_phase]
        return interleave(images, geometry.strides, spatial)

    # In chunks of the batch here, so that no kernel is flipped inside of a loop.
    subproblems = [each for each in per_phase if each is not None]
    return Decomposition(subproblems, combine, chunked=len(per_phase) > 1)


def _phase_subproblems(
    kernel: Array, outputs: Extents, spatial: Extents, geometry: Geometry
) -> list[Subproblem | None]:
    """Returns the forward pass for each combination of phases of x, the last axis fastest.

    `None` stands for a phase that no tap reaches, where x is zero.
    """
    per_axis = [
        [_phase(axis, phase, outputs, spatial, kernel.shape, geometry) for phase in range(stride)]
        for axis, stride in enumerate(geometry.strides)
    ]
    subproblems: list[Subproblem | None] = []
    for combination in itertools.product(*per_axis):
        reached = [phase for phase in combination if phase is not None]
        if len(reached) < len(combination):
            subproblems.append(None)
            continue
        flipped = xla.flipped(kernel[tuple(phase.taps for phase in reached)], geometry.groups)
        padding = tuple(phase.padding for phase in reached)
        dilation = tuple(phase.dilation for phase in reached)
        ones = (1,) * geometry.rank
        phase_geometry = Geometry(ones, padding, dilation, geometry.groups)
        subproblems.append(Subproblem(lambda y: y, flipped, phase_geometry))
    return subproblems


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
    # Every `step`-th tap reaches the phase, from the first that does.
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
    spacing = step * dilation // stride
    used = len(range(first, window[axis], step))
    # Position phase + j * stride reads y[j + offset - i * spacing] with the i-th of these taps.
    offset = (phase + front - first * dilation) // stride
    before = (used - 1) * spacing - offset
    after = count + offset - outputs[axis]
    return _Phase(slice(first, window[axis], step), (before, after), spacing)
