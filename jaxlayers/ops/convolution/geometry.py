"""The static parameters of a convolution, except its shapes."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from jaxlayers.ops import windows

Extents = tuple[int, ...]


class Geometry(NamedTuple):
    """Strides, padding, dilation and groups of a convolution.

    Images are [batch, *spatial, channels], kernels are [*window, channels / groups, filters]. Each
    field except `groups` has one entry per spatial axis.
    """

    strides: Extents
    padding: tuple[windows.Padding, ...]  # before and after; negative numbers crop
    dilation: Extents
    groups: int = 1

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.strides)

    def outputs(self, spatial: Extents, window: Extents) -> Extents:
        """Returns the number of windows along each axis."""
        axes = zip(spatial, window, self.strides, self.dilation, self.padding, strict=True)
        return tuple(max(0, windows.padded_output_extent(*axis)) for axis in axes)

    def axes(self, which: slice) -> "Geometry":
        """Returns the geometry of a slice of the spatial axes."""
        strides, padding, dilation, groups = self
        return Geometry(strides[which], padding[which], dilation[which], groups)

    def live_taps(self, spatial: Extents, window: Extents) -> list[Extents]:
        """Returns the taps that read the image in at least one window, not only padding."""
        per_axis = (
            [tap for tap in range(size) if self.outputs_of_tap(axis, tap, spatial, window)]
            for axis, size in enumerate(window)
        )
        return list(itertools.product(*per_axis))

    def outputs_of_tap(self, axis: int, tap: int, spatial: Extents, window: Extents) -> range:
        """Returns the outputs along an axis for which one tap reads the image, not padding."""
        stride, outputs = self.strides[axis], self.outputs(spatial, window)[axis]
        before = self.padding[axis][0] - tap * self.dilation[axis]
        first = max(0, -(-before // stride))
        return range(first, max(first, min(outputs, -(-(before + spatial[axis]) // stride))))


def taps(window: Extents) -> Iterator[Extents]:
    """Yields the indices of the taps of a window in row-major order."""
    return itertools.product(*map(range, window))
