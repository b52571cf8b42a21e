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
# empty (4 x 4 x 256 -> 512, window of 5: 131 against 194 of patches).
FEW_POSITIONS = 16

# Leaving out the taps that only meet padding takes many products and long compiling. It pays on
# images of so few positions, in batches of so many, where a sixth of the work and more is padding
# (4 x 4 x 256 -> 512, window of 5, a half of it: 325 column by column against 194 of patches;
# 7 x 7 x 256 -> 512, window of 3: 428 against 279 of the convolution; 8 x 8, less than a sixth:
# 261 against 308; and with 4 images instead of 64 on 4 x 4: 39 against 179).
SMALL_IMAGE = 49
MANY_IMAGES = 32
MUCH_PADDING = 1 / 6

# XLA's convolution is slow for an odd number of channels and so many filters (32 x 32 x 3 -> 32,
# window of 3: 27 against 99 with a channel of zeros; with 16 or 64 filters there is no difference).
SLOW_IF_ODD = range(17, 33)

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
# has taps: with few of them it is as badly off as above. Without strides row by row is better then
# (28 x 28 x 128, window of 3: 223 against 298; 14 x 14 x 64: 85 against 186), and with few
# channels also with more taps (14 x 14 x 32 -> 64, window of 5: 158 against 199), but not with so
# few in few images (batch 1, 26 x 26 x 32 -> 64, window of 3: 131 against 96); with strides a
# matrix product for each tap, where the images are small (4 x 4 x 512 -> 256, window of 4: 245
# against 178 row by row).
FEW_TAPS_TO_SLIDE = 16
FEW_CHANNELS_TO_SLIDE = 63

# XLA's convolution has half of its speed with so few filters (14 x 14 x 64 -> 64, window of 3: 156
# against 258 row by row; 28 x 28 x 64 -> 64: 152 against 231; 14 x 14 x 32 -> 64, window of 5: 200
# against 279). With more channels to copy (128 -> 64, window of 5: 212 against 143), with fewer
# filters (32 -> 32: 173 against 176) or images (batch 1: 197 against 150) it is the other way
# round.
FEW_FILTERS = range(33, 65)
CHANNELS_TO_COPY = range(32, 65)

# Narrower than this a convolution loses more by being narrow than by the zeros of a block-diagonal
# kernel (g = 32 on 28 x 28 x 128: 2.3 group by group against 19).
CHANNELS_TOGETHER = 32

# Strided volumes of that many products an output do better as patches than as planes.
MANY_PRODUCTS = 512

# A part of the batch: what is computed of so many bytes is still in the cache when it is needed
# next, and its memory has been used before (gradient by the kernel, 56 x 56 x 64, window of 3: 43
# as a whole, 107 in parts; forward with strides 2, 56 x 56 x 128: 108 against 276).
PART_BYTES = 2**22

# What a form may hold beside what any convolution does: 256 MiB, or twice its operands and result.
MOST_BYTES = 2**28


def forward(x: Extents, kernel: Extents, geometry: Geometry) -> str:
    """Returns the name of the form for the forward pass of these shapes."""
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        return _depthwise(geometry) if channels == 1 else "blocks"
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
    if positions <= SMALL_IMAGE and _many_padded(x, window, geometry):
        return "column_by_column"
    if positions <= FEW_POSITIONS:
        return "patches"
    if (
        geometry.rank == 2
        and filters in FEW_FILTERS
        and channels in CHANNELS_TO_COPY
        and max(geometry.strides) == 1
        and _many(x)
    ):
        return "row_by_row"
    odd = channels > 1 and channels % 2
    return "even_convolution" if odd and filters in SLOW_IF_ODD else "convolution"


