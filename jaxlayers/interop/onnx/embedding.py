"""Vectors looked up by index."""

from collections.abc import Mapping
from typing import Any

from jaxlayers import layers
from jaxlayers.interop.onnx.graph import Converter, Graph
from jaxlayers.interop.onnx.tensor import Tensor


def _embedding(
    graph: Graph, layer: layers.Embedding, weights: Mapping[str, Any], x: Tensor
) -> Tensor:
    # Floats are truncated, as by the layer.
    indices = x if x.dtype in ("int32", "int64") else graph.in_dtype(x, "int64")
    embeddings = graph.constant(weights["embeddings"], "embeddings")
    name = graph.node("Gather", [embeddings, indices.name])
    return Tensor(name, layer.output_shape(x.shape), (*x.order, x.rank))


CONVERTERS: dict[type, Converter] = {layers.Embedding: _embedding}
