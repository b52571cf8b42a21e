"""A DCGAN with few operations for small images, with or without class labels.

Reference:
    Radford et al., 2016, https://arxiv.org/abs/1511.06434; Miyato and Koyama, 2018,
    https://arxiv.org/abs/1802.05637; Karras et al., 2019, https://arxiv.org/abs/1812.04948, for the
    mapping network
"""

from collections.abc import Sequence

from jaxlayers import layers
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.functional import Functional
from jaxlayers.input_layer import Input
from jaxlayers.models import arguments, conditioning

_KERNEL = 5
# Units of each fully connected layer of the mapping network.
_MAPPING_UNITS = 256
# The averaged params of the generator need statistics that do not follow single batches: with a
# momentum of 0.9, the Fréchet distance of samples on MNIST was 6.1, with those of a batch 5.3.
_MOMENTUM = 0.99
# Not the configured data format, because image_shape is channels last.
_FORMAT = "channels_last"


def generator(
    image_shape: Sequence[int] = (28, 28, 1),
    classes: int | None = None,
    latent_size: int = 100,
    width: int = 64,
    mapping_layers: int = 6,
) -> Functional:
    """Returns the generator, from latent vectors to images.

    A mapping network of fully connected layers with batch normalization and LeakyReLU comes first:
    it lets the density of the features differ from that of the latent vectors, so that fewer
    samples lie between the classes. A fully connected layer and two convolutions, each after an
    upsampling, have batch normalization and ReLU; the last convolution gives the image. With
    classes, the latent vector is multiplied by an embedding of the label, and the batch
    normalization is conditional.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4.
        classes: Number of classes; `None` for a generator without labels.
        latent_size: Length of a latent vector.
        width: Number of channels of the first feature maps, a multiple of 4; each of the following
            two convolutions halves it.
        mapping_layers: Number of layers of the mapping network, of 256 units each; 0 for none. With
            more layers, samples are clearer and less diverse.

    Returns:
        A Functional from [batch, latent_size], with classes from ([batch, latent_size], [batch]),
        to [batch, *image_shape], with values from 0 to 1. The second input is the class of each
        image.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637; Dumoulin et al., 2017,
        https://arxiv.org/abs/1610.07629, for the conditional batch normalization; Karras et al.,
        2019, https://arxiv.org/abs/1812.04948, for the mapping network.

    Example:
        >>> generator().output_shape()
        (28, 28, 1)
        >>> generator(classes=10).input_shape
        ((100,), ())
    """
    height, columns, channels = arguments.image_shape("generator", image_shape)
    if height % 4 or columns % 4:
        raise ValueError(
            f"generator: image_shape must have a height and a width that are multiples of 4, "
            f"got {tuple(image_shape)}"
        )
    width = arguments.positive("generator", "width", width, multiple_of=4)
    latent_size = arguments.positive("generator", "latent_size", latent_size)
    mapping_layers = arguments.not_negative("generator", "mapping_layers", mapping_layers)
    latent = Input((latent_size,), "latent")
    label = _label("generator", classes)

    def normalized(x: SymbolicTensor, name: str) -> SymbolicTensor:
        if label is None or classes is None:
            y: SymbolicTensor = layers.BatchNormalization(momentum=_MOMENTUM)(x, name=name)
            return y
        return conditioning.conditional_batch_normalization(x, label, classes, name, _MOMENTUM)

    x = latent
    if label is not None and classes is not None:
        x = conditioning.labeled_latent(latent, label, classes)
    for number in range(1, mapping_layers + 1):
        x = layers.Dense(_MAPPING_UNITS, use_bias=False)(x, name=f"mapping{number}")
        x = layers.LeakyReLU(0.2)(normalized(x, f"mapping{number}_normalization"))
    base = (height // 4, columns // 4, width)
    x = layers.Dense(base[0] * base[1] * base[2], use_bias=False)(x)
    x = layers.Activation("relu")(normalized(layers.Reshape(base)(x), "normalization1"))
    for number, filters in enumerate((width // 2, width // 4), 2):
        x = layers.UpSampling2D(data_format=_FORMAT)(x)
        convolution = layers.Conv2D(
            filters, _KERNEL, padding="same", data_format=_FORMAT, use_bias=False
        )
        x = layers.Activation("relu")(normalized(convolution(x), f"normalization{number}"))
    x = layers.Conv2D(channels, 3, padding="same", data_format=_FORMAT)(x)
    image = layers.Activation("sigmoid")(x, name="image")
    return Functional(latent if label is None else [latent, label], image, name="generator")


def discriminator(
    image_shape: Sequence[int] = (28, 28, 1), classes: int | None = None, width: int = 16
) -> Functional:
    """Returns the discriminator, from images to logits; with classes, a projection discriminator.

    Its convolutions are those of the discriminator of `dcgan`, without dropout. With classes, the
    inner product of the features and an embedding of the label is added to the logit.

    Args:
        image_shape: (height, width, channels).
        classes: Number of classes; `None` for a discriminator without labels.
        width: Number of filters of the first convolution; each of the following three doubles it.

    Returns:
        A Functional from [batch, *image_shape], with classes from ([batch, *image_shape], [batch]),
        to [batch, 1], the logit of the probability that the image is real and belongs to the class,
        which is the second input.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637

    Example:
        >>> discriminator().output_shape()
        (1,)
        >>> discriminator(classes=10).input_shape
        ((28, 28, 1), ())
    """
    shape = arguments.image_shape("discriminator", image_shape)
    width = arguments.positive("discriminator", "width", width)
    image = Input(shape, "image")
    label = _label("discriminator", classes)
    x = image
    for filters, strides in [(width, 2), (2 * width, 2), (4 * width, 2), (8 * width, 1)]:
        convolution = layers.Conv2D(filters, _KERNEL, strides, padding="same", data_format=_FORMAT)
        x = layers.LeakyReLU(0.2)(convolution(x))
    features = layers.Flatten(_FORMAT)(x, name="features")
    if label is None or classes is None:
        logit = layers.Dense(1)(features, name="logit")
    else:
        logit = conditioning.projection_logit(features, label, classes)
    return Functional(image if label is None else [image, label], logit, name="discriminator")


def _label(model: str, classes: int | None) -> SymbolicTensor | None:
    """Returns the input for labels; `None` without classes."""
    if classes is None:
        return None
    arguments.positive(model, "classes", classes)
    return Input((), "label", "int32")
