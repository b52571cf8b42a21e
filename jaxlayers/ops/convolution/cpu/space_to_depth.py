"""Kernel gradients with strides as ones without, on an image of fewer positions and more channels.

The positions that one step of the strides passes over become channels: an image of 224 x 224 x 3
with strides of 2 one of 112 x 112 x 12, and a window of 7 x 7 one of 4 x 4.
"""

import math

from jax import Array, lax

from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.decomposition import KernelDecomposition, KernelSubproblem
from jaxlayers.ops.convolution.geometry import Extents, Geometry


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> KernelDecomposition:
    """Returns the gradient with strides 1; ungrouped, without dilation."""
    rank, strides, channels = geometry.rank, geometry.strides, x.shape[-1]
    coarse = tuple(-(-size // stride) for size, stride in zip(window, strides, strict=True))
    # Of x, the positions that the windows read, and those that fill up their last step.
    padded = patches.pad(x, geometry.padding)
    blocks = [count - 1 + size for count, size in zip(y.shape[1:-1], coarse, strict=True)]
    extents = [count * stride for count, stride in zip(blocks, strides, strict=True)]
    ends = [(0, n - extent) for n, extent in zip(extents, padded.shape[1:-1], strict=True)]
    divided = [n for pair in zip(blocks, strides, strict=True) for n in pair]
    image = patches.pad(padded, ends).reshape(-1, *divided, channels)
    # [batch, *blocks, *strides, channels]
    steps = range(2, 2 * rank + 1, 2)
    image = image.transpose(0, *(n - 1 for n in steps), *steps, 2 * rank + 1)
    # Copied once: it is read per tap.
    image = lax.optimization_barrier(image.reshape(-1, *blocks, math.prod(strides) * channels))

    def combine(gradients: list[Array]) -> Array:
        (gradient,) = gradients
        gradient = gradient.reshape(*coarse, *strides, channels, -1)
        pairs = [axis for n in range(rank) for axis in (n, rank + n)]
        fine = [size * stride for size, stride in zip(coarse, strides, strict=True)]
        gradient = gradient.transpose(*pairs, 2 * rank, 2 * rank + 1)
        return gradient.reshape(*fine, channels, -1)[tuple(slice(n) for n in window)]

    ones = (1,) * rank
    plain = Geometry(ones, ((0, 0),) * rank, ones)
    return KernelDecomposition([KernelSubproblem(image, y, coarse, plain)], combine)
