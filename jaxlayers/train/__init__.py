"""Training: tasks, which are pure, and the loop that runs them."""

from jaxlayers.precision import InBfloat16
from jaxlayers.train import augmentation
from jaxlayers.train.checkpoint import CheckpointError
from jaxlayers.train.classifier import Classifier
from jaxlayers.train.finite import NotFiniteError
from jaxlayers.train.fit_config import FitConfig
from jaxlayers.train.gan import GAN
from jaxlayers.train.loop import Fitted, fit
from jaxlayers.train.optimizers import constrained, inverse_time_decay, rmsprop
from jaxlayers.train.run_folder import RunFolder
from jaxlayers.train.task import Task, TrainState

__all__ = [
    "GAN",
    "CheckpointError",
    "Classifier",
    "FitConfig",
    "Fitted",
    "InBfloat16",
    "NotFiniteError",
    "RunFolder",
    "Task",
    "TrainState",
    "augmentation",
    "constrained",
    "fit",
    "inverse_time_decay",
    "rmsprop",
]
