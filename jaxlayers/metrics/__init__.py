"""Metrics of trained models: the confusion matrix, precision and recall."""

from jaxlayers.metrics.confusion import confusion_matrix, precision, recall

__all__ = ["confusion_matrix", "precision", "recall"]
