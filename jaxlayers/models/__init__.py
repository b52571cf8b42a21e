"""Functions that return models, each a `Sequential` or a `Functional`."""

from jaxlayers.models import (
    cnn,
    dcgan,
    dcgan64,
    mobilenet_v2,
    residual_gan,
    resnet,
    small_dcgan,
    transfer,
    unet,
)

__all__ = [
    "cnn",
    "dcgan",
    "dcgan64",
    "mobilenet_v2",
    "residual_gan",
    "resnet",
    "small_dcgan",
    "transfer",
    "unet",
]
