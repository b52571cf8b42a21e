"""The two libraries that algorithms compute with: XLA's operations, and oneDNN's custom calls."""

import math
from collections.abc import Callable
from typing import NamedTuple

from jax import Array, lax

from jaxlayers.ops import windows
from jaxlayers.ops.convolution import xla
from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.onednn import calls
from jaxlayers.ops.convolution.geometry import Geometry


class Library(NamedTuple):
    """The operations that take most of the time of an algorithm."""

    # Whether it computes with these operands.
    supports: Callable[..., bool]
    # Of images and a kernel, as `primitives.forward`.
    convolution: Callable[[Array, Array, Geometry], Array]
    # Of [..., channels] and [..., filters], contracted over all other axes: [channels, filters].
    contract_positions: Callable[[Array, Array], Array]
    # Of [m, k] and [k, n]: [m, n].
    matmul: Callable[[Array, Array], Array]

    def or_xla(self, *operands: Array) -> "Library":
        """Returns this library if it supports the operands, else XLA."""
        return self if self.supports(*operands) else XLA


def _xla_convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """XLA's convolution, protected from XLA's own simplification.

    Where the window has more positions than the image, XLA exchanges the two, and no fast
    convolution takes the result: 2.7 GFLOP/s instead of 168 for a window of 5 on 4 x 4 x 256; for
    some geometries the compiler aborts the process. An image padded behind a barrier is never
    smaller than the window.
    """
    spans = map(windows.span, kernel.shape[: geometry.rank], geometry.dilation)
    cropped = any(n < 0 for pair in geometry.padding for n in pair)
    if cropped or math.prod(spans) > math.prod(x.shape[1:-1]):
        x = lax.optimization_barrier(patches.pad(x, geometry.padding))
        geometry = geometry._replace(padding=((0, 0),) * geometry.rank)
    return xla.forward(x, kernel, geometry)


def _xla_contract_positions(x: Array, y: Array) -> Array:
    positions = tuple(range(x.ndim - 1))
    contracted = ((positions, positions), ((), ()))
    # XLA's product is up to 2.4 times faster with the narrower operand on the left.
    if y.shape[-1] <= x.shape[-1]:
        return lax.dot_general(y, x, contracted).T
    return lax.dot_general(x, y, contracted)


def _onednn_convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """OneDNN's convolution, of images that are cropped first."""
    crops = [(min(before, 0), min(after, 0)) for before, after in geometry.padding]
    pads = tuple((max(before, 0), max(after, 0)) for before, after in geometry.padding)
    return calls.convolution(patches.pad(x, crops), kernel, geometry._replace(padding=pads))


def _onednn_contract_positions(x: Array, y: Array) -> Array:
    rows = (array.reshape(-1, array.shape[-1]) for array in (x, y))
    return calls.transposed_matmul(*rows)


XLA = Library(lambda *_: True, _xla_convolution, _xla_contract_positions, patches.matmul)
ONEDNN = Library(calls.supports, _onednn_convolution, _onednn_contract_positions, calls.matmul)
