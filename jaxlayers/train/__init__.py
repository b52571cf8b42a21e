"""Training: tasks, which are pure, and the loop that runs them."""

from jaxlayers.train.gan import GAN
from jaxlayers.train.loop import FitConfig, Fitted, fit
from jaxlayers.train.optimizers import constrained, inverse_time_decay, rmsprop
from jaxlayers.train.run_folder import RunFolder
from jaxlayers.train.task import Task, TrainState

__all__ = [
    "GAN",
    "FitConfig",
    "Fitted",
    "RunFolder",
    "Task",
    "TrainState",
    "constrained",
    "fit",
    "inverse_time_decay",
    "rmsprop",
]
