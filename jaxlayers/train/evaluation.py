"""Evaluation on validation data during training."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlayers.runs.names import VALIDATION
from jaxlayers.train._one_model import weighted_mean
from jaxlayers.train.sharding import Devices
from jaxlayers.train.task import Combines, Metrics, TrainState


class Evaluation:
    """Evaluates a task on validation data, batch by batch.

    Args:
        task: A task whose `evaluate(train_state, batch)` returns scalars by name, or arrays
            [batch], which are averaged. The metrics of the batches are combined by `task.combine`
            if it is defined, otherwise by their mean weighted by the number of rows.
        data: Arrays of equal length.
        batch_size: Number of rows per batch; the last batch may have fewer.
        devices: The devices to evaluate on.
    """

    def __init__(self, task: Any, data: Any, batch_size: int, devices: Devices) -> None:
        count = len(jax.tree.leaves(data)[0])
        if not count:
            raise ValueError("fit: validation_data must have at least one example, got none")
        slices = [slice(start, start + batch_size) for start in range(0, count, batch_size)]
        self._batches = [
            jax.tree.map(lambda array, rows=rows: array[rows], data) for rows in slices
        ]
        rows = np.array([len(jax.tree.leaves(batch)[0]) for batch in self._batches])
        self._devices = devices

        def evaluate(train_state: TrainState, batch: Any) -> Metrics:
            if len(jax.tree.leaves(batch)[0]) % devices.count == 0:
                batch = devices.shard_batch(batch)
            metrics: Metrics = task.evaluate(train_state, batch)
            return {name: jnp.mean(values) for name, values in metrics.items()}

        def combine(parts: list[Metrics]) -> Metrics:
            metrics = jax.tree.map(lambda *values: jnp.stack(values), *parts)
            if isinstance(task, Combines):
                return task.combine(metrics, rows)
            return {name: weighted_mean(values, rows) for name, values in metrics.items()}

        self._evaluate = jax.jit(evaluate)
        self._combine = jax.jit(combine)

    def means(self, train_state: TrainState) -> Metrics:
        """Returns the metrics by name, with the prefix `VALIDATION`, without waiting for them."""
        parts = [self._evaluate(train_state, self._devices.place(batch)) for batch in self._batches]
        return {VALIDATION + name: value for name, value in self._combine(parts).items()}
