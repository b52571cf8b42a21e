"""The deep convolutional GAN for small images with class labels.

Reference:
    Radford et al., 2016, https://arxiv.org/abs/1511.06434; Miyato and Koyama, 2018,
    https://arxiv.org/abs/1802.05637
"""

from collections.abc import Sequence

from jaxlayers import _fields as fields
from jaxlayers import layers
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.functional import Functional
from jaxlayers.input_layer import Input
from jaxlayers.models import arguments, conditioning

_KERNEL = 5
# Not the configured data format, because image_shape is channels last.
_FORMAT = "channels_last"


def generator(
    image_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    latent_size: int = 100,
    width: int = 256,
    dropout: float = 0.4,
    logits: bool = False,
) -> Functional:
    """Returns the generator, from latent vectors and labels to images.

    It is that of `dcgan` with conditional batch normalization. The latent vector is multiplied by
    an embedding of the label.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4.
        classes: Number of classes.
        latent_size: Length of a latent vector.
        width: Number of channels of the first feature maps, a multiple of 8; each of the following
            three convolutions halves it.
        dropout: Rate of the dropout on the first feature maps.
        logits: Whether to omit the final sigmoid.

    Returns:
        A Functional from ([batch, latent_size], [batch]) to [batch, *image_shape], with values from
        0 to 1. The second input is the class of each image.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637; Dumoulin et al., 2017,
        https://arxiv.org/abs/1610.07629, for the conditional batch normalization.

    Example:
        >>> model = generator(classes=10)
        >>> model.input_shape, model.output_shape()
        (((100,), ()), (28, 28, 1))
    """
    height, columns, channels = arguments.image_shape("generator", image_shape)
    if height % 4 or columns % 4:
        raise ValueError(
            f"generator: image_shape must have a height and a width that are multiples of 4, "
            f"got {tuple(image_shape)}"
        )
    classes = arguments.positive("generator", "classes", classes)
    width = arguments.positive("generator", "width", width, multiple_of=8)
    latent_size = arguments.positive("generator", "latent_size", latent_size)
    dropout = arguments.rate("generator", dropout)
    logits = fields.Boolean().check("generator", "logits", logits)
    base = (height // 4, columns // 4, width)
    latent, label = Input((latent_size,), "latent"), Input((), "label", "int32")

    def normalized(x: SymbolicTensor, number: int) -> SymbolicTensor:
        x = conditioning.conditional_batch_normalization(
            x, label, classes, f"normalization{number}"
        )
        activated: SymbolicTensor = layers.Activation("relu")(x)
        return activated

    x = layers.Dense(base[0] * base[1] * base[2])(
        conditioning.labeled_latent(latent, label, classes)
    )
    x = normalized(layers.Reshape(base)(x), 1)
    x = layers.Dropout(dropout)(x)
    for number, (filters, enlarge) in enumerate(
        [(width // 2, True), (width // 4, True), (width // 8, False)], 2
    ):
        if enlarge:
            x = layers.UpSampling2D(data_format=_FORMAT)(x)
        x = layers.Conv2DTranspose(filters, _KERNEL, padding="same", data_format=_FORMAT)(x)
        x = normalized(x, number)
    x = layers.Conv2DTranspose(channels, _KERNEL, padding="same", data_format=_FORMAT)(x)
    image = layers.Activation("sigmoid")(x, name="image")
    model = Functional([latent, label], image, name="generator")
    return model.logits() if logits else model


def discriminator(
    image_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    width: int = 64,
    dropout: float = 0.4,
) -> Functional:
    """Returns the projection discriminator, from images and labels to logits.

    Its features are those of the discriminator of `dcgan`. The inner product of the features and an
    embedding of the label is added to the logit.

    Args:
        image_shape: (height, width, channels).
        classes: Number of classes.
        width: Number of filters of the first convolution; each of the following three doubles it.
        dropout: Rate of the dropout after each convolution.

    Returns:
        A Functional from ([batch, *image_shape], [batch]) to [batch, 1], the logit of the
        probability that the image is real and belongs to the class, which is the second input.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637

    Example:
        >>> model = discriminator(classes=10)
        >>> model.input_shape, model.output_shape()
        (((28, 28, 1), ()), (1,))
    """
    shape = arguments.image_shape("discriminator", image_shape)
    classes = arguments.positive("discriminator", "classes", classes)
    width = arguments.positive("discriminator", "width", width)
    dropout = arguments.rate("discriminator", dropout)
    image, label = Input(shape, "image"), Input((), "label", "int32")
    x = image
    for filters, strides in [(width, 2), (2 * width, 2), (4 * width, 2), (8 * width, 1)]:
        convolution = layers.Conv2D(filters, _KERNEL, strides, padding="same", data_format=_FORMAT)
        x = layers.LeakyReLU(0.2)(convolution(x))
        x = layers.Dropout(dropout)(x)
    features = layers.Flatten(_FORMAT)(x, name="features")
    logit = conditioning.projection_logit(features, label, classes)
    return Functional([image, label], logit, name="discriminator")
