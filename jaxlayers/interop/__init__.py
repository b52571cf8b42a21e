"""Reading and writing of other file formats: Keras, ONNX, StableHLO, safetensors."""

from jaxlayers.interop import keras, onnx, safetensors, stablehlo

__all__ = ["keras", "onnx", "safetensors", "stablehlo"]
