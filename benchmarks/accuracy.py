"""Accuracy of the classifiers on validation data, over several seeds."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import jax
import optax

from jaxlayers import data, train
from jaxlayers.models import cnn
from jaxlayers.train.augmentation import Augmentation, Flip, Shift

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Training:
    """A model and its training, with a cosine schedule to 0."""

    name: str
    source: str  # "mnist", "mnist-5k" or "images"
    model: str
    epochs: int
    optimizer: str
    learning_rate: float
    loss: str = "cross_entropy"
    augmentations: tuple[Augmentation, ...] = ()


TRAININGS = [
    Training("MNIST, one epoch", "mnist", "vgg", 1, "adam", 3e-3),
    Training("MNIST, shifted", "mnist", "vgg", 3, "adam", 3e-3, augmentations=(Shift(2),)),
    Training(
        "MNIST, squared error, plain gradient descent",
        "mnist",
        "lenet",
        3,
        "sgd",
        0.5,
        loss="squared_error",
    ),
    Training("mnist-5k, as the command trains it", "mnist-5k", "lenet", 20, "adam", 1e-3),
    Training(
        "a zip of photographs (8,000 and 2,000), shifted and flipped",
        "images",
        "vgg",
        10,
        "adam",
        3e-3,
        augmentations=(Shift(3), Flip()),
    ),
]
_BATCH = 64


def measure(training: Training, source: str) -> Iterator[tuple[float, float]]:
    """Yields the accuracy after the last step and the seconds, including compilation."""
    images, validation = _load(source)
    steps = len(images) // _BATCH * training.epochs
    make = getattr(optax, training.optimizer)
    task = train.Classifier(
        getattr(cnn, training.model)(images.image_shape),
        make(optax.cosine_decay_schedule(training.learning_rate, steps)),
        training.loss,
        augmentations=training.augmentations,
    )
    for seed in SEEDS:
        config = train.FitConfig(
            steps=steps, batch_size=_BATCH, seed=seed, log_every=500, evaluate_every=steps
        )
        start = time.perf_counter()
        result = train.fit(task, images, config)
        jax.block_until_ready(result.train_state)
        seconds = time.perf_counter() - start
        yield _accuracy(task, result.train_state, validation), seconds


@lru_cache(maxsize=1)
def _load(source: str) -> tuple[data.Dataset, data.Dataset]:
    return data.load_with_validation(source)


def _accuracy(task: train.Classifier, train_state: train.TrainState, validation: data.Dataset):
    evaluate, size = jax.jit(task.evaluate), 500
    hits = 0.0
    for start in range(0, len(validation), size):
        rows = slice(start, start + size)
        batch = validation.images[rows], validation.labels[rows]
        hits += float(evaluate(train_state, batch)["accuracy"].sum())
    return hits / len(validation)
