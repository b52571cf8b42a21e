"""Reading and writing of other file formats: Keras, StableHLO, safetensors."""

from jaxlayers.interop import keras, safetensors, stablehlo

__all__ = ["keras", "safetensors", "stablehlo"]
