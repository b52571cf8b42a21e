"""Pairs of layers that have a cheaper exact form, with the same params, state and results."""

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise

from jax import Array

from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.convolution import Conv2D, Conv2DTranspose
from jaxlayers.layers.upsampling import UpSampling2D

Apply = Callable[[Params, State, Array], tuple[Array, State]]


def fused_convolutions(layers: Sequence[Layer]) -> dict[int, Apply]:
    """Returns the convolutions that do the nearest upsampling before them as well.

    Args:
        layers: those of a Sequential, in order.

    Returns:
        By the position of a `Conv2D` or `Conv2DTranspose` with strides 1 that follows a nearest
        `UpSampling2D`, the function that does both: of the params and state of the convolution
        and the image before upsampling.
    """
    return {
        position: functools.partial(second.apply_upsampled, size=first.size)
        for position, (first, second) in enumerate(pairwise(layers), 1)
        if isinstance(first, UpSampling2D)
        and isinstance(second, Conv2D | Conv2DTranspose)
        and first.interpolation == "nearest"
        and first.data_format == second.data_format
        and second.strides == (1, 1)
    }
