"""A GAN of residual networks, for square images.

Reference:
    Huang et al., 2024, https://arxiv.org/abs/2501.05441
"""

from collections.abc import Sequence
from typing import Any

from jaxlayers import layers
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.functional import Functional
from jaxlayers.input_layer import Input
from jaxlayers.models import arguments

# Height and width of the smallest feature maps.
_BASE = 4
# The number of channels doubles with each halving of the size, up to this multiple of the width.
_MOST = 8
# Moving statistics that do not follow single batches, for averaged params, as in `small_dcgan`.
_MOMENTUM = 0.99
# Not the configured data format, because image_shape is channels last.
_FORMAT = "channels_last"


def generator(
    image_shape: Sequence[int] = (32, 32, 3), latent_size: int = 128, width: int = 64
) -> Functional:
    """Returns the generator, from latent vectors to images.

    A fully connected layer gives feature maps of 4 x 4 pixels. Residual blocks of two 3 x 3
    convolutions follow, one for each size, with nearest upsampling and a 1 x 1 convolution between
    them. As in Gulrajani et al. and unlike in Huang et al., convolutions follow a batch
    normalization, and are not grouped.

    Args:
        image_shape: (height, width, channels); height and width are equal, and 4 times a power of
            2, such as 32 or 64.
        latent_size: Length of a latent vector.
        width: Number of channels of the largest feature maps; each smaller size has twice as many,
            up to 8 times the width.

    Returns:
        A Functional from [batch, latent_size] to [batch, *image_shape], with values from -1 to 1.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Huang et al., 2024, https://arxiv.org/abs/2501.05441; Gulrajani et al., 2017,
        https://arxiv.org/abs/1704.00028; Zhang et al., 2019, https://arxiv.org/abs/1901.09321, for
        the initialization, by which residual blocks are the identity at first.

    Example:
        >>> generator((64, 64, 3)).output_shape()
        (64, 64, 3)
    """
    extent, _, channels = _image_shape("generator", image_shape)
    latent_size = arguments.positive("generator", "latent_size", latent_size)
    width = arguments.positive("generator", "width", width)
    filters = _filters(extent, width)
    latent = Input((latent_size,), "latent")
    x = layers.Dense(_BASE * _BASE * filters[_BASE])(latent)
    x = layers.Reshape((_BASE, _BASE, filters[_BASE]))(x)
    for size in sorted(filters):
        if size > _BASE:
            # Convolving before the upsampling gives the same result at a quarter of the cost.
            x = _resized(x, filters[size], f"up{size}")
            x = layers.UpSampling2D(data_format=_FORMAT)(x, name=f"up{size}")
        x = _block(x, filters[size], f"block{size}", normalize=True)
    x = _activated(_normalized(x, "last"), "last")
    image = _convolution(channels, activation="tanh")(x, name="image")
    return Functional(latent, image, name="generator")


def discriminator(image_shape: Sequence[int] = (32, 32, 3), width: int = 64) -> Functional:
    """Returns the discriminator, from images to logits.

    A 3 x 3 convolution is followed by residual blocks of two 3 x 3 convolutions, one for each size
    down to 4 x 4 pixels, with average pooling and a 1 x 1 convolution between them. There is no
    normalization, so that gradient penalties, which are a function of each image, remain so.

    Args:
        image_shape: As in `generator`.
        width: Number of channels of the largest feature maps; each smaller size has twice as many,
            up to 8 times the width.

    Returns:
        A Functional from [batch, *image_shape] to [batch, 1], the logit of the probability that the
        image is real.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        As in `generator`.

    Example:
        >>> discriminator((64, 64, 3)).output_shape()
        (1,)
    """
    shape = _image_shape("discriminator", image_shape)
    width = arguments.positive("discriminator", "width", width)
    filters = _filters(shape[0], width)
    image = Input(shape, "image")
    x = _convolution(width)(image, name="first")
    for size in sorted(filters, reverse=True):
        if size < shape[0]:
            x = layers.AveragePooling2D(2, data_format=_FORMAT)(x, name=f"down{size}")
            x = _resized(x, filters[size], f"down{size}")
        x = _block(x, filters[size], f"block{size}", normalize=False)
    x = layers.Flatten(_FORMAT)(_activated(x, "last"), name="features")
    return Functional(image, layers.Dense(1)(x, name="logit"), name="discriminator")


def _image_shape(model: str, image_shape: Sequence[int]) -> tuple[int, int, int]:
    shape = arguments.image_shape(model, image_shape)
    height, width, _ = shape
    is_power = height % _BASE == 0 and (height // _BASE).bit_count() == 1
    if height != width or not is_power:
        raise ValueError(
            f"{model}: image_shape must have an equal height and width, {_BASE} times a power of 2 "
            f"such as 32 or 64, got {tuple(image_shape)}"
        )
    return shape


def _filters(size: int, width: int) -> dict[int, int]:
    """Returns the number of channels for each size of the feature maps."""
    halvings = (size // _BASE).bit_length()
    return {size >> number: width * min(2**number, _MOST) for number in range(halvings)}


def _block(x: SymbolicTensor, filters: int, name: str, *, normalize: bool) -> SymbolicTensor:
    """Returns the sum of the input and two convolutions of it."""
    residual = x
    for number in (1, 2):
        layer = f"{name}_{number}"
        residual = _activated(_normalized(residual, layer) if normalize else residual, layer)
        # The last convolution of a residual block is initialized to zero.
        convolution = _convolution(
            filters, kernel_initializer="zeros" if number == 2 else "he_normal"
        )
        residual = convolution(residual, name=f"{layer}_conv")
    added: SymbolicTensor = layers.Add()([x, residual], name=f"{name}_add")
    return added


def _convolution(filters: int, **options: Any) -> layers.Conv2D:
    return layers.Conv2D(filters, 3, padding="same", data_format=_FORMAT, **options)


def _resized(x: SymbolicTensor, filters: int, name: str) -> SymbolicTensor:
    """Returns feature maps with another number of channels, projected if it is not the same."""
    if x.shape[-1] == filters:
        return x
    projection = layers.Conv2D(filters, 1, data_format=_FORMAT, use_bias=False)
    projected: SymbolicTensor = projection(x, name=f"{name}_conv")
    return projected


def _normalized(x: SymbolicTensor, name: str) -> SymbolicTensor:
    normalization = layers.BatchNormalization(momentum=_MOMENTUM)
    normalized: SymbolicTensor = normalization(x, name=f"{name}_bn")
    return normalized


def _activated(x: SymbolicTensor, name: str) -> SymbolicTensor:
    activated: SymbolicTensor = layers.LeakyReLU(0.2)(x, name=f"{name}_act")
    return activated
