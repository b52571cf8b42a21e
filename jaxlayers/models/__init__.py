"""Models, as functions that return a Sequential."""

from jaxlayers.models import cnn, dcgan

__all__ = ["cnn", "dcgan"]
