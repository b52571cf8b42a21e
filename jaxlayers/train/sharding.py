"""Which devices train, and how arrays lie on them."""

import math
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_AXIS = "data"


class Devices:
    """A mesh of devices that share each batch; all else is the same on every one of them.

    Compiled for the mesh a step sees the whole batch: XLA inserts what the devices have to tell
    each other, so that batch normalization and losses are those of a single device.

    Args:
        count: how many devices; all of them, on all machines, where `None`.
        batch_size: images a step.

    Raises:
        ValueError: more devices than there are, or a batch that they cannot share evenly.
    """

    def __init__(self, count: int | None, batch_size: int) -> None:
        devices = jax.devices()
        count = len(devices) if count is None else count
        if count > len(devices):
            raise ValueError(
                f"fit: devices must be at most {len(devices)}, as many as there are, got {count}: "
                f"{', '.join(map(str, devices[:8]))}"
            )
        if jax.process_count() > 1 and count < len(devices):
            raise ValueError(
                f"fit: devices must be {len(devices)}, got {count}: with {jax.process_count()} "
                "processes all devices must take part"
            )
        if batch_size % count:
            raise ValueError(
                f"fit: devices: a batch of {batch_size} images cannot be shared evenly by {count} "
                f"devices; give a batch_size that is a multiple of {count}, or fewer devices"
            )
        self.count = count
        self._mesh = Mesh(np.array(devices[:count]), (_AXIS,))

    @property
    def replicated(self) -> NamedSharding:
        """How arrays lie that every device has whole."""
        return NamedSharding(self._mesh, PartitionSpec())

    @property
    def batch_sharded(self) -> NamedSharding:
        """How arrays lie whose first axis the devices share."""
        return NamedSharding(self._mesh, PartitionSpec(_AXIS))

    def place(self, tree: Any) -> Any:
        """Puts arrays that every process has onto every device."""
        # Compiled, because device_put takes no random keys to devices of other processes.
        return jax.jit(lambda tree: tree, out_shardings=self.replicated)(tree)

    def place_batch(self, batch: Any) -> Any:
        """Puts a batch onto the devices, of which each process has its share."""
        return jax.tree.map(
            lambda rows: jax.make_array_from_process_local_data(self.batch_sharded, rows), batch
        )

    def shard_batch(self, batch: Any) -> Any:
        """Has the devices share a batch; inside of a compiled function."""
        if self.count == 1:
            return batch
        return jax.tree.map(
            lambda rows: lax.with_sharding_constraint(rows, self.batch_sharded), batch
        )

    def fits_in_memory(self, tree: Any) -> bool:
        """Whether arrays fit into a quarter of a device's memory, beside what training takes.

        CPUs hold whatever is in memory already.
        """
        statistics = jax.local_devices()[0].memory_stats() or {}
        limit = statistics.get("bytes_limit", math.inf)
        size: int = sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
        return bool(size <= limit / 4)
