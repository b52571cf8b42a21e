"""Upsampling, padding and cropping."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlayers import layers
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.layout import channels_first
from jaxlayers.interop.onnx.tensor import Tensor
from jaxlayers.layers import arguments
from jaxlayers.layers.upsampling import UpSampling

Weights = Mapping[str, Any]

# The arguments with which ONNX's Resize computes the same as the layer. The cubic kernel is that of
# Keys, without positions outside of the image.
_INTERPOLATIONS: Mapping[str, Mapping[str, Any]] = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "bicubic": {
        "mode": "cubic",
        "coordinate_transformation_mode": "half_pixel",
        "cubic_coeff_a": -0.5,
        "exclude_outside": 1,
    },
}


def _upsampling(graph: Graph, layer: UpSampling, weights: Weights, x: Tensor) -> Tensor:
    x = graph.in_order(x, channels_first(layer))
    interpolation = getattr(layer, "interpolation", "nearest")
    shape = layer.output_shape(x.shape)
    if interpolation not in _INTERPOLATIONS:
        return Tensor(_by_matrices(graph, interpolation, layer.factors, x), shape, x.order)
    scales = graph.constant([1, 1, *layer.factors], "scales")
    name = graph.node("Resize", [x.name, "", scales], **_INTERPOLATIONS[interpolation])
    return Tensor(name, shape, x.order)


def _by_matrices(graph: Graph, method: str, factors: tuple[int, ...], x: Tensor) -> str:
    """Interpolates images that are stored channels-first by a product for rows and columns."""
    rows, columns = (
        np.asarray(jax.image.resize(jnp.eye(size), (size * factor, size), method, antialias=False))
        for size, factor in zip(x.stored_shape[1:], factors, strict=True)
    )
    wide = graph.node("MatMul", [x.name, graph.constant(columns.T, "columns")])
    return graph.node("MatMul", [graph.constant(rows, "rows"), wide])


def _padding(graph: Graph, layer: Any, weights: Weights, x: Tensor) -> Tensor:
    pads = np.zeros((2, x.rank), np.int64)
    for axis, sides in _sides(layer, layer.padding):
        pads[:, x.position(axis)] = sides
    name = graph.node("Pad", [x.name, graph.integers(pads.ravel(), "pads")])
    return Tensor(name, layer.output_shape(x.shape), x.order)


def _cropping(graph: Graph, layer: Any, weights: Weights, x: Tensor) -> Tensor:
    positions, starts, ends = zip(
        *(
            (x.position(axis), before, x.shape[axis - 1] - after)
            for axis, (before, after) in _sides(layer, layer.cropping)
        ),
        strict=True,
    )
    inputs = {"starts": starts, "ends": ends, "axes": positions}
    name = graph.node("Slice", [x.name, *(graph.integers(v, k) for k, v in inputs.items())])
    return Tensor(name, layer.output_shape(x.shape), x.order)


def _sides(layer: Any, sides: Any) -> list[tuple[int, tuple[int, int]]]:
    """Returns each spatial axis of a layer, with the positions before and after it."""
    pairs = (sides,) if layer.rank == 1 else sides
    return list(zip(arguments.spatial_axes(layer), pairs, strict=True))


CONVERTERS: dict[type, Converter] = {
    **dict.fromkeys((layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D), _upsampling),
    **dict.fromkeys((layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D), _padding),
    **dict.fromkeys((layers.Cropping1D, layers.Cropping2D, layers.Cropping3D), _cropping),
}
