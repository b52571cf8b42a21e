"""Functions that return models, each a `Sequential` or a `Functional`."""

from jaxlayers.models import (
    cnn,
    conditional_dcgan,
    dcgan,
    dcgan64,
    mobilenet_v2,
    residual_gan,
    resnet,
    transfer,
    unet,
)

__all__ = [
    "cnn",
    "conditional_dcgan",
    "dcgan",
    "dcgan64",
    "mobilenet_v2",
    "residual_gan",
    "resnet",
    "transfer",
    "unet",
]
