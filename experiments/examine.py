"""The evaluation of a trained classifier, from `jaxlayers.runs.classifier_report`."""

from jaxlayers.runs.classifier_report import predict
from jaxlayers.runs.classifier_report import write_classifier_report as examine

__all__ = ["examine", "predict"]
