"""Normalization layers in inference mode."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlayers import layers
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.tensor import Tensor
from jaxlayers.layers.axes import positive_axes

Weights = Mapping[str, Any]


def _batch(graph: Graph, layer: layers.BatchNormalization, weights: Weights, x: Tensor) -> Tensor:
    axes = positive_axes(layer, x.shape)
    mean, variance = weights["moving_mean"], weights["moving_variance"]
    if x.position(axes[0]) == 1:
        given = {"gamma": np.ones_like(mean), "beta": np.zeros_like(mean)} | dict(weights)
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        constants = [graph.constant(given[name], name) for name in names]
        return graph.op("BatchNormalization", x, *constants, epsilon=layer.epsilon)
    y = graph.op("Sub", x, graph.along(x, axes, mean, "moving_mean"))
    stddev = np.sqrt(variance + layer.epsilon)
    y = graph.op("Div", y, graph.along(x, axes, stddev, "moving_stddev"))
    return _scaled(graph, weights, y, axes)


def _layer(graph: Graph, layer: layers.LayerNormalization, weights: Weights, x: Tensor) -> Tensor:
    axes = sorted(positive_axes(layer, x.shape))
    first = x.rank - len(axes)
    if min(map(x.position, axes)) < first:
        return _scaled(graph, weights, _standardized(graph, x, axes, layer.epsilon), axes)
    # ONNX's operation is over the last axes as they are stored.
    shape = x.stored_shape[first - 1 :]
    gamma = x.along(axes, weights["gamma"]).reshape(shape) if layer.scale else np.ones(shape)
    constants = [graph.constant(gamma, "gamma")]
    if layer.center:
        constants.append(graph.constant(x.along(axes, weights["beta"]).reshape(shape), "beta"))
    return graph.op("LayerNormalization", x, *constants, axis=first, epsilon=layer.epsilon)


def _group(graph: Graph, layer: layers.GroupNormalization, weights: Weights, x: Tensor) -> Tensor:
    axes = positive_axes(layer, x.shape)
    channels = x.shape[axes[0] - 1]
    x = graph.in_order(x, (0, *axes, *(axis for axis in x.order[1:] if axis not in axes)))
    groups = channels if layer.groups == -1 else layer.groups
    # Instance normalization of the groups as channels. GroupNormalization of ONNX 18 has one factor
    # per group instead of one per channel.
    grouped = graph.node("Reshape", [x.name, graph.integers([0, groups, -1], "groups")])
    constants = [graph.constant(value, "standard") for value in (np.ones(groups), np.zeros(groups))]
    normalized = graph.node("InstanceNormalization", [grouped, *constants], epsilon=layer.epsilon)
    shape = graph.integers([0, *x.stored_shape], "shape")
    y = dataclasses.replace(x, name=graph.node("Reshape", [normalized, shape]))
    return _scaled(graph, weights, y, axes)


def _rms(graph: Graph, layer: layers.RMSNormalization, weights: Weights, x: Tensor) -> Tensor:
    axes = sorted(positive_axes(layer, x.shape))
    root = _root_mean_square(graph, x, axes, layer.epsilon)
    scale = graph.along(x, axes, weights["scale"], "scale")
    return graph.op("Mul", graph.op("Div", x, root), scale)


def _unit(graph: Graph, layer: layers.UnitNormalization, weights: Weights, x: Tensor) -> Tensor:
    axes = positive_axes(layer, x.shape, with_batch=True)
    norm = graph.op("ReduceL2", x, _positions(graph, x, axes))
    return graph.op("Div", x, graph.op("Max", norm, 1e-12))


def _standardized(graph: Graph, x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    mean = graph.op("ReduceMean", x, _positions(graph, x, axes))
    centered = graph.op("Sub", x, mean)
    return graph.op("Div", centered, _root_mean_square(graph, centered, axes, epsilon))


def _root_mean_square(graph: Graph, x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    square = graph.op("ReduceMean", graph.op("Mul", x, x), _positions(graph, x, axes))
    return graph.op("Sqrt", graph.op("Add", square, epsilon))


def _scaled(graph: Graph, weights: Weights, y: Tensor, axes: Sequence[int]) -> Tensor:
    """Multiplies by gamma and adds beta, which may be missing."""
    for op_type, name in (("Mul", "gamma"), ("Add", "beta")):
        if name in weights:
            y = graph.op(op_type, y, graph.along(y, axes, weights[name], name))
    return y


def _positions(graph: Graph, x: Tensor, axes: Sequence[int]) -> str:
    return graph.integers(sorted(map(x.position, axes)), "axes")


CONVERTERS: dict[type, Converter] = {
    layers.BatchNormalization: _batch,
    layers.GroupNormalization: _group,
    layers.LayerNormalization: _layer,
    layers.RMSNormalization: _rms,
    layers.UnitNormalization: _unit,
}
