"""U-Net, for the segmentation of images.

Reference:
    Ronneberger et al., 2015, https://arxiv.org/abs/1505.04597
"""

from collections.abc import Callable, Sequence
from typing import Any

from jaxlayers import layers
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.functional import Functional
from jaxlayers.input_layer import Input
from jaxlayers.models import arguments

# Not the configured data format, because input_shape is channels last.
_FORMAT = "channels_last"


def unet(
    input_shape: Sequence[int] = (256, 256, 3),
    classes: int = 2,
    *,
    filters: int = 64,
    depth: int = 4,
    dropout: float = 0.5,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
) -> Functional:
    """Returns a U-Net, from images to the class of each pixel.

    The contracting path halves height and width `depth` times, and the expansive path doubles them
    again, each time concatenating the feature maps of the same size. Unlike in the paper, the
    convolutions pad their inputs, so that the output has the size of the images.

    Args:
        input_shape: (height, width, channels); height and width are multiples of 2 ** depth.
        classes: Number of classes; 1 for a mask with `classifier_activation="sigmoid"`.
        filters: Number of filters of the first convolutions; each level doubles it.
        depth: Number of levels below the first.
        dropout: Rate of the dropout at the end of the contracting path.
        classifier_activation: Activation of the output layer, a name or a function; `None` for
            logits.

    Returns:
        A Functional from [batch, *input_shape] to [batch, height, width, classes].

    Raises:
        TypeError: If `classifier_activation` is neither a name, a function nor `None`.
        ValueError: If the images cannot be halved `depth` times, an argument is out of range, or a
            softmax has a single class.

    Reference:
        Ronneberger et al., 2015, https://arxiv.org/abs/1505.04597

    Example:
        >>> unet((64, 96, 1), classes=3, filters=8).output_shape()
        (64, 96, 3)
    """
    shape = arguments.image_shape("unet", input_shape, "input_shape")
    classes = arguments.classes("unet", classes, classifier_activation)
    filters = arguments.positive("unet", "filters", filters)
    depth = arguments.positive("unet", "depth", depth)
    dropout = arguments.rate("unet", dropout)
    if any(size % 2**depth for size in shape[:2]):
        raise ValueError(
            f"unet: input_shape must have a height and a width that are multiples of {2**depth}, "
            f"because depth={depth} poolings halve the images, got {shape}"
        )
    image = Input(shape)
    x, skipped = image, []
    for level in range(depth):
        x = _two_convolutions(x, filters * 2**level, f"down{level + 1}")
        skipped.append(x)
        x = layers.MaxPooling2D(2, data_format=_FORMAT)(x, name=f"down{level + 1}_pool")
    x = _two_convolutions(x, filters * 2**depth, "bottom")
    x = layers.Dropout(dropout)(x, name="bottom_dropout")
    for level in reversed(range(depth)):
        name = f"up{level + 1}"
        up = layers.Conv2DTranspose(
            filters * 2**level, 2, 2, data_format=_FORMAT, kernel_initializer="he_normal"
        )
        x = up(x, name=f"{name}_upsample")
        x = layers.Concatenate()([skipped[level], x], name=f"{name}_concatenate")
        x = _two_convolutions(x, filters * 2**level, name)
    output = layers.Conv2D(classes, 1, data_format=_FORMAT, activation=classifier_activation)
    return Functional(image, output(x, name="predictions"), name="unet")


def _two_convolutions(x: SymbolicTensor, filters: int, name: str) -> SymbolicTensor:
    for number in (1, 2):
        convolution = layers.Conv2D(
            filters,
            3,
            padding="same",
            data_format=_FORMAT,
            activation="relu",
            kernel_initializer="he_normal",
        )
        x = convolution(x, name=f"{name}_conv{number}")
    return x
