"""Interleaving of the phases of an image.

Phase p of an axis with stride s consists of the positions p, p + s, p + 2 s, ...
"""

import math
import operator
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution.geometry import Extents


def interleave(phases: Sequence[Array], strides: Extents, spatial: Extents) -> Array:
    """Returns the image with the given phases.

    Args:
        phases: One image, [batch, *positions, channels], per combination of phases in row-major
            order. Phases that are one position shorter than others are padded.
        strides: Number of phases along each spatial axis.
        spatial: Spatial extents of the result.

    Returns:
        [batch, *spatial, channels].
    """
    if len(phases) == 1:
        return phases[0]
    longest = tuple(-(-extent // stride) for extent, stride in zip(spatial, strides, strict=True))
    stacked = jnp.concatenate([_padded(phase, longest) for phase in phases], -1)
    return unstack_phases(stacked, strides, spatial)


def unstack_phases(stacked: Array, strides: Extents, spatial: Extents) -> Array:
    """Returns the image whose phases are concatenated along the channels.

    Args:
        stacked: [batch, *positions, phases * channels].
        strides: Number of phases along each spatial axis; phases are in row-major order.
        spatial: Spatial extents of the result.

    Returns:
        [batch, *spatial, channels].
    """
    rank = len(strides)
    batch, *positions, depth = stacked.shape
    channels = depth // math.prod(strides)
    phases = stacked.reshape(batch, *positions, *strides, channels)
    order = [0]
    for axis in range(1, rank + 1):
        order += [axis, rank + axis]
    image = phases.transpose(*order, 2 * rank + 1)
    image = image.reshape(batch, *map(operator.mul, positions, strides), channels)
    for axis, extent in enumerate(spatial, 1):
        image = lax.slice_in_dim(image, 0, extent, axis=axis)
    return image


def _padded(phase: Array, extents: Extents) -> Array:
    pads = [longer - shorter for longer, shorter in zip(extents, phase.shape[1:-1], strict=True)]
    return jnp.pad(phase, [(0, 0), *((0, n) for n in pads), (0, 0)]) if any(pads) else phase
