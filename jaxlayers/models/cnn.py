"""Convolutional classifiers."""

from collections.abc import Sequence

from jaxlayers import _fields as fields
from jaxlayers import layers
from jaxlayers.models import arguments
from jaxlayers.sequential import Sequential

# Keras's default of 0.99 adapts too slowly for runs of a few hundred steps.
_MOMENTUM = 0.9
# Not the configured data format, because image_shape is channels last.
_FORMAT = "channels_last"


def lenet(
    image_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    width: int = 32,
    hidden: int = 128,
    dropout: float = 0.5,
) -> Sequential:
    """Returns LeNet: two convolutions with pooling, then two fully connected layers.

    Args:
        image_shape: (height, width, channels), at least 4 x 4.
        classes: Number of classes, at least 2.
        width: Number of filters of the first convolution; the second has twice as many.
        hidden: Number of units of the first fully connected layer.
        dropout: Rate of the dropout after the first fully connected layer.

    Returns:
        A Sequential from [batch, *image_shape] to [batch, classes], probabilities.

    Raises:
        ValueError: If the images are too small for the pooling, or an argument is out of range.

    Reference:
        LeCun et al., 1998, Gradient-based learning applied to document recognition. Unlike the
        original, the model has ReLU activations, maximum pooling and dropout.

    Example:
        >>> lenet().output_shape()
        (10,)
    """
    shape = _image_shape("lenet", image_shape, 2, "make them larger")
    classes = _classes("lenet", classes)
    width = arguments.positive("lenet", "width", width)
    hidden = arguments.positive("lenet", "hidden", hidden)
    dropout = arguments.rate("lenet", dropout)

    def convolve(filters: int) -> list[layers.Layer]:
        return [
            layers.Conv2D(filters, 5, padding="same", data_format=_FORMAT),
            layers.ReLU(),
            layers.MaxPooling2D(2, data_format=_FORMAT),
        ]

    return Sequential(
        [
            *convolve(width),
            *convolve(2 * width),
            layers.Flatten(_FORMAT),
            layers.Dense(hidden, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(classes, activation="softmax"),
        ],
        input_shape=shape,
        name="lenet",
    )


def vgg(
    image_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    width: int = 32,
    stages: int = 3,
    dropout: float = 0.0,
) -> Sequential:
    """Returns a VGG: pairs of 3 x 3 convolutions with batch normalization, and average pooling.

    Args:
        image_shape: (height, width, channels); each stage but the last halves height and width.
        classes: Number of classes, at least 2.
        width: Number of filters of the convolutions of the first stage; each following stage
            doubles it.
        stages: Number of stages.
        dropout: Rate of the dropout before the output layer.

    Returns:
        A Sequential from [batch, *image_shape] to [batch, classes], probabilities.

    Raises:
        ValueError: If the images are too small for the pooling, or an argument is out of range.

    Reference:
        Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556, for the pairs of
        convolutions; Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167, for the batch
        normalization; Lin et al., 2014,
        https://arxiv.org/abs/1312.4400, for the global average pooling.

    Example:
        >>> vgg((32, 32, 3), classes=100).output_shape()
        (100,)
    """
    width = arguments.positive("vgg", "width", width)
    stages = arguments.positive("vgg", "stages", stages)
    shape = _image_shape(
        "vgg", image_shape, stages - 1, f"make them larger or stages={stages} smaller"
    )
    classes = _classes("vgg", classes)
    dropout = arguments.rate("vgg", dropout)

    def convolve(filters: int) -> list[layers.Layer]:
        return [
            layers.Conv2D(
                filters,
                3,
                padding="same",
                data_format=_FORMAT,
                use_bias=False,  # batch normalization adds one
                kernel_initializer="he_normal",
            ),
            layers.BatchNormalization(momentum=_MOMENTUM),
            layers.ReLU(),
        ]

    blocks: list[layers.Layer] = []
    for stage in range(stages):
        if stage:
            blocks.append(layers.MaxPooling2D(2, data_format=_FORMAT))
        blocks += convolve(width * 2**stage) + convolve(width * 2**stage)
    return Sequential(
        [
            *blocks,
            layers.GlobalAveragePooling2D(data_format=_FORMAT),
            layers.Dropout(dropout),
            layers.Dense(classes, activation="softmax"),
        ],
        input_shape=shape,
        name="vgg",
    )


def _image_shape(
    model: str, image_shape: Sequence[int], poolings: int, remedy: str
) -> tuple[int, int, int]:
    shape = arguments.image_shape(model, image_shape)
    if min(shape[:2]) < 2**poolings:
        raise ValueError(
            f"{model}: image_shape must be at least {2**poolings} x {2**poolings}, because "
            f"{poolings} pooling layers halve the images, got {shape}; {remedy}"
        )
    return shape


def _classes(model: str, classes: int) -> int:
    return fields.Integer(at_least=2).check(model, "classes", classes)
