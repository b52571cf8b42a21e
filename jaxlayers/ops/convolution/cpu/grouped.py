"""Grouped convolutions as ungrouped ones, each of several groups, with block-diagonal kernels.

XLA's grouped convolution runs at a tenth to a hundredth of the speed of an ungrouped one (g = 4
on 28 x 28 x 128: 21 GFLOP/s instead of 162; the gradient with respect to the kernel 1.2 instead
of 77). The zeros of a block-diagonal kernel cost less.
"""

import functools

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution.cpu import patches
from jaxlayers.ops.convolution.cpu.decomposition import (
    Decomposition,
    KernelDecomposition,
    KernelSubproblem,
    Subproblem,
)
from jaxlayers.ops.convolution.geometry import Extents, Geometry

# A narrower convolution loses more to its width than to the zeros of a block-diagonal kernel
# (g = 32 on 28 x 28 x 128: 2.3 group by group against 19).
CHANNELS_TOGETHER = 32


def forward(kernel: Array, spatial: Extents, geometry: Geometry) -> Decomposition:
    """Returns the convolutions of the channels of several groups each."""
    return _decompose(kernel, geometry, None, channel_axis=-2)


def input_gradient(
    kernel: Array, outputs: Extents, spatial: Extents, geometry: Geometry
) -> Decomposition:
    """Returns the gradients with respect to the channels of several groups each."""
    return _decompose(kernel, geometry, spatial, channel_axis=-1)


def _decompose(
    kernel: Array, geometry: Geometry, spatial: Extents | None, channel_axis: int
) -> Decomposition:
    """Divides the images along their channels, which are `channel_axis` of a kernel."""
    subproblems = []
    for index, block in enumerate(_block_kernels(kernel, geometry.groups)):
        select = functools.partial(
            patches.channel_slice, index=index, width=block.shape[channel_axis]
        )
        subproblems.append(Subproblem(select, block, geometry._replace(groups=1), spatial))
    return Decomposition(subproblems, lambda results: lax.concatenate(results, results[0].ndim - 1))


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> KernelDecomposition:
    """Returns the gradients with respect to the kernels of several groups each."""
    groups = geometry.groups
    inputs, filters = x.shape[-1] // groups, y.shape[-1] // groups
    together = _groups_together(groups, inputs)

    def diagonal_blocks(gradient: Array) -> Array:
        """Leaves out the blocks off the diagonal, which are not part of the kernel."""
        blocks = gradient.reshape(*window, together, inputs, together, filters)
        # Not a product with an identity, summed: for volumes XLA's compiler crashes on that.
        diagonal = [blocks[..., group, :, group, :] for group in range(together)]
        return lax.concatenate(diagonal, geometry.rank + 1)

    subproblems = [
        KernelSubproblem(
            patches.channel_slice(x, index, together * inputs),
            patches.channel_slice(y, index, together * filters),
            window,
            geometry._replace(groups=1),
        )
        for index in range(groups // together)
    ]
    return KernelDecomposition(
        subproblems, lambda gradients: jnp.concatenate([diagonal_blocks(g) for g in gradients], -1)
    )


def _groups_together(groups: int, channels: int) -> int:
    divisors = [n for n in range(1, groups + 1) if groups % n == 0]
    return next((n for n in divisors if n * channels >= CHANNELS_TOGETHER), groups)


def _block_kernels(kernel: Array, groups: int) -> list[Array]:
    """Returns the block-diagonal kernels of the ungrouped convolutions."""
    *window, inputs, filters = kernel.shape
    together = _groups_together(groups, inputs)
    each = filters // groups
    kernel = kernel.reshape(*window, 1, inputs, groups // together, together, each)
    ones = (1,) * len(window)
    diagonal = jnp.eye(together, dtype=kernel.dtype).reshape(*ones, together, 1, 1, together, 1)
    blocks = jnp.moveaxis(kernel * diagonal, len(window) + 2, 0)
    return list(blocks.reshape(-1, *window, together * inputs, together * each))
