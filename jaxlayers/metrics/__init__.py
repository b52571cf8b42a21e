"""Measures of models: which classes are confused."""

from jaxlayers.metrics.confusion import confusion_matrix, precision, recall

__all__ = ["confusion_matrix", "precision", "recall"]
