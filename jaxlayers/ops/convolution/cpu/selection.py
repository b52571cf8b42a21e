"""Selection of the algorithm for a convolution, from its shapes and the library.

Where oneDNN can be used, it computes nearly all convolutions. Elsewhere XLA's convolution does, and
the other algorithms serve the shapes for which it is slow. Each number below comes with its
measurement: GFLOP/s of XLA in float32 on two cores with AVX-512, batch 64 unless noted.
"""

import math
from collections.abc import Sequence
from typing import Any

from jaxlayers.ops.convolution.cpu.algorithms import Forward, InputGradient, KernelGradient
from jaxlayers.ops.convolution.cpu.grouped import CHANNELS_TOGETHER
from jaxlayers.ops.convolution.cpu.libraries import ONEDNN, Library
from jaxlayers.ops.convolution.geometry import Extents, Geometry

# XLA's convolution packs its rows per image; with so few positions most of a pack is empty
# (4 x 4 x 256 -> 512, window of 5: 131 against 194 with im2col).
FEW_POSITIONS = 16

# With so few rows, reading the kernel is all of the work, and a flipped copy of it costs more than
# it saves (batch 1, 7 x 7 x 512: 36 by phases against 78 by shifted sums).
FEW_ROWS_FOR_PHASES = 256

# So few rows are too short a sum for the kernel gradient as a convolution (batch 1, 7 x 7 x 512:
# 100 against 164 with im2col; 14 x 14 x 256 the other way round: 173 against 96).
FEW_ROWS_FOR_CONVOLUTION = 49

# One channel fills one lane of a vector. A product per tap is better for windows of few taps
# (28 x 28 x 1 -> 32, window of 3: 89 against 67), the convolution for larger ones (window of 5
# with strides 2: 72 against 132).
FEW_TAPS = 9

# The kernel gradient as a convolution has as many output positions as the window has taps: with
# few of them it is as slow as on small images. Without strides row by row is better then
# (28 x 28 x 128, window of 3: 223 against 298; 14 x 14 x 64: 85 against 186), and with few
# channels also for larger windows (14 x 14 x 32 -> 64, window of 5: 158 against 199); with strides
# a matrix product per tap, where the images are small (4 x 4 x 512 -> 256, window of 4: 245 against
# 178 row by row).
FEW_TAPS_TO_SLIDE = 16
FEW_CHANNELS_TO_SLIDE = 63
SMALL_IMAGE = 49

# Kernel gradients by oneDNN, on two cores with AVX2. With so few channels, products per tap or per
# row are narrow: im2col is better for small windows (32 x 32 x 16 -> 64: 74 against 53 row by row),
# and for any window of images (64 x 64 x 4 -> 32, window of 5: 27 against 24); products per tap
# otherwise, since they need no scattered y (112 x 112 x 12 -> 64, window of 4: 35 tap by tap, 20
# with im2col, 13 row by row).
FEW_CHANNELS_FOR_IM2COL = 24
IMAGE_CHANNELS = 4
FEW_CHANNELS_FOR_ROWS = 12

# The first convolution of image models: large windows with strides, or patches. With the positions
# of a step as channels the products are wider (224 x 224 x 3, window of 7 with strides 2: 16
# instead of 8 GFLOP/s; window of 3: 17 instead of 18; patches of 4 x 4: 60 instead of 25).
LARGE_WINDOW = 49

# With so few output positions, y is a small window of the convolution of x by y (4 x 4 x 256 ->
# 512, window of 5: 244 against 60 row by row; 7 x 7 x 512, window of 3: 124 against 108;
# 14 x 14 x 256: 53 against 82).
FEW_POSITIONS_FOR_ONEDNN = 64

# Depthwise input gradients with strides: with so few taps, the products with the zeros of a dilated
# y cost less than interleaving the phases (112 x 112 x 96, window of 3: 6.5 ms instead of 14;
# 14 x 14 x 576, window of 5: 4.3 instead of 2.9).
FEW_TAPS_TO_DILATE = 9

# Strided volumes with so many products per output are faster with im2col than per depth.
MANY_PRODUCTS = 512

