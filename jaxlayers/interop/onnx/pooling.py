"""Pooling over windows, over whole images, and to an output of a fixed size."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from jaxlayers import layers
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.layout import channels_first, joined_pads
from jaxlayers.interop.onnx.tensor import Tensor
from jaxlayers.layers import arguments
from jaxlayers.ops import windows

Weights = Mapping[str, Any]


def _pool(
    op_type: str, graph: Graph, layer: Any, weights: Weights, x: Tensor, **attributes: int
) -> Tensor:
    x = graph.in_order(x, channels_first(layer))
    axes = zip(x.stored_shape[1:], layer.pool_size, layer.strides, strict=True)
    name = graph.node(
        op_type,
        [x.name],
        kernel_shape=layer.pool_size,
        strides=layer.strides,
        pads=joined_pads([windows.padding(*axis, 1, layer.padding) for axis in axes]),
        **attributes,
    )
    return Tensor(name, layer.output_shape(x.shape), x.order)


def _sum_pool(graph: Graph, layer: layers.SumPooling2D, weights: Weights, x: Tensor) -> Tensor:
    mean = _pool("AveragePool", graph, layer, weights, x, count_include_pad=1)
    return graph.op("Mul", mean, math.prod(layer.pool_size))


def _global(op_type: str, graph: Graph, layer: Any, weights: Weights, x: Tensor) -> Tensor:
    # Reductions, unlike GlobalAveragePool, do not need images that are stored channels-first.
    axes = graph.integers(sorted(map(x.position, arguments.spatial_axes(layer))), "axes")
    name = graph.node(op_type, [x.name, axes], keepdims=int(layer.keepdims))
    return Tensor(name, layer.output_shape(x.shape), x.order if layer.keepdims else (0, 1))


def _adaptive(
    op_type: str, reduction: str, graph: Graph, layer: Any, weights: Weights, x: Tensor
) -> Tensor:
    x = graph.in_order(x, channels_first(layer))
    pairs = list(zip(x.stored_shape[1:], layer.output_size, strict=True))
    if all(extent % count == 0 for extent, count in pairs):
        size = [extent // count for extent, count in pairs]
        name = graph.node(op_type, [x.name], kernel_shape=size, strides=size)
        return Tensor(name, layer.output_shape(x.shape), x.order)
    name = x.name
    for axis, (extent, count) in enumerate(pairs, start=2):
        name = _reduce_uneven(graph, reduction, name, axis, x.rank, extent, count)
    return Tensor(name, layer.output_shape(x.shape), x.order)


def _reduce_uneven(
    graph: Graph, reduction: str, name: str, axis: int, rank: int, extent: int, count: int
) -> str:
    """Reduces windows of different sizes along a stored axis."""
    first = np.arange(count) * extent // count
    size = -(-np.arange(1, count + 1) * extent // count) - first
    offset = np.arange(max(size))
    # The last position of smaller windows is repeated, with a weight of 0 in a mean.
    positions = first[:, None] + np.minimum(offset, size[:, None] - 1)
    name = graph.node("Gather", [name, graph.integers(positions, "positions")], axis=axis)
    if reduction == "ReduceSum":
        weight = (offset < size[:, None]) / size[:, None]
        weight = weight.reshape(*weight.shape, *(1,) * (rank - 1 - axis))
        name = graph.node("Mul", [name, graph.constant(weight, "weights")])
    return graph.node(reduction, [name, graph.integers([axis + 1], "axes")], keepdims=0)


CONVERTERS: dict[type, Converter] = {
    **dict.fromkeys(
        (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D), partial(_pool, "MaxPool")
    ),
    **dict.fromkeys(
        (layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D),
        partial(_pool, "AveragePool"),
    ),
    layers.SumPooling2D: _sum_pool,
    **dict.fromkeys(
        (layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D),
        partial(_global, "ReduceMax"),
    ),
    **dict.fromkeys(
        (
            layers.GlobalAveragePooling1D,
            layers.GlobalAveragePooling2D,
            layers.GlobalAveragePooling3D,
        ),
        partial(_global, "ReduceMean"),
    ),
    **dict.fromkeys(
        (layers.AdaptiveMaxPooling1D, layers.AdaptiveMaxPooling2D, layers.AdaptiveMaxPooling3D),
        partial(_adaptive, "MaxPool", "ReduceMax"),
    ),
    **dict.fromkeys(
        (
            layers.AdaptiveAveragePooling1D,
            layers.AdaptiveAveragePooling2D,
            layers.AdaptiveAveragePooling3D,
        ),
        partial(_adaptive, "AveragePool", "ReduceSum"),
    ),
}
