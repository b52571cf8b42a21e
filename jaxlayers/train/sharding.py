"""Placement of arrays on the devices that are used for training."""

import math
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_AXIS = "data"


class Devices:
    """A mesh of devices; batches are sharded over it, and everything else is replicated.

    A step that is compiled for the mesh operates on the global batch. XLA inserts the communication
    between devices, so that batch normalization and losses are the same as on a single device.

    Args:
        count: Number of devices; `None` for all devices of all processes.
        batch_size: Number of images per step.

    Raises:
        ValueError: If there are fewer devices, or the batch cannot be divided evenly among them.
    """

    def __init__(self, count: int | None, batch_size: int) -> None:
        devices = jax.devices()
        count = len(devices) if count is None else count
        if count > len(devices):
            raise ValueError(
                f"fit: devices must be at most {len(devices)}, the number of devices, got {count}: "
                f"{', '.join(map(str, devices[:8]))}"
            )
        if jax.process_count() > 1 and count < len(devices):
            raise ValueError(
                f"fit: devices must be {len(devices)}, got {count}: with {jax.process_count()} "
                "processes all devices must be used"
            )
        if batch_size % count:
            raise ValueError(
                f"fit: devices: a batch of {batch_size} images cannot be divided evenly among "
                f"{count} devices; use a batch_size that is a multiple of {count}, or fewer "
                "devices"
            )
        self.count = count
        self._mesh = Mesh(np.array(devices[:count]), (_AXIS,))

    @property
    def replicated(self) -> NamedSharding:
        """The sharding of arrays that are replicated on all devices."""
        return NamedSharding(self._mesh, PartitionSpec())

    @property
    def batch_sharded(self) -> NamedSharding:
        """The sharding of arrays whose first axis is divided among the devices."""
        return NamedSharding(self._mesh, PartitionSpec(_AXIS))

    def place(self, tree: Any) -> Any:
        """Replicates arrays on all devices; every process passes the same arrays."""
        # Compiled, because device_put does not transfer random keys to devices of other processes.
        return jax.jit(lambda tree: tree, out_shardings=self.replicated)(tree)

    def place_batch(self, batch: Any) -> Any:
        """Shards a batch over the devices; each process passes its part of the batch."""
        return jax.tree.map(
            lambda rows: jax.make_array_from_process_local_data(self.batch_sharded, rows), batch
        )

    def shard_batch(self, batch: Any) -> Any:
        """Shards a batch over the devices; for use inside a compiled function."""
        if self.count == 1:
            return batch
        return jax.tree.map(
            lambda rows: lax.with_sharding_constraint(rows, self.batch_sharded), batch
        )

    def fits_in_memory(self, tree: Any) -> bool:
        """Returns whether arrays fit into a quarter of the memory of a device.

        Training requires the rest. On CPUs arrays always fit, because they are in memory already.
        """
        statistics = jax.local_devices()[0].memory_stats() or {}
        limit = statistics.get("bytes_limit", math.inf)
        size: int = sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
        return bool(size <= limit / 4)
