"""Pairs of layers that have a cheaper exact form, with the same params, state and results."""

from collections.abc import Sequence
from itertools import pairwise

from jaxlayers.layer import Layer
from jaxlayers.layers.convolution import Conv2D, Conv2DTranspose
from jaxlayers.layers.upsampling import UpSampling2D


def fused_upsamplings(layers: Sequence[Layer]) -> dict[int, UpSampling2D]:
    """Returns the upsamplings that their following convolution can do without.

    Args:
        layers: those of a Sequential, in order.

    Returns:
        By the position of a `Conv2D` or `Conv2DTranspose` with strides 1, the nearest
        `UpSampling2D` before it. The two together are `convolution.apply_upsampled`.
    """
    return {
        position: first
        for position, (first, second) in enumerate(pairwise(layers), 1)
        if isinstance(first, UpSampling2D)
        and isinstance(second, Conv2D | Conv2DTranspose)
        and first.interpolation == "nearest"
        and first.data_format == second.data_format
        and second.strides == (1, 1)
    }
