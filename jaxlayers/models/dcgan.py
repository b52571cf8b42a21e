"""The deep convolutional GAN for small images.

Reference:
    Radford et al., 2016, https://arxiv.org/abs/1511.06434
"""

from collections.abc import Sequence

from jaxlayers import _fields as fields
from jaxlayers import layers
from jaxlayers.models import arguments
from jaxlayers.sequential import Sequential

# As in the Keras version of the model; it adapts faster than Keras's default of 0.99.
_MOMENTUM = 0.9
_KERNEL = 5
# Not the configured data format, because image_shape is channels last.
_FORMAT = "channels_last"


def generator(
    image_shape: Sequence[int] = (28, 28, 1),
    latent_size: int = 100,
    width: int = 256,
    dropout: float = 0.4,
    logits: bool = False,
) -> Sequential:
    """Returns the generator, from latent vectors to images.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4.
        latent_size: Length of a latent vector.
        width: Number of channels of the first feature maps, a multiple of 8; each of the following
            three convolutions halves it.
        dropout: Rate of the dropout on the first feature maps.
        logits: Whether to omit the final sigmoid.

    Returns:
        A Sequential from [batch, latent_size] to [batch, *image_shape], with values from 0 to 1.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> generator().output_shape()
        (28, 28, 1)
    """
    height, columns, channels = arguments.image_shape("generator", image_shape)
    if height % 4 or columns % 4:
        raise ValueError(
            f"generator: image_shape must have a height and a width that are multiples of 4, "
            f"got {tuple(image_shape)}"
        )
    width = arguments.positive("generator", "width", width, multiple_of=8)
    latent_size = arguments.positive("generator", "latent_size", latent_size)
    dropout = arguments.rate("generator", dropout)
    logits = fields.Boolean().check("generator", "logits", logits)
    base = (height // 4, columns // 4, width)

    def convolve(filters: int) -> list[layers.Layer]:
        return [
            layers.Conv2DTranspose(filters, _KERNEL, padding="same", data_format=_FORMAT),
            layers.BatchNormalization(momentum=_MOMENTUM),
            layers.Activation("relu"),
        ]

    model = Sequential(
        [
            layers.Dense(base[0] * base[1] * base[2]),
            layers.BatchNormalization(momentum=_MOMENTUM),
            layers.Activation("relu"),
            layers.Reshape(base),
            layers.Dropout(dropout),
            layers.UpSampling2D(data_format=_FORMAT),
            *convolve(width // 2),
            layers.UpSampling2D(data_format=_FORMAT),
            *convolve(width // 4),
            *convolve(width // 8),
            layers.Conv2DTranspose(channels, _KERNEL, padding="same", data_format=_FORMAT),
            layers.Activation("sigmoid"),
        ],
        input_shape=(latent_size,),
        name="generator",
    )
    return model.logits() if logits else model


def discriminator(
    image_shape: Sequence[int] = (28, 28, 1),
    width: int = 64,
    dropout: float = 0.4,
    logits: bool = False,
) -> Sequential:
    """Returns the discriminator, from images to the probability that they are real.

    Args:
        image_shape: (height, width, channels).
        width: Number of filters of the first convolution; each of the following three doubles it.
        dropout: Rate of the dropout after each convolution.
        logits: Whether to omit the final sigmoid.

    Returns:
        A Sequential from [batch, *image_shape] to [batch, 1], the probability that the image is
        real, or its logit.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> discriminator().output_shape()
        (1,)
    """
    shape = arguments.image_shape("discriminator", image_shape)
    width = arguments.positive("discriminator", "width", width)
    dropout = arguments.rate("discriminator", dropout)
    logits = fields.Boolean().check("discriminator", "logits", logits)

    def convolve(filters: int, strides: int) -> list[layers.Layer]:
        return [
            layers.Conv2D(filters, _KERNEL, strides, padding="same", data_format=_FORMAT),
            layers.LeakyReLU(0.2),
            layers.Dropout(dropout),
        ]

    model = Sequential(
        [
            *convolve(width, 2),
            *convolve(2 * width, 2),
            *convolve(4 * width, 2),
            *convolve(8 * width, 1),
            layers.Flatten(_FORMAT),
            layers.Dense(1),
            layers.Activation("sigmoid"),
        ],
        input_shape=shape,
        name="discriminator",
    )
    return model.logits() if logits else model
