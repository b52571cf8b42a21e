"""Models, as functions that return a Sequential."""

from jaxlayers.models import dcgan

__all__ = ["dcgan"]