def input_gradient(x: Extents, kernel: Extents, geometry: Geometry) -> str:
    """Returns the name of the form for the gradient by an image of shape `x`."""
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        return "phases" if channels == 1 and filters == geometry.groups else "blocks"
    positions = _positions(x, window, geometry)
    # Taps that do not overlap leave nothing to add: one matrix product and no more.
    apart = all(size <= stride for size, stride in zip(window, geometry.strides, strict=True))
    # With strides the phases are small images with small windows of their own.
    small = positions <= (SMALL_IMAGE if max(geometry.strides) == 1 else FEW_POSITIONS)
    if small and channels > 1 and geometry.rank < 3 and _many_padded(x, window, geometry):
        return "column_by_column"
    if (
        channels == 1 < filters
        or positions <= FEW_POSITIONS
        or _rows(x, positions) <= FEW_ROWS_FOR_PHASES
        or apart
    ):
        return "shifted_sums"
    return "phases"


def kernel_gradient(
    x: Extents, kernel: Extents, geometry: Geometry, of_groups: bool = False
) -> str:
    """Returns the name of the form for the gradient by a kernel of shape `kernel`.

    Args:
        x: shape of the image.
        kernel: shape of the kernel.
        geometry: where its windows lie.
        of_groups: whether this is several groups at once; XLA sums those one by one and exactly,
            and row by row would round more than twice as much.
    """
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        return _depthwise(geometry) if channels == 1 and filters == geometry.groups else "blocks"
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
    few_taps = math.prod(window) <= FEW_TAPS_TO_SLIDE
    slides_badly = few_taps or channels <= FEW_CHANNELS_TO_SLIDE
    plain = geometry.rank == 2 and max(geometry.strides) == 1 and not of_groups
    wide = channels > CHANNELS_TOGETHER or (channels == CHANNELS_TOGETHER and _many(x))
    if plain and slides_badly and wide:
        return "row_by_row"
    if few_taps and positions <= SMALL_IMAGE and channels > 1:
        return "tap_by_tap"
    return "convolution"


def parts(batch: Any, image_bytes: int, kernel_bytes: int, held_bytes: int) -> int:
    """Returns into how many parts of the batch a form goes.

    Args:
        batch: number of images; one part where it is not known.
        image_bytes: operands and results of one image.
        kernel_bytes: the kernel, which every part reads or adds to.
        held_bytes: what the form holds for one image beside operands and results.
    """
    if not isinstance(batch, int) or batch == 0:
        return 1
    most = max(MOST_BYTES, 2 * (batch * image_bytes + kernel_bytes))
    least = min(batch, -(-batch * held_bytes // most))
    part = max(PART_BYTES, kernel_bytes)
    good = min(batch, -(-batch * (image_bytes + held_bytes) // part))
    divisors = [n for n in range(1, batch + 1) if batch % n == 0 and n >= least]
    # Where the batch has no divisor near the good number, the parts are rather large than tiny.
    return next((n for n in divisors if good <= n <= 2 * good), divisors[0])


def _depthwise(geometry: Geometry) -> str:
    # Elementwise, so that only what strides leave out of the image is worth keeping in the cache
    # (28 x 28 x 128 with strides 2: 9.5 as a whole, 13.7 in parts; 14 x 14 x 256: 28 against 17).
    return "depthwise" if max(geometry.strides) == 1 else "depthwise_in_parts"


def _positions(x: Sequence[Any], window: Extents, geometry: Geometry) -> int:
    return math.prod(geometry.outputs(tuple(x[1:-1]), window))


def _many(x: Sequence[Any]) -> bool:
    return not isinstance(x[0], int) or x[0] >= MANY_IMAGES


def _many_padded(x: Sequence[Any], window: Extents, geometry: Geometry) -> bool:
    """Whether there are many images, and much of what the windows meet is padding."""
    if not _many(x):
        return False
    spatial = tuple(x[1:-1])
    outputs = geometry.outputs(spatial, window)
    live = math.prod(
        sum(len(geometry.taps_of_output(axis, n, spatial, window)) for n in range(count))
        for axis, count in enumerate(outputs)
    )
    return live <= (1 - MUCH_PADDING) * math.prod(outputs) * math.prod(window)


def _rows(x: Sequence[Any], positions: int) -> float:
    """Returns the positions of all images; of infinitely many where the batch is not known."""
    return x[0] * positions if isinstance(x[0], int) else math.inf
