"""The memory that an algorithm needs per image, besides its operands and result.

Each function returns a count of numbers, from the shapes of a convolution.
"""

import math
from typing import NamedTuple

from jaxlayers.ops.convolution.geometry import Extents, Geometry


class Shapes(NamedTuple):
    """The shapes of the image, the kernel and the output of a convolution."""

    x: Extents
    kernel: Extents
    y: Extents

    @classmethod
    def of(cls, x: Extents, kernel: Extents, geometry: Geometry) -> "Shapes":
        """Returns the shapes of the convolution of an `x` with a `kernel`."""
        outputs = geometry.outputs(x[1:-1], kernel[:-2])
        return cls(x, kernel, (x[0], *outputs, kernel[-1]))

    @property
    def empty(self) -> bool:
        """Whether any of the arrays has no elements."""
        return any(isinstance(n, int) and n == 0 for shape in self for n in shape)


def nothing(shapes: Shapes) -> int:
    """No copies."""
    return 0


def input_patches(shapes: Shapes) -> int:
    """The patches of x: all taps of each window."""
    return math.prod(shapes.y[1:-1]) * math.prod(shapes.kernel[:-2]) * shapes.x[-1]


def output_patches(shapes: Shapes) -> int:
    """A copy of y for each tap, at the positions of x."""
    return math.prod(shapes.x[1:-1]) * math.prod(shapes.kernel[:-2]) * shapes.y[-1]


def output_row_patches(shapes: Shapes) -> int:
    """A copy of y for each tap of the last axis, at the positions of x along it."""
    rows = math.prod(shapes.y[1:-2]) * shapes.x[-2]
    return rows * shapes.kernel[-3] * shapes.y[-1]
