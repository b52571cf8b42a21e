"""Which form computes what, from shapes alone.

XLA's own convolution is good where it is given what it takes; the other forms are for where it
is not. Each number below has the measurement that it comes from beside it: GFLOP/s in float32 on
two cores, batch 64 unless said otherwise.
"""

import math
from collections.abc import Sequence
from typing import Any

from jaxlayers.ops.geometry import Extents, Geometry

# XLA's convolution packs its rows image by image; in images of so few positions most of a pack is
# empty (4 x 4 x 256 -> 512: 80 against 165 of patches; at 7 x 7 the convolution wins again).
FEW_POSITIONS = 16

# Above so many rows of patches it pays to leave out the taps that only meet padding, though the
# kernel is then read almost three times (4 x 4 x 256 -> 512, window of 5: 218 of patches against
# 251 row by row in a batch of 128; 215 against 192 in one of 64).
MANY_ROWS = 1024

# In so few rows the whole of the work is moving the kernel, and a copy of it, turned around, costs
# more than it saves (batch 1, 7 x 7 x 512: 36 by phases against 78 by shifted sums).
FEW_ROWS_FOR_PHASES = 256

# So few rows are too short a sum for the convolution form of the gradient by the kernel (batch 1,
# 7 x 7 x 512: 100 against 164 of patches; 14 x 14 x 256 the other way round: 173 against 96).
FEW_ROWS_FOR_CONVOLUTION = 49

# One channel fills one lane of a vector. A product for each tap is better where there are few
# (28 x 28 x 1 -> 32, window of 3: 89 against 67), the convolution with more of them (window of 5
# with strides 2: 72 against 132).
FEW_TAPS = 9

# The convolution form of the gradient by the kernel has as many positions an image as the window
# has taps: with few of them it is as badly off as above, and where the images are small as well
# a matrix product for each tap is better (7 x 7 x 256 -> 512, window of 3: 176 against 248).
SMALL_IMAGE = 49

# Narrower than this a convolution loses more by being narrow than by the zeros of a block-diagonal
# kernel (g = 32 on 28 x 28 x 128: 2.3 group by group against 19).
CHANNELS_TOGETHER = 32

# Strided volumes of that many products an output do better as patches than as planes.
MANY_PRODUCTS = 512

# What a form may hold beside what any convolution does: 256 MiB, or twice its operands and result.
MOST_BYTES = 2**28


def forward(x: Extents, kernel: Extents, geometry: Geometry) -> str:
    """Returns the name of the form for the forward pass of these shapes."""
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        return "depthwise" if channels == 1 else "blocks"
    if math.prod(window) == 1:
        return "one_tap"
    # With one filter as well one lane is filled; here the taps take its place
    # (28 x 28 x 32 -> 1: 27 against 70).
    if filters == 1 < channels:
        return "shifted_sums"
    if channels == 1 and (geometry.rank == 3 or math.prod(window) <= FEW_TAPS):
        return "tap_by_tap"
    if geometry.rank == 3:
        many = channels * math.prod(window) >= MANY_PRODUCTS
        return "patches" if many and max(geometry.strides) > 1 else "planes"
    positions = _positions(x, window, geometry)
    if positions > FEW_POSITIONS:
        return "convolution"
    return "row_by_row" if _rows(x, positions) > MANY_ROWS else "patches"


def input_gradient(x: Extents, kernel: Extents, geometry: Geometry) -> str:
    """Returns the name of the form for the gradient by an image of shape `x`."""
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        return "phases" if channels == 1 and filters == geometry.groups else "blocks"
    positions = _positions(x, window, geometry)
    # Taps that do not overlap leave nothing to add: one matrix product and no more.
    apart = all(size <= stride for size, stride in zip(window, geometry.strides, strict=True))
    if (
        channels == 1 < filters
        or positions <= FEW_POSITIONS
        or _rows(x, positions) <= FEW_ROWS_FOR_PHASES
        or apart
    ):
        return "shifted_sums"
    return "phases"


def kernel_gradient(x: Extents, kernel: Extents, geometry: Geometry) -> str:
    """Returns the name of the form for the gradient by a kernel of shape `kernel`."""
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        return "depthwise" if channels == 1 and filters == geometry.groups else "blocks"
    if math.prod(window) == 1:
        return "tap_by_tap"
    if filters == 1 < channels:
        return "output_patches"
    if geometry.rank == 3:
        return "tap_by_tap" if channels == 1 else "planes"
    # A sequence of one channel (16,000 x 1 -> 64, window of 9 with strides 4: 57 against 74 of
    # patches) is long in what is summed over and has next to nothing to slide over.
    if channels == 1 and geometry.rank == 1:
        return "patches"
    positions = _positions(x, window, geometry)
    if _rows(x, positions) <= FEW_ROWS_FOR_CONVOLUTION:
        return "patches"
    if math.prod(window) <= FEW_POSITIONS and positions <= SMALL_IMAGE and channels > 1:
        return "tap_by_tap"
    return "convolution"


def parts(batch: Any, held_per_image: int, operands: int, itemsize: int) -> int:
    """Returns into how many parts of the batch a form goes, so that it never holds much at once.

    Args:
        batch: number of images; one part where it is not known.
        held_per_image: numbers that the form holds for an image, beside operands and result.
        operands: numbers in operands and result.
        itemsize: bytes of a number.
    """
    if not isinstance(batch, int):
        return 1
    limit = max(MOST_BYTES, 2 * operands * itemsize)
    needed = -(-batch * held_per_image * itemsize // limit)
    return next((n for n in range(max(needed, 1), batch) if batch % n == 0), max(batch, 1))


def _positions(x: Sequence[Any], window: Extents, geometry: Geometry) -> int:
    return math.prod(geometry.outputs(tuple(x[1:-1]), window))


def _rows(x: Sequence[Any], positions: int) -> float:
    """Returns the positions of all images; of infinitely many where the batch is not known."""
    return x[0] * positions if isinstance(x[0], int) else math.inf
