"""Convolutions in one to three dimensions."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlayers import layers
from jaxlayers.interop.onnx.activations import activate
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.layout import channels_first, joined_pads
from jaxlayers.interop.onnx.tensor import Tensor
from jaxlayers.layers.convolution import Convolution
from jaxlayers.layers.convolution_layer import ConvolutionLayer
from jaxlayers.layers.depthwise_convolution import DepthwiseConvolution
from jaxlayers.layers.separable_convolution import SeparableConvolution
from jaxlayers.layers.transposed_convolution import TransposedConvolution
from jaxlayers.ops import windows

Weights = Mapping[str, Any]


def _convolution(graph: Graph, layer: Convolution, weights: Weights, x: Tensor) -> Tensor:
    x = graph.in_order(x, channels_first(layer))
    kernel = graph.constant(_filters_first(weights["kernel"]), "kernel")
    y = _windows(graph, layer, x, layer.filters, [kernel, *_bias(graph, weights)], layer.groups)
    return activate(graph, layer.activation, y)


def _depthwise(graph: Graph, layer: DepthwiseConvolution, weights: Weights, x: Tensor) -> Tensor:
    x = graph.in_order(x, channels_first(layer))
    y = _each_channel(graph, layer, x, weights["kernel"], "kernel", _bias(graph, weights))
    return activate(graph, layer.activation, y)


def _separable(graph: Graph, layer: SeparableConvolution, weights: Weights, x: Tensor) -> Tensor:
    x = graph.in_order(x, channels_first(layer))
    y = _each_channel(graph, layer, x, weights["depthwise_kernel"], "depthwise_kernel", [])
    kernel = graph.constant(_filters_first(weights["pointwise_kernel"]), "pointwise_kernel")
    name = graph.node("Conv", [y.name, kernel, *_bias(graph, weights)])
    y = y.stored_as(name, (layer.filters, *y.stored_shape[1:]))
    return activate(graph, layer.activation, y)


def _transposed(graph: Graph, layer: TransposedConvolution, weights: Weights, x: Tensor) -> Tensor:
    x = graph.in_order(x, channels_first(layer))
    # The convolution that this is the transpose of has these filters and this padding.
    kernel = graph.constant(_filters_first(weights["kernel"]), "kernel")
    pads = []
    added = layer.output_padding or (None,) * layer.rank
    axes = zip(layer.kernel_size, layer.strides, layer.dilation_rate, added, strict=True)
    for size, stride, rate, extra in axes:
        span = windows.span(size, rate)
        padding = windows.transposed_padding(size, stride, rate, layer.padding, extra)
        pads.append([span - 1 - side for side in padding])
    name = graph.node(
        "ConvTranspose",
        [x.name, kernel, *_bias(graph, weights)],
        strides=layer.strides,
        dilations=layer.dilation_rate,
        # Negative padding at the end enlarges the output, by less than the strides.
        pads=joined_pads([(before, max(after, 0)) for before, after in pads]),
        output_padding=[max(-after, 0) for _, after in pads],
    )
    y = Tensor(name, layer.output_shape(x.shape), x.order)
    return activate(graph, layer.activation, y)


def _each_channel(
    graph: Graph,
    layer: DepthwiseConvolution | SeparableConvolution,
    x: Tensor,
    kernel: np.ndarray,
    name: str,
    bias: list[str],
) -> Tensor:
    """Convolves each channel with its own kernels: [*window, channels, multiplier]."""
    *window, channels, multiplier = kernel.shape
    grouped = kernel.reshape(*window, 1, channels * multiplier)
    constant = graph.constant(_filters_first(grouped), name)
    return _windows(graph, layer, x, channels * multiplier, [constant, *bias], channels)


def _windows(
    graph: Graph, layer: ConvolutionLayer, x: Tensor, filters: int, weights: list[str], groups: int
) -> Tensor:
    """Convolves images that are stored channels-first with the windows of a layer."""
    axes = list(
        zip(x.stored_shape[1:], layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    )
    name = graph.node(
        "Conv",
        [x.name, *weights],
        strides=layer.strides,
        dilations=layer.dilation_rate,
        pads=joined_pads([windows.padding(*axis, layer.padding) for axis in axes]),
        group=groups,
    )
    extents = [windows.output_extent(*axis, layer.padding) for axis in axes]
    return x.stored_as(name, (filters, *extents))


def _filters_first(kernel: np.ndarray) -> np.ndarray:
    """Returns [filters, channels, *window] of a kernel [*window, channels, filters]."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def _bias(graph: Graph, weights: Weights) -> list[str]:
    return [graph.constant(weights["bias"], "bias")] if "bias" in weights else []


CONVERTERS: dict[type, Converter] = {
    **dict.fromkeys((layers.Conv1D, layers.Conv2D, layers.Conv3D), _convolution),
    **dict.fromkeys((layers.DepthwiseConv1D, layers.DepthwiseConv2D), _depthwise),
    **dict.fromkeys((layers.SeparableConv1D, layers.SeparableConv2D), _separable),
    **dict.fromkeys(
        (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _transposed
    ),
}
