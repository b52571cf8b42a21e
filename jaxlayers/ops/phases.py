"""Images taken apart into phases and put together again.

The phase p of an axis by a stride s are its positions p, p + s, p + 2 s and so on.
"""

import math
import operator
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.geometry import Extents


def interleave(parts: Sequence[Array], strides: Extents, spatial: Extents) -> Array:
    """Returns the image of which `parts` are the phases.

    Args:
        parts: for each combination of phases, the last axis fastest, [batch, *positions,
            channels]; where a phase is a position shorter than others, it is filled up.
        strides: the number of phases of each spatial axis.
        spatial: the extents of the image.
    """
    if len(parts) == 1:
        return parts[0]
    longest = tuple(-(-extent // stride) for extent, stride in zip(spatial, strides, strict=True))
    together = jnp.concatenate([_filled(part, longest) for part in parts], -1)
    return unstack_phases(together, strides, spatial)


def unstack_phases(image: Array, strides: Extents, spatial: Extents) -> Array:
    """Returns the image of which the channels of `image` hold the phases.

    Args:
        image: [batch, *positions, phases * channels].
        strides: the number of phases of each spatial axis; the last is the fastest.
        spatial: the extents of the result, [batch, *spatial, channels].
    """
    rank = len(strides)
    batch, *positions, together = image.shape
    channels = together // math.prod(strides)
    phases = image.reshape(batch, *positions, *strides, channels)
    order = [0]
    for axis in range(1, rank + 1):
        order += [axis, rank + axis]
    whole = phases.transpose(*order, 2 * rank + 1)
    whole = whole.reshape(batch, *map(operator.mul, positions, strides), channels)
    for axis, extent in enumerate(spatial, 1):
        whole = lax.slice_in_dim(whole, 0, extent, axis=axis)
    return whole


def _filled(part: Array, extents: Extents) -> Array:
    missing = [long - short for long, short in zip(extents, part.shape[1:-1], strict=True)]
    return jnp.pad(part, [(0, 0), *((0, n) for n in missing), (0, 0)]) if any(missing) else part
