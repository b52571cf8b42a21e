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
        outputs = self.outputs(spatial, window)
        per_axis = [
            [tap for tap in range(window[axis]) if self._meets(axis, tap, spatial, outputs)]
            for axis in range(self.rank)
        ]
        return list(itertools.product(*per_axis))

    def _meets(self, axis: int, tap: int, spatial: Extents, outputs: Extents) -> bool:
        offset = tap * self.dilation[axis] - self.padding[axis][0]
        stride = self.strides[axis]
        first = max(0, -(offset // stride))
        last = min(outputs[axis] - 1, (spatial[axis] - 1 - offset) // stride)
        return first <= last


def taps(window: Extents) -> Iterator[Extents]:
    """Yields the positions of a window, the last axis fastest."""
    return itertools.product(*map(range, window))
