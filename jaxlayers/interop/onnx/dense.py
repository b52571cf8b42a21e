"""The fully connected layer."""

from collections.abc import Mapping
from typing import Any

from jaxlayers import layers
from jaxlayers.interop.onnx.activations import activate
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.tensor import Tensor

Weights = Mapping[str, Any]


def _dense(graph: Graph, layer: layers.Dense, weights: Weights, x: Tensor) -> Tensor:
    x = graph.in_logical_order(x)
    constants = [
        graph.constant(weights[name], name) for name in ("kernel", "bias") if name in weights
    ]
    if x.rank == 2:
        name = graph.node("Gemm", [x.name, *constants])
    else:
        name = graph.node("MatMul", [x.name, constants[0]])
        for bias in constants[1:]:
            name = graph.node("Add", [name, bias])
    y = Tensor(name, layer.output_shape(x.shape), x.order)
    return activate(graph, layer.activation, y)


CONVERTERS: dict[type, Converter] = {layers.Dense: _dense}
