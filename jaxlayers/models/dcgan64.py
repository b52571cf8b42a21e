"""The deep convolutional GAN as published, for images of 64 x 64 pixels.

Reference:
    Radford et al., 2016, https://arxiv.org/abs/1511.06434
"""

from collections.abc import Sequence
from typing import Any

from jaxlayers import layers
from jaxlayers.initializers import RandomNormal
from jaxlayers.models import arguments
from jaxlayers.sequential import Sequential

_MOMENTUM = 0.9
# Keras's default of 0.001 is not small compared with the variances that the initialization gives.
_EPSILON = 1e-5
# Not the configured data format, because image_shape is channels last.
_FORMAT = "channels_last"


def generator(
    image_shape: Sequence[int] = (64, 64, 3), latent_size: int = 100, width: int = 1024
) -> Sequential:
    """Returns the generator, from latent vectors to images.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 16.
        latent_size: Length of a latent vector.
        width: Number of channels of the first feature maps, a multiple of 8; each of the following
            three convolutions halves it.

    Returns:
        A Sequential from [batch, latent_size] to [batch, *image_shape], with values from -1 to 1.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Radford et al., 2016, figure 1 and section 4, https://arxiv.org/abs/1511.06434

    Example:
        >>> generator().output_shape()
        (64, 64, 3)
    """
    height, columns, channels = _image_shape("generator", image_shape)
    latent_size = arguments.positive("generator", "latent_size", latent_size)
    width = arguments.positive("generator", "width", width, multiple_of=8)
    base = (height // 16, columns // 16, width)

    def convolve(filters: int, **options: Any) -> layers.Layer:
        return layers.Conv2DTranspose(
            filters, 5, 2, padding="same", data_format=_FORMAT, **_initialized(), **options
        )

    def convolve_and_normalize(filters: int) -> list[layers.Layer]:
        # Batch normalization adds a bias.
        return [convolve(filters, use_bias=False), _normalization(), layers.ReLU()]

    return Sequential(
        [
            layers.Dense(base[0] * base[1] * base[2], use_bias=False, **_initialized()),
            layers.Reshape(base),
            _normalization(),
            layers.ReLU(),
            *convolve_and_normalize(width // 2),
            *convolve_and_normalize(width // 4),
            *convolve_and_normalize(width // 8),
            convolve(channels),
            layers.Activation("tanh"),
        ],
        input_shape=(latent_size,),
        name="generator",
    )


def discriminator(image_shape: Sequence[int] = (64, 64, 3), width: int = 128) -> Sequential:
    """Returns the discriminator, from images to logits.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 16.
        width: Number of filters of the first convolution; each of the following three doubles it.

    Returns:
        A Sequential from [batch, *image_shape] to [batch, 1], the logit of the probability that the
        image is real.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Radford et al., 2016, section 3, https://arxiv.org/abs/1511.06434

    Example:
        >>> discriminator().output_shape()
        (1,)
    """
    shape = _image_shape("discriminator", image_shape)
    width = arguments.positive("discriminator", "width", width)

    def convolve(filters: int, **options: Any) -> layers.Layer:
        return layers.Conv2D(
            filters, 5, 2, padding="same", data_format=_FORMAT, **_initialized(), **options
        )

    def convolve_and_normalize(filters: int) -> list[layers.Layer]:
        return [convolve(filters, use_bias=False), _normalization(), layers.LeakyReLU(0.2)]

    return Sequential(
        [
            # Without batch normalization, as the output of the generator.
            convolve(width),
            layers.LeakyReLU(0.2),
            *convolve_and_normalize(2 * width),
            *convolve_and_normalize(4 * width),
            *convolve_and_normalize(8 * width),
            layers.Flatten(_FORMAT),
            layers.Dense(1, **_initialized()),
        ],
        input_shape=shape,
        name="discriminator",
    )


def _image_shape(model: str, image_shape: Sequence[int]) -> tuple[int, int, int]:
    shape = arguments.image_shape(model, image_shape)
    if shape[0] % 16 or shape[1] % 16:
        raise ValueError(
            f"{model}: image_shape must have a height and a width that are multiples of 16, "
            f"got {tuple(image_shape)}"
        )
    return shape


def _initialized() -> dict[str, Any]:
    return {"kernel_initializer": RandomNormal(stddev=0.02)}


def _normalization() -> layers.Layer:
    return layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_EPSILON)
