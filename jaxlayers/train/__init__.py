"""Training: pure tasks, and the function `fit` that trains them."""

from jaxlayers.layers.mixed_precision import InBfloat16
from jaxlayers.runs.checkpoint import CheckpointError
from jaxlayers.train import augmentation, gan_losses, gan_regularizers
from jaxlayers.train.callbacks import Callback, EarlyStopping
from jaxlayers.train.classifier import Classifier
from jaxlayers.train.classifier_features import classifier_features
from jaxlayers.train.config import FitConfig
from jaxlayers.train.fit import FitResult, fit
from jaxlayers.train.gan import GAN
from jaxlayers.train.gan_augmentation import AdaptiveProbability
from jaxlayers.train.nonfinite import NotFiniteError
from jaxlayers.train.optimizers import constrained, frozen, inverse_time_decay, rmsprop
from jaxlayers.train.sample_scores import SampleScores
from jaxlayers.train.supervised import Supervised
from jaxlayers.train.task import Task, TrainState

__all__ = [
    "GAN",
    "AdaptiveProbability",
    "Callback",
    "CheckpointError",
    "Classifier",
    "EarlyStopping",
    "FitConfig",
    "FitResult",
    "InBfloat16",
    "NotFiniteError",
    "SampleScores",
    "Supervised",
    "Task",
    "TrainState",
    "augmentation",
    "classifier_features",
    "constrained",
    "fit",
    "frozen",
    "gan_losses",
    "gan_regularizers",
    "inverse_time_decay",
    "rmsprop",
]
