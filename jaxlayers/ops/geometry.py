"""Where the windows of a convolution lie."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

Extents = tuple[int, ...]


class Geometry(NamedTuple):
    """All that is static about a convolution but for its shapes.

    Images are [batch, *spatial, channels] and kernels [*window, channels / groups, filters]. The
    image is padded; a window of `window` taps, `dilation` apart, is placed every `strides`
    positions. One entry for each spatial axis.
    """

    strides: Extents
    padding: tuple[tuple[int, int], ...]  # positions in front and behind; negative ones crop
    dilation: Extents
    groups: int = 1

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.strides)

    def outputs(self, spatial: Extents, window: Extents) -> Extents:
        """Returns how many windows fit along each axis."""
        return tuple(
            max(0, (extent + sum(pads) - (size - 1) * dilation - 1) // stride + 1)
            for extent, size, stride, pads, dilation in zip(
                spatial, window, self.strides, self.padding, self.dilation, strict=True
            )
        )

    def axes(self, which: slice) -> "Geometry":
        """Returns the geometry of some of the spatial axes."""
        strides, padding, dilation, groups = self
        return Geometry(strides[which], padding[which], dilation[which], groups)

    def live_taps(self, spatial: Extents, window: Extents) -> list[Extents]:
        """Returns the taps that meet the image anywhere; the others only meet padding."""
        per_axis = (
            [tap for tap in range(size) if self.outputs_of_tap(axis, tap, spatial, window)]
            for axis, size in enumerate(window)
        )
        return list(itertools.product(*per_axis))

    def taps_of_output(self, axis: int, output: int, spatial: Extents, window: Extents) -> range:
        """Returns the taps by which an output meets the image, along one axis."""
        dilation = self.dilation[axis]
        start = self.start_of_output(axis, output)
        first = max(0, -(start // dilation))
        return range(first, max(first, min(window[axis], -((start - spatial[axis]) // dilation))))

    def outputs_of_tap(self, axis: int, tap: int, spatial: Extents, window: Extents) -> range:
        """Returns the outputs that meet the image by a tap, along one axis."""
        stride, outputs = self.strides[axis], self.outputs(spatial, window)[axis]
        before = self.padding[axis][0] - tap * self.dilation[axis]
        first = max(0, -(-before // stride))
        return range(first, max(first, min(outputs, -(-(before + spatial[axis]) // stride))))

    def start_of_output(self, axis: int, output: int) -> int:
        """Returns the position of the image that the first tap of an output meets."""
        return output * self.strides[axis] - self.padding[axis][0]


def taps(window: Extents) -> Iterator[Extents]:
    """Yields the positions of a window, the last axis fastest."""
    return itertools.product(*map(range, window))
