"""Metrics of trained models: the confusion matrix, precision and recall; scores of samples."""

from jaxlayers.metrics.confusion import confusion_matrix, precision, recall
from jaxlayers.metrics.feature_statistics import FeatureStatistics
from jaxlayers.metrics.features import Features
from jaxlayers.metrics.frechet import frechet_distance
from jaxlayers.metrics.image_scores import ImageScores, ScoredImages
from jaxlayers.metrics.inception import inception_score
from jaxlayers.metrics.kernel import kernel_distance
from jaxlayers.metrics.modes import captured_modes, stacked_features
from jaxlayers.metrics.neighbors import density_coverage, precision_recall

__all__ = [
    "FeatureStatistics",
    "Features",
    "ImageScores",
    "ScoredImages",
    "captured_modes",
    "confusion_matrix",
    "density_coverage",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "precision",
    "precision_recall",
    "recall",
    "stacked_features",
]
