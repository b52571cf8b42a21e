"""The measured convolutions: common ones, and difficult ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxlayers.ops import windows
from jaxlayers.ops.convolution.geometry import Extents, Geometry


@dataclass(frozen=True)
class Shape:
    """A convolution or transposed convolution, with its name in the tables."""

    name: str
    batch: int
    spatial: Extents
    channels: int
    window: Extents
    filters: int
    geometry: Geometry
    transposed: bool = False

    @property
    def outputs(self) -> Extents:
        return self.geometry.outputs(self.spatial, self.window)


def _convolution(
    name: str,
    extent: int,
    channels: int,
    filters: int,
    size: int,
    strides: int = 1,
    *,
    dilation: int = 1,
    groups: int = 1,
    padding: str = "same",
    batch: int = 64,
    rank: int = 2,
    transposed: bool = False,
) -> Shape:
    pads = windows.padding(extent, size, strides, dilation, padding)
    geometry = Geometry((strides,) * rank, (pads,) * rank, (dilation,) * rank, groups)
    return Shape(
        name, batch, (extent,) * rank, channels, (size,) * rank, filters, geometry, transposed
    )


def _transposed(
    name: str, extent: int, channels: int, filters: int, size: int, strides: int, batch: int = 64
) -> Shape:
    # As the convolution whose input gradient it is.
    return _convolution(
        name, extent * strides, filters, channels, size, strides, batch=batch, transposed=True
    )


HARD = [
    _convolution("4x4x256 -> 512, 5", 4, 256, 512, 5),
    _convolution("7x7x128 -> 256, 5, strides 2", 7, 128, 256, 5, 2),
    _convolution("14x14x64 -> 128, 5, strides 2", 14, 64, 128, 5, 2),
    _convolution("14x14x256 -> 128, 5", 14, 256, 128, 5),
    _convolution("28x28x128 -> 64, 5", 28, 128, 64, 5),
    _transposed("transposed 4x4x512 -> 256, 4, strides 2", 4, 512, 256, 4, 2),
    _transposed("transposed 8x8x256 -> 128, 4, strides 2", 8, 256, 128, 4, 2),
    _transposed("transposed 16x16x128 -> 64, 4, strides 2", 16, 128, 64, 4, 2),
    _transposed("transposed 14x14x128 -> 64, 5, strides 2", 14, 128, 64, 5, 2),
]
USUAL = [
    _convolution("ResNet 56x56x64 -> 64, 3", 56, 64, 64, 3, batch=16),
    _convolution("ResNet 56x56x256 -> 64, 1", 56, 256, 64, 1, batch=16),
    _convolution("ResNet 56x56x64 -> 256, 1", 56, 64, 256, 1, batch=16),
    _convolution("ResNet 28x28x128 -> 128, 3", 28, 128, 128, 3),
    _convolution("ResNet 14x14x256 -> 256, 3", 14, 256, 256, 3),
    _convolution("ResNet 14x14x1024 -> 256, 1", 14, 1024, 256, 1, batch=16),
    _convolution("ResNet 7x7x512 -> 512, 3", 7, 512, 512, 3),
    _convolution("ResNet 224x224x3 -> 64, 7, strides 2", 224, 3, 64, 7, 2, batch=8),
    _convolution("ResNet 56x56x128 -> 128, 3, strides 2", 56, 128, 128, 3, 2, batch=16),
    _convolution("ResNet 56x56x256 -> 512, 1, strides 2", 56, 256, 512, 1, 2, batch=16),
    _convolution("U-Net 64x64x64 -> 64, 3", 64, 64, 64, 3, batch=8),
    _convolution("U-Net 32x32x128 -> 128, 3", 32, 128, 128, 3, batch=16),
    _convolution("U-Net 16x16x256 -> 256, 3", 16, 256, 256, 3, batch=16),
    _convolution("U-Net 32x32x256 -> 128, 3", 32, 256, 128, 3, batch=16),
    _transposed("transposed U-Net 16x16x256 -> 128, 2, strides 2", 16, 256, 128, 2, 2, batch=16),
    _transposed("transposed U-Net 32x32x128 -> 64, 2, strides 2", 32, 128, 64, 2, 2, batch=16),
    _convolution("DCGAN 28x28x1 -> 64, 5, strides 2", 28, 1, 64, 5, 2),
    _convolution("DCGAN 28x28x32 -> 1, 5", 28, 32, 1, 5),
    _convolution("DCGAN 28x28x64 -> 32, 5", 28, 64, 32, 5),
    _convolution("DCGAN 7x7x256 -> 512, 3, upsampled", 7, 256, 512, 3),
    _convolution("DCGAN 14x14x128 -> 256, 3, upsampled", 14, 128, 256, 3),
    _transposed("transposed DCGAN 14x14x64 -> 1, 4, strides 2", 14, 64, 1, 4, 2),
    _convolution("LeNet 28x28x1 -> 32, 3, valid", 28, 1, 32, 3, padding="valid"),
    _convolution("LeNet 26x26x32 -> 64, 3, valid", 26, 32, 64, 3, padding="valid"),
    _convolution("CIFAR 32x32x3 -> 32, 3", 32, 3, 32, 3),
]
GROUPED = [
    _convolution("depthwise 14x14x256, 3", 14, 256, 256, 3, groups=256),
    _convolution("depthwise 28x28x128, 3, strides 2", 28, 128, 128, 3, 2, groups=128),
    _convolution("depthwise 56x56x64, 3", 56, 64, 64, 3, groups=64, batch=16),
    _convolution("depthwise 56x56x64, times 2, 3", 56, 64, 128, 3, groups=64, batch=8),
    _convolution("4 groups 28x28x128 -> 128, 3", 28, 128, 128, 3, groups=4, batch=16),
    _convolution("32 groups 28x28x128 -> 128, 3", 28, 128, 128, 3, groups=32, batch=16),
    _convolution("32 groups 14x14x256 -> 256, 3", 14, 256, 256, 3, groups=32, batch=16),
]
OTHER = [
    _convolution("dilated 2 28x28x64 -> 64, 3", 28, 64, 64, 3, dilation=2),
    _convolution("dilated 4 28x28x64 -> 64, 3", 28, 64, 64, 3, dilation=4),
    _convolution("1-D 128x64 -> 128, 3", 128, 64, 128, 3, rank=1),
    _convolution("1-D 1024x64 -> 64, 9", 1024, 64, 64, 9, batch=16, rank=1),
    _convolution("1-D 1024x64 -> 64, 3, dilated 4", 1024, 64, 64, 3, dilation=4, batch=16, rank=1),
    _convolution("1-D 16000x1 -> 64, 9, strides 4", 16000, 1, 64, 9, 4, batch=8, rank=1),
    _convolution("1-D 4000x64 -> 64, 5, strides 2", 4000, 64, 64, 5, 2, batch=8, rank=1),
    _convolution("3-D 16x16x16x16 -> 16, 3", 16, 16, 16, 3, batch=8, rank=3),
    _convolution("3-D 16x16x16x1 -> 16, 3", 16, 1, 16, 3, batch=8, rank=3),
    _convolution("3-D 8x8x8x32 -> 64, 3, strides 2", 8, 32, 64, 3, 2, batch=16, rank=3),
]
INFERENCE = [
    _convolution("ResNet 56x56x64 -> 64, 3", 56, 64, 64, 3, batch=8),
    _convolution("ResNet 14x14x256 -> 256, 3", 14, 256, 256, 3, batch=8),
    _convolution("ResNet 224x224x3 -> 64, 7, strides 2", 224, 3, 64, 7, 2, batch=8),
    _convolution("MobileNet depthwise 112x112x32, 3", 112, 32, 32, 3, groups=32, batch=8),
    _convolution("MobileNet pointwise 112x112x32 -> 64", 112, 32, 64, 1, batch=8),
    _convolution("MobileNet depthwise 28x28x256, 3", 28, 256, 256, 3, groups=256, batch=8),
    _convolution("MobileNet pointwise 28x28x256 -> 256", 28, 256, 256, 1, batch=8),
    _convolution("MobileNet depthwise 14x14x512, 3", 14, 512, 512, 3, groups=512, batch=8),
    _convolution("MobileNet pointwise 14x14x512 -> 512", 14, 512, 512, 1, batch=8),
    _transposed("transposed DCGAN 14x14x64 -> 1, 4, strides 2", 14, 64, 1, 4, 2, batch=8),
]
_ALSO_ALONE = (
    "4x4x256 -> 512, 5",
    "14x14x256 -> 128, 5",
    "28x28x128 -> 64, 5",
    "transposed 8x8x256 -> 128, 4, strides 2",
    "ResNet 56x56x64 -> 64, 3",
    "ResNet 14x14x256 -> 256, 3",
    "ResNet 7x7x512 -> 512, 3",
    "ResNet 224x224x3 -> 64, 7, strides 2",
    "DCGAN 28x28x1 -> 64, 5, strides 2",
    "DCGAN 28x28x32 -> 1, 5",
    "LeNet 26x26x32 -> 64, 3, valid",
    "depthwise 14x14x256, 3",
    "1-D 1024x64 -> 64, 9",
    "3-D 16x16x16x16 -> 16, 3",
)


def three_functions(shape: Shape) -> dict[str, tuple[Callable[[Any], Any], tuple[str, str]]]:
    """Returns the forward pass and the gradients, each with the names of its two operands.

    Each is a function of a module, `primitives` or `xla`, that returns a function of the operands.
    """
    geometry, spatial, window = shape.geometry, shape.spatial, shape.window
    return {
        "forward": (lambda m: lambda x, k: m.forward(x, k, geometry), ("x", "kernel")),
        "input gradient": (
            lambda m: lambda y, k: m.input_gradient(y, k, spatial, geometry),
            ("y", "kernel"),
        ),
        "kernel gradient": (
            lambda m: lambda x, y: m.kernel_gradient(x, y, window, geometry),
            ("x", "y"),
        ),
    }


def inference_shapes() -> list[Shape]:
    """Returns the shapes of `INFERENCE` with batches of 1 and 8."""
    return [
        Shape(**{**vars(shape), "name": f"{shape.name}, batch {batch}", "batch": batch})
        for shape in INFERENCE
        for batch in (1, 8)
    ]


def all_shapes() -> list[Shape]:
    """Returns all shapes, and some of them again with a batch of 1."""
    shapes = HARD + USUAL + GROUPED + OTHER
    alone = [
        Shape(**{**vars(shape), "name": f"{shape.name}, batch 1", "batch": 1})
        for shape in shapes
        if shape.name in _ALSO_ALONE
    ]
    return shapes + alone
