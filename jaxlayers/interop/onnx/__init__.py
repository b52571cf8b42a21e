"""Writing of models to ONNX files, layer by layer.

See docs/onnx.md for what is written.
"""

from jaxlayers.interop.onnx.saving import save

__all__ = ["save"]
