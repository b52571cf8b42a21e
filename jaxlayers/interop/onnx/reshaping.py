"""Layers that move the values of their input without changing them."""

from collections.abc import Mapping
from typing import Any

from jaxlayers import layers
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.tensor import Tensor

Weights = Mapping[str, Any]


def _reshape(graph: Graph, layer: layers.Reshape, weights: Weights, x: Tensor) -> Tensor:
    return graph.reshaped(x, layer.output_shape(x.shape))


def _flatten(graph: Graph, layer: layers.Flatten, weights: Weights, x: Tensor) -> Tensor:
    if layer.data_format == "channels_first" and x.shape:
        x = _permuted(x, (*range(2, x.rank), 1))
    return graph.reshaped(x, layer.output_shape(x.shape))


def _permute(graph: Graph, layer: layers.Permute, weights: Weights, x: Tensor) -> Tensor:
    return _permuted(x, layer.dims)


def _permuted(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Permutes the axes of examples. Only their names change, not how they are stored."""
    new = {old: axis for axis, old in enumerate((0, *dims))}
    shape = tuple(x.shape[dim - 1] for dim in dims)
    return Tensor(x.name, shape, tuple(new[axis] for axis in x.order), x.dtype)


def _repeat(graph: Graph, layer: layers.RepeatVector, weights: Weights, x: Tensor) -> Tensor:
    row = graph.reshaped(x, (1, *x.shape))
    name = graph.node("Expand", [row.name, graph.integers([1, layer.n, 1], "shape")])
    return Tensor(name, layer.output_shape(x.shape), row.order, x.dtype)


def _identity(graph: Graph, layer: Any, weights: Weights, x: Tensor) -> Tensor:
    return x


CONVERTERS: dict[type, Converter] = {
    layers.Flatten: _flatten,
    layers.Permute: _permute,
    layers.RepeatVector: _repeat,
    layers.Reshape: _reshape,
    # Layers that return their input in inference mode.
    **dict.fromkeys(
        (
            layers.ActivityRegularization,
            layers.AlphaDropout,
            layers.Dropout,
            layers.GaussianDropout,
            layers.GaussianNoise,
            layers.Identity,
            layers.SpatialDropout1D,
            layers.SpatialDropout2D,
            layers.SpatialDropout3D,
        ),
        _identity,
    ),
}
