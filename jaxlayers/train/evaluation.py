"""What a task says of examples that it is not trained on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers.runs.names import VALIDATION
from jaxlayers.train.sharding import Devices
from jaxlayers.train.task import Metrics, TrainState


class Evaluation:
    """The means of `task.evaluate` over held-out examples.

    Args:
        task: what has `evaluate(train_state, batch)`, which returns an array [batch] by name.
        data: arrays of one length.
        batch_size: rows at a time.
        devices: which evaluate.
    """

    def __init__(self, task: Any, data: Any, batch_size: int, devices: Devices) -> None:
        count = len(jax.tree.leaves(data)[0])
        if not count:
            raise ValueError("fit: validation_data has no examples")
        batches = -(-count // batch_size)
        # All batches have one length; what fills up the last one counts nothing.
        rows = np.arange(batches * batch_size)
        counted = (rows < count).astype(np.float32)
        self._batches = [
            jax.tree.map(lambda array, part=part: array[part % count], data)
            for part in np.split(rows, batches)
        ]
        self._counted = np.split(counted, batches)
        self._devices = devices

        def add(sums: Any, train_state: TrainState, batch: Any, counted: Array) -> Metrics:
            values = task.evaluate(train_state, devices.shard_batch(batch))
            new = jax.tree.map(lambda value: (value * counted).sum() / count, values)
            return new if sums is None else jax.tree.map(jnp.add, sums, new)

        self._add = jax.jit(add)

    def means(self, train_state: TrainState) -> Metrics:
        """Returns the means by name, with `VALIDATION` before each; nothing is waited for."""
        sums = None
        for batch, counted in zip(self._batches, self._counted, strict=True):
            sums = self._add(sums, train_state, *self._devices.place((batch, counted)))
        return {VALIDATION + name: value for name, value in (sums or {}).items()}