# Chunks of the batch: results of so many bytes are still in the cache when they are read next, and
# their memory has been touched before (kernel gradient, 56 x 56 x 64, window of 3: 43 as a whole,
# 107 in chunks; forward with strides 2, 56 x 56 x 128: 108 against 276).
CHUNK_BYTES = 2**22

# The largest workspace of an algorithm: 256 MiB, or twice its operands and result if that is more.
MOST_BYTES = 2**28


def forward(x: Extents, kernel: Extents, geometry: Geometry, library: Library) -> Forward:
    """Returns the algorithm for the forward pass of arrays of these shapes."""
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        if library is ONEDNN:
            return Forward.CONVOLUTION
        return Forward.GROUPED if channels > 1 else Forward.DEPTHWISE
    if math.prod(window) == 1:
        return Forward.ONE_TAP
    # One filter also fills one lane; here the taps fill the others
    # (28 x 28 x 32 -> 1: 27 against 70).
    if filters == 1 < channels:
        return Forward.SHIFTED_SUMS
    if channels == 1 and (geometry.rank == 3 or math.prod(window) <= FEW_TAPS):
        return Forward.TAP_BY_TAP
    positions = _positions(x, window, geometry)
    if library is ONEDNN:
        few = _rows(x, positions) <= FEW_ROWS_FOR_CONVOLUTION
        return Forward.IM2COL if few else Forward.CONVOLUTION
    if geometry.rank == 3:
        many = channels * math.prod(window) >= MANY_PRODUCTS
        return Forward.IM2COL if many and max(geometry.strides) > 1 else Forward.PER_DEPTH
    few = positions <= FEW_POSITIONS
    return Forward.IM2COL if few else Forward.CONVOLUTION_IN_CHUNKS


def input_gradient(
    x: Extents, kernel: Extents, geometry: Geometry, library: Library
) -> InputGradient:
    """Returns the algorithm for the gradient with respect to an input of shape `x`."""
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        depthwise = channels == 1 and filters == geometry.groups
        few_taps = math.prod(window) <= FEW_TAPS_TO_DILATE
        if depthwise and few_taps and max(geometry.strides) > 1 and library is ONEDNN:
            return InputGradient.DILATED_OUTPUT
        by_phases = depthwise or library is ONEDNN
        return InputGradient.PHASES if by_phases else InputGradient.GROUPED
    positions = _positions(x, window, geometry)
    # Windows that do not overlap have nothing to add: the matrix product is all of the work.
    # A window of one position with strides 1 is that product already.
    disjoint = all(size <= stride for size, stride in zip(window, geometry.strides, strict=True))
    disjoint = disjoint and max(geometry.strides) > 1
    if (
        channels == 1 < filters
        or (positions <= FEW_POSITIONS and library is not ONEDNN)
        or _rows(x, positions) <= FEW_ROWS_FOR_PHASES
        or disjoint
    ):
        return InputGradient.SHIFTED_SUMS
    return InputGradient.PHASES


