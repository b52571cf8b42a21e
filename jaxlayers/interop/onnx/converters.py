"""The table of the converters of all layers."""

from collections.abc import Mapping
from typing import Any

from jaxlayers.interop.onnx import (
    activations,
    applications,
    compositions,
    convolutions,
    dense,
    embedding,
    merging,
    normalization,
    pooling,
    preprocessing,
    reshaping,
    resizing,
)
from jaxlayers.interop.onnx.graph import Converter, Graph, UnsupportedError
from jaxlayers.layer import Layer


def converter_of(layer: type[Layer]) -> Converter:
    """Returns the converter of a class of layers.

    Raises:
        UnsupportedError: If the layers cannot be written.
    """
    if layer in CONVERTERS:
        return CONVERTERS[layer]
    raise UnsupportedError(UNSUPPORTED.get(layer, "a user-defined class, which has no converter"))


def _of_floats(convert: Converter) -> Converter:
    """Returns the converter that converts integers in the inputs to floats first."""

    def convert_floats(graph: Graph, layer: Any, weights: Mapping[str, Any], x: Any) -> Any:
        return convert(graph, layer, weights, graph.in_floats(x))

    return convert_floats


# Layers that compute with floats.
_COMPUTE: dict[type, Converter] = {
    **activations.CONVERTERS,
    **applications.CONVERTERS,
    **convolutions.CONVERTERS,
    **dense.CONVERTERS,
    **merging.CONVERTERS,
    **normalization.CONVERTERS,
    **pooling.CONVERTERS,
    **preprocessing.CONVERTERS,
    **resizing.CONVERTERS,
}

CONVERTERS: dict[type, Converter] = {
    **{layer: _of_floats(convert) for layer, convert in _COMPUTE.items()},
    # Layers that accept integers.
    **compositions.CONVERTERS,
    **embedding.CONVERTERS,
    **reshaping.CONVERTERS,
}

# The layers of this library that cannot be written, with the reason for the error message.
UNSUPPORTED: dict[type, str] = {}
