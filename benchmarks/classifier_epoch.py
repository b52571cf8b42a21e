"""An epoch of the classifier on as many images as MNIST, compared with Keras and PyTorch.

The network, optimizer, loss and batch size of 64 are the same in all three; images are in memory in
the best format for each library: uint8 here, floats in Keras and channels last in PyTorch.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

from collections.abc import Callable

import jax
import numpy as np
import optax

from benchmarks.loop import random_images
from jaxlayers import train
from jaxlayers.models import cnn
from jaxlayers.train.sharding import Devices
from jaxlayers.train.steps import OnDevice

_BATCH = 64


def _labels(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(10, size=count, dtype=np.int32)


def ours() -> Callable[[], object]:
    """Returns a function that trains for an epoch, as `train.fit` does between logged steps."""
    images = random_images()
    task = train.Classifier(cnn.lenet(), optax.adam(1e-3))
    devices = Devices(1, _BATCH)
    steps = OnDevice(task, (images, _labels(len(images))), _BATCH, devices)
    train_state = devices.place(task.init(jax.random.key(0)))
    jax.block_until_ready(steps.take(train_state, 0, 2))

    def run() -> None:
        result = steps.take(train_state, 0, len(images) // _BATCH)
        assert result.finite.all()

    return run


def keras() -> Callable[[], object]:
    """Returns a function that calls Keras's `fit` for an epoch."""
    import keras as library

    layers = library.layers
    model = library.Sequential([library.Input((28, 28, 1))])
    for filters in (32, 64):
        model.add(layers.Conv2D(filters, 5, padding="same"))
        model.add(layers.ReLU())
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(10))
    model.compile(
        optimizer=library.optimizers.Adam(1e-3),
        loss=library.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    images = random_images() / np.float32(255)
    labels = _labels(len(images))
    model.fit(images[: 2 * _BATCH], labels[: 2 * _BATCH], batch_size=_BATCH, verbose=0)
    return lambda: model.fit(images, labels, batch_size=_BATCH, verbose=0)


def torch() -> Callable[[], object]:
    """Returns a function that trains for an epoch in PyTorch."""
    import torch as library
    from torch import nn

    def convolve(inputs: int, filters: int) -> list[nn.Module]:
        return [
            nn.Conv2d(inputs, filters, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]

    model = nn.Sequential(
        *convolve(1, 32),
        *convolve(32, 64),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 128),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    ).to(memory_format=library.channels_last)
    optimizer = library.optim.Adam(model.parameters(), 1e-3)
    criterion = nn.CrossEntropyLoss()
    images = library.from_numpy(np.moveaxis(random_images(), -1, 1).copy())
    images = images.contiguous(memory_format=library.channels_last)
    labels = library.from_numpy(_labels(len(images)).astype(np.int64))

    def run() -> None:
        order = library.randperm(len(images))
        for start in range(0, len(images) - _BATCH + 1, _BATCH):
            rows = order[start : start + _BATCH]
            loss = criterion(model(images[rows].float() / 255), labels[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return run