def kernel_gradient(
    x: Extents,
    kernel: Extents,
    geometry: Geometry,
    library: Library,
    of_groups: bool = False,
) -> KernelGradient:
    """Returns the algorithm for the gradient with respect to a kernel of shape `kernel`.

    Args:
        x: Shape of the image.
        kernel: Shape of the kernel.
        geometry: Geometry of the convolution.
        library: The library that computes it.
        of_groups: Whether this is several groups of a grouped convolution. XLA sums those
            group by group, and row by row would round more than twice as much.
    """
    window, channels, filters = kernel[:-2], kernel[-2], kernel[-1]
    if geometry.groups > 1:
        if channels == 1:
            return KernelGradient.DEPTHWISE
        # One group of that convolution contracts over the batch (28 x 28 x 128, 32 groups: 16 ms
        # instead of 20; 1-D 256 x 64, 8 groups, window of 5: 2.3 instead of 5.6).
        if library is ONEDNN and channels < CHANNELS_TOGETHER and x[0] > 1:
            return KernelGradient.CONVOLUTION
        return KernelGradient.GROUPED
    if math.prod(window) == 1:
        return KernelGradient.ONE_TAP
    if filters == 1 < channels:
        return KernelGradient.OUTPUT_PATCHES
    if channels == 1 and (library is ONEDNN or geometry.rank == 2):
        return KernelGradient.IM2COL_TAPS_FIRST
    if library is ONEDNN:
        return _kernel_gradient_by_onednn(x, window, channels, geometry)
    if geometry.rank == 3:
        return KernelGradient.TAP_BY_TAP if channels == 1 else KernelGradient.PER_DEPTH
    # A sequence of one channel (16,000 x 1 -> 64, window of 9 with strides 4: 57 against 74
    # with im2col) contracts over many positions for few taps.
    if channels == 1 and geometry.rank == 1:
        return KernelGradient.IM2COL
    positions = _positions(x, window, geometry)
    if _rows(x, positions) <= FEW_ROWS_FOR_CONVOLUTION:
        return KernelGradient.IM2COL
    few_taps = math.prod(window) <= FEW_TAPS_TO_SLIDE
    slides_badly = few_taps or channels <= FEW_CHANNELS_TO_SLIDE
    plain = geometry.rank == 2 and max(geometry.strides) == 1 and not of_groups
    if plain and slides_badly and channels >= CHANNELS_TOGETHER:
        return KernelGradient.ROW_BY_ROW
    if few_taps and positions <= SMALL_IMAGE and channels > 1:
        return KernelGradient.TAP_BY_TAP
    return KernelGradient.CONVOLUTION


def _kernel_gradient_by_onednn(
    x: Extents, window: Extents, channels: int, geometry: Geometry
) -> KernelGradient:
    taps, strides = math.prod(window), geometry.strides
    if geometry.rank == 3:
        return KernelGradient.CONVOLUTION
    if channels <= IMAGE_CHANNELS and min(strides) > 1 == max(geometry.dilation):
        disjoint = all(size <= stride for size, stride in zip(window, strides, strict=True))
        if disjoint or taps >= LARGE_WINDOW:
            return KernelGradient.SPACE_TO_DEPTH
    small_window = taps <= FEW_TAPS and channels <= FEW_CHANNELS_FOR_IM2COL
    if channels <= IMAGE_CHANNELS or small_window:
        return KernelGradient.IM2COL
    if _positions(x, window, geometry) <= FEW_POSITIONS_FOR_ONEDNN:
        return KernelGradient.CHANNELS_AS_AXIS
    if channels <= FEW_CHANNELS_FOR_ROWS or max(strides) > 1:
        return KernelGradient.TAP_BY_TAP
    return KernelGradient.ROW_BY_ROW


def chunks(batch: int, image_bytes: int, kernel_bytes: int, workspace_bytes: int) -> int:
    """Returns into how many chunks of equal size an algorithm divides the batch.

    Args:
        batch: Number of images.
        image_bytes: Operands and results per image.
        kernel_bytes: The kernel, which every chunk reads or adds to.
        workspace_bytes: What the algorithm needs per image besides operands and results.
    """
    if batch == 0:
        return 1
    most = max(MOST_BYTES, 2 * (batch * image_bytes + kernel_bytes))
    least = min(batch, -(-batch * workspace_bytes // most))
    chunk = max(CHUNK_BYTES, kernel_bytes)
    good = min(batch, -(-batch * (image_bytes + workspace_bytes) // chunk))
    divisors = [n for n in range(1, batch + 1) if batch % n == 0 and n >= least]
    # Where the batch has no divisor near the good number, chunks are too large rather than tiny.
    return next((n for n in divisors if good <= n <= 2 * good), divisors[0])


def _positions(x: Sequence[Any], window: Extents, geometry: Geometry) -> int:
    return math.prod(geometry.outputs(tuple(x[1:-1]), window))


def _rows(x: Sequence[Any], positions: int) -> float:
    """Returns the output positions of all images; infinity where the batch is symbolic."""
    return x[0] * positions if isinstance(x[0], int) else math.inf
