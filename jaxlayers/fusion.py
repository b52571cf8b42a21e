"""Fusion of pairs of layers into a cheaper computation with the same results."""

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise

import jax
from jax import Array

from jaxlayers import ops
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.convolution import Convolution
from jaxlayers.layers.frozen import Frozen
from jaxlayers.layers.inference_mode import InferenceMode
from jaxlayers.layers.transposed_convolution import TransposedConvolution
from jaxlayers.layers.upsampling import UpSampling

Apply = Callable[[Params, State, Array], tuple[Array, State]]


def fused_convolutions(layers: Sequence[Layer]) -> dict[int, Apply]:
    """Returns the functions that fuse convolutions with a preceding nearest upsampling.

    Args:
        layers: The layers of a Sequential, in order.

    Returns:
        A dictionary from the position of each convolution or transposed convolution with strides 1
        that follows a nearest upsampling to the function that applies both, which takes the params
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
        As in `fused_convolutions`. The params of a convolution in `Frozen` are constants.
    """
    first, _ = _without_wrappers(first)
    second, is_frozen = _without_wrappers(second)
    if (
        isinstance(first, UpSampling)
        and isinstance(second, Convolution | TransposedConvolution)
        and first.rank == second.rank
        and first.is_nearest
        and first.data_format == second.data_format
        and max(second.strides) == 1
    ):
        return functools.partial(_apply, first, second, is_frozen)
    return None


def _without_wrappers(layer: Layer) -> tuple[Layer, bool]:
    """Returns the layer in `Frozen` and `InferenceMode`, and whether `Frozen` is among them."""
    is_frozen = False
    while isinstance(layer, Frozen | InferenceMode):
        is_frozen = is_frozen or isinstance(layer, Frozen)
        layer = layer.layer
    return layer, is_frozen


def _apply(
    upsampling: UpSampling,
    layer: Convolution | TransposedConvolution,
    is_frozen: bool,
    params: Params,
    state: State,
    x: Array,
) -> tuple[Array, State]:
    """Applies `layer` to the output of `upsampling`."""
    upsampled = jax.eval_shape(lambda x: upsampling.apply({}, {}, x)[0], x)
    layer.check_input(params, state, upsampled)
    if is_frozen:
        params = jax.lax.stop_gradient(params)
    if isinstance(layer, Convolution):
        y = ops.upsampled_convolution(
            x,
            params["kernel"],
            upsampling.factors,
            padding=layer.padding,
            dilation=layer.dilation_rate,
            groups=layer.groups,
            data_format=layer.data_format,
        )
    else:
        y = ops.upsampled_convolution_transpose(
            x,
            params["kernel"],
            upsampling.factors,
            padding=layer.padding,
            output_padding=layer.output_padding or (None,) * layer.rank,
            dilation=layer.dilation_rate,
            data_format=layer.data_format,
        )
    return layer.add_bias_and_activate(params, state, y)
