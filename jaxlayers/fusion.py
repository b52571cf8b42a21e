"""Fusion of pairs of layers into a cheaper computation with the same results."""

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise

import jax
from jax import Array

from jaxlayers import ops
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers import convolution
from jaxlayers.layers.convolution import Conv2D, Conv2DTranspose
from jaxlayers.layers.upsampling import UpSampling2D

Apply = Callable[[Params, State, Array], tuple[Array, State]]


def fused_convolutions(layers: Sequence[Layer]) -> dict[int, Apply]:
    """Returns the functions that fuse convolutions with a preceding nearest upsampling.

    Args:
        layers: The layers of a Sequential, in order.

    Returns:
        A dictionary from the position of each `Conv2D` or `Conv2DTranspose` with strides 1 that
        follows a nearest `UpSampling2D` to the function that applies both, which takes the params
        and state of the convolution and the image before upsampling.
    """
    pairs = ((at, fused_convolution(*pair)) for at, pair in enumerate(pairwise(layers), 1))
    return {position: apply for position, apply in pairs if apply is not None}


def fused_convolution(first: Layer, second: Layer) -> Apply | None:
    """Returns the function that fuses two layers; `None` if they cannot be fused.

    Args:
        first: The layer whose output is the input of the second only.
        second: The second layer.

    Returns:
        As in `fused_convolutions`.
    """
    if (
        isinstance(first, UpSampling2D)
        and isinstance(second, Conv2D | Conv2DTranspose)
        and first.interpolation == "nearest"
        and first.data_format == second.data_format
        and second.strides == (1, 1)
    ):
        return functools.partial(_apply, first, second)
    return None


def _apply(
    upsampling: UpSampling2D,
    layer: Conv2D | Conv2DTranspose,
    params: Params,
    state: State,
    x: Array,
) -> tuple[Array, State]:
    """Applies `layer` to the output of `upsampling`."""
    upsampled = jax.eval_shape(lambda x: upsampling.apply({}, {}, x)[0], x)
    convolution.check_input(layer, params, state, upsampled)
    if isinstance(layer, Conv2D):
        y = ops.upsampled_convolution(
            x,
            params["kernel"],
            upsampling.size,
            padding=layer.padding,
            dilation=layer.dilation_rate,
            groups=layer.groups,
            data_format=layer.data_format,
        )
    else:
        y = ops.upsampled_convolution_transpose(
            x,
            params["kernel"],
            upsampling.size,
            padding=layer.padding,
            output_padding=layer.output_padding or (None, None),
            dilation=layer.dilation_rate,
            data_format=layer.data_format,
        )
    return convolution.add_bias_and_activate(layer, params, state, y)
