"""The layers that keras.applications defines for its own models."""

from collections.abc import Mapping
from typing import Any

from jaxlayers import layers
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.merging import Inputs, add
from jaxlayers.interop.onnx.tensor import Tensor

Weights = Mapping[str, Any]


def _layer_scale(graph: Graph, layer: layers.LayerScale, weights: Weights, x: Tensor) -> Tensor:
    return graph.op("Mul", x, graph.along(x, [x.rank - 1], weights["gamma"], "gamma"))


def _custom_scale(
    graph: Graph, layer: layers.CustomScaleLayer, weights: Weights, inputs: Inputs
) -> Tensor:
    first, second = inputs
    return add(graph, layer, weights, (first, graph.op("Mul", second, layer.scale)))


CONVERTERS: dict[type, Converter] = {
    layers.CustomScaleLayer: _custom_scale,
    layers.LayerScale: _layer_scale,
}
