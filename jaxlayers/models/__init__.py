"""Functions that return models, each a `Sequential`."""

from jaxlayers.models import cnn, dcgan

__all__ = ["cnn", "dcgan"]
