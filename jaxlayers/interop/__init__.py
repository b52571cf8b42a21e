"""Other formats than this library's own."""

from jaxlayers.interop import keras

__all__ = ["keras"]
