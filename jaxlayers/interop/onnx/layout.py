"""The layout of images."""

from collections.abc import Sequence

from jaxlayers.interop.onnx.tensor import Order
from jaxlayers.layers import arguments
from jaxlayers.ops import windows


def channels_first(layer: arguments.ImageLayer) -> Order:
    """Returns the order of axes in which the images of a layer are stored channels-first."""
    channels = 1 + arguments.image_axes(layer).index("channels")
    return (0, channels, *arguments.spatial_axes(layer))


def joined_pads(pads: Sequence[windows.Padding]) -> list[int]:
    """Returns pairs (before, after) as ONNX orders them: before all axes, then after all axes."""
    return [side for sides in zip(*pads, strict=True) for side in sides]
