"""Layers that merge several inputs."""

import math
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from typing import Any

from jaxlayers import layers
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.tensor import Order, Tensor, logical_order

Weights = Mapping[str, Any]
Inputs = Sequence[Tensor]


def _elementwise(
    op_type: str, graph: Graph, layer: Any, weights: Weights, inputs: Inputs
) -> Tensor:
    shape = layer.output_shape([x.shape for x in inputs])
    rank = len(shape) + 1
    # As in Keras, missing axes are inserted after the batch.
    expanded = [
        graph.reshaped(x, (1,) * (rank - x.rank) + x.shape) if x.rank < rank else x for x in inputs
    ]
    aligned = _in_common_order(graph, expanded)
    merged = reduce(lambda x, y: graph.op(op_type, x, y), aligned)
    return Tensor(merged.name, shape, merged.order)


def _average(graph: Graph, layer: layers.Average, weights: Weights, inputs: Inputs) -> Tensor:
    total = _elementwise("Add", graph, layer, weights, inputs)
    return graph.op("Div", total, float(len(inputs)))


def _concatenate(
    graph: Graph, layer: layers.Concatenate, weights: Weights, inputs: Inputs
) -> Tensor:
    shape = layer.output_shape([x.shape for x in inputs])
    aligned = _in_common_order(graph, inputs)
    axis = aligned[0].position(layer.axis)
    name = graph.node("Concat", [x.name for x in aligned], axis=axis)
    return Tensor(name, shape, aligned[0].order)


def _dot(graph: Graph, layer: layers.Dot, weights: Weights, inputs: Inputs) -> Tensor:
    shape = layer.output_shape([x.shape for x in inputs])
    axes = (layer.axes, layer.axes) if isinstance(layer.axes, int) else layer.axes
    i, j = (axis % x.rank for axis, x in zip(axes, inputs, strict=True))
    first, second = inputs
    if layer.normalize:
        first, second = _normalized(graph, first, i), _normalized(graph, second, j)
    # As a product of matrices, [batch, rows, size] and [batch, size, columns].
    size = first.shape[i - 1]
    rows, columns = (math.prod(x.shape) // size for x in inputs)
    left = _matrix(graph, first, (0, *_others(first, i), i), (rows, size))
    right = _matrix(graph, second, (0, j, *_others(second, j)), (size, columns))
    product = Tensor(graph.node("MatMul", [left, right]), (rows, columns), logical_order(3))
    return graph.reshaped(product, shape)


def _matrix(graph: Graph, x: Tensor, order: Order, shape: tuple[int, int]) -> str:
    """Returns a tensor as a matrix, whose rows and columns are its axes in the given order."""
    stored = graph.in_order(x, order)
    return graph.node("Reshape", [stored.name, graph.integers([0, *shape], "matrix")])


def _others(x: Tensor, axis: int) -> list[int]:
    return [other for other in range(1, x.rank) if other != axis]


def _normalized(graph: Graph, x: Tensor, axis: int) -> Tensor:
    norm = graph.op("ReduceL2", x, graph.integers([x.position(axis)], "axes"))
    return graph.op("Div", x, graph.op("Max", norm, _EPSILON))


# The smallest norm that `Dot` divides by; Keras's `backend.epsilon()`.
_EPSILON = 1e-7


def _in_common_order(graph: Graph, inputs: Inputs) -> list[Tensor]:
    """Returns tensors of the same rank stored in the same order.

    Channels-first is preferred to the order that the layers see, because it comes from and
    probably goes to convolutions.
    """
    logical = logical_order(inputs[0].rank)
    order = next((x.order for x in inputs if x.order != logical), logical)
    return [graph.in_order(x, order) for x in inputs]


add = partial(_elementwise, "Add")

CONVERTERS: dict[type, Converter] = {
    layers.Add: add,
    layers.Average: _average,
    layers.Concatenate: _concatenate,
    layers.Dot: _dot,
    layers.Maximum: partial(_elementwise, "Max"),
    layers.Minimum: partial(_elementwise, "Min"),
    layers.Multiply: partial(_elementwise, "Mul"),
    layers.Subtract: partial(_elementwise, "Sub"),
}
