"""Models, and the layers that wrap another layer."""

from collections.abc import Mapping
from typing import Any

from jaxlayers import layers
from jaxlayers._structure import flatten, unflatten
from jaxlayers.functional import Functional
from jaxlayers.graph.nodes import Output
from jaxlayers.graph.order import graph_of
from jaxlayers.input_layer import InputLayer
from jaxlayers.interop.onnx.dtypes import dtype_in_file
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.tensor import Tensor
from jaxlayers.layer import Layer
from jaxlayers.layers.wrapper import Wrapper
from jaxlayers.sequential import Sequential

Weights = Mapping[str, Any]


def unwrapped(layer: Layer) -> Layer:
    """Returns the layer inside of the layers that wrap another one."""
    while isinstance(layer, Wrapper | layers.SpectralNormalization):
        layer = layer.layer
    return layer


def _sequential(graph: Graph, model: Sequential, weights: Weights, x: Any) -> Any:
    for name, layer in model.items():
        x = graph.layer(layer, name, weights.get(name, {}), x)
    return x


def _functional(graph: Graph, model: Functional, weights: Weights, x: Any) -> Any:
    nodes = {node.name: node for node in model.nodes or ()}
    inputs, outputs = flatten(model.inputs), flatten(model.outputs)
    is_by_name = isinstance(x, Mapping) and not isinstance(model.inputs, Mapping)
    given = [x[output.layer] for output in inputs] if is_by_name else flatten(x)
    values: dict[Output, Tensor] = dict(zip(inputs, given, strict=True))
    for call in graph_of(nodes, inputs, outputs).calls:
        node = nodes[call.layer]
        if isinstance(node.layer, InputLayer):
            arguments: Any = values[Output(*call)]
        else:
            sources = node.calls[call.call]
            arguments = unflatten(sources, [values[output] for output in flatten(sources)])
        y = graph.layer(node.layer, node.name, weights.get(node.name, {}), arguments)
        values |= {Output(*call, index): value for index, value in enumerate(flatten(y))}
    return unflatten(model.outputs, [values[output] for output in outputs])


def _input(graph: Graph, layer: InputLayer, weights: Weights, x: Tensor) -> Tensor:
    return x if layer.dtype is None else graph.in_dtype(x, dtype_in_file(layer.dtype))


def _wrapper(
    graph: Graph, layer: Wrapper | layers.SpectralNormalization, weights: Weights, x: Any
) -> Any:
    # In inference mode, the params of SpectralNormalization are those of the layer. InBfloat16 is
    # written in float32, because the convolutions of ONNX before opset 22 do not accept bfloat16.
    return graph.layer(layer.layer, "", weights, x)


CONVERTERS: dict[type, Converter] = {
    Functional: _functional,
    InputLayer: _input,
    Sequential: _sequential,
    layers.Frozen: _wrapper,
    layers.InBfloat16: _wrapper,
    layers.InferenceMode: _wrapper,
    layers.SpectralNormalization: _wrapper,
}
