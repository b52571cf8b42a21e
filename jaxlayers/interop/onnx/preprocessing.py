"""Layers that scale the data."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlayers import layers
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.tensor import Tensor
from jaxlayers.layers.axes import positive_axes

Weights = Mapping[str, Any]


def _rescaling(graph: Graph, layer: layers.Rescaling, weights: Weights, x: Tensor) -> Tensor:
    scale, offset = np.asarray(layer.scale), np.asarray(layer.offset)
    if scale.ndim and layer.image_data_format == "channels_first":
        scale = scale.reshape(scale.shape + (1,) * (3 - scale.ndim))
    y = graph.op("Mul", x, _on_last_axes(graph, x, scale, "scale"))
    return graph.op("Add", y, _on_last_axes(graph, x, offset, "offset")) if offset.any() else y


def _normalization(
    graph: Graph, layer: layers.Normalization, weights: Weights, x: Tensor
) -> Tensor:
    kept = sorted(positive_axes(layer, x.shape))
    shape = [x.shape[axis - 1] for axis in kept]
    mean, variance = (
        np.broadcast_to(weights[name] if given is None else given, shape)
        for name, given in (("mean", layer.mean), ("variance", layer.variance))
    )
    mean_name = graph.along(x, kept, mean, "mean")
    stddev_name = graph.along(x, kept, np.maximum(np.sqrt(variance), 1e-7), "stddev")
    if layer.invert:
        return graph.op("Add", graph.op("Mul", x, stddev_name), mean_name)
    return graph.op("Div", graph.op("Sub", x, mean_name), stddev_name)


def _on_last_axes(graph: Graph, x: Tensor, value: np.ndarray, name: str) -> str:
    """Adds a constant that is broadcast to the last axes of the tensor."""
    value = value.reshape((1,) * (x.rank - value.ndim) + value.shape)
    return graph.constant(value.transpose(x.order), name)


CONVERTERS: dict[type, Converter] = {
    layers.Normalization: _normalization,
    layers.Rescaling: _rescaling,
}
