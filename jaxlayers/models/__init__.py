"""Functions that return models, each a `Sequential` or a `Functional`."""

from jaxlayers.models import cnn, dcgan, mobilenet_v2, resnet, transfer, unet

__all__ = ["cnn", "dcgan", "mobilenet_v2", "resnet", "transfer", "unet"]
