"""Conversion of the data passed to `fit` into the batches of training steps."""

import zlib
from collections.abc import Generator
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from jaxlayers.data import Dataset, Streamed, batches
from jaxlayers.train.config import FitConfig
from jaxlayers.train.sharding import Devices
from jaxlayers.train.steps import OnDevice, Steps, Streaming
from jaxlayers.train.task import HasRows, Task


def rows_of(task: Any, data: Any) -> Any:
    """Returns the arrays that batches are sliced from, or the data itself if it is streamed."""
    if isinstance(task, HasRows):
        return task.rows(data)
    return data.images if isinstance(data, Dataset) else data


def count_of(data: Any) -> int:
    """Returns the number of examples of arrays of equal length, or of streamed data."""
    return len(data) if isinstance(data, Streams) else len(jax.tree.leaves(data)[0])


@runtime_checkable
class Streams(Protocol):
    """The interface of streamed data, such as `data.Streamed`."""

    def __len__(self) -> int:
        """Returns the number of examples."""
        ...

    def batches(
        self, batch_size: int, *, seed: int, start: int, process_index: int, process_count: int
    ) -> Generator[Any]:
        """Yields shuffled batches indefinitely; see `data.Streamed.batches`."""
        ...


def steps_on(task: Task, data: Any, config: FitConfig, devices: Devices) -> Steps:
    """Returns the `Steps` for the data, depending on its type and size.

    Arrays are kept in device memory if they fit; larger ones are streamed from the host.
    """
    batch_size, seed = config.batch_size, config.seed
    index, count = jax.process_index(), jax.process_count()
    if isinstance(data, Streams):

        def stream(start: int) -> Generator[Any]:
            return data.batches(
                batch_size, seed=seed, start=start, process_index=index, process_count=count
            )

        stream(0).close()  # checks the arguments
        return Streaming(task, stream, devices)
    batches(data, batch_size, seed=seed)  # checks the arguments
    if devices.fits_in_memory(data):
        return OnDevice(task, data, batch_size, devices)
    size = batch_size // count
    part = slice(index * size, (index + 1) * size)

    def slices(start: int) -> Generator[Any]:
        for batch in batches(data, batch_size, seed=seed, start=start):
            yield jax.tree.map(lambda rows: rows[part], batch)

    return Streaming(task, slices, devices)


def identity(config: FitConfig, data: Any) -> dict[str, Any]:
    """Returns everything except the task that determines the results, as JSON values."""
    fixed: dict[str, Any] = {"seed": config.seed, "batch_size": config.batch_size}
    if isinstance(data, Streams):
        streamed = data.identity if isinstance(data, Streamed) else f"{len(data)} examples"
        return fixed | {"data": f"streamed: {streamed}"}
    return fixed | {
        "data": [
            f"{array.dtype}{list(array.shape)} {zlib.crc32(np.ascontiguousarray(array).data):08x}"
            for array in jax.tree.leaves(data)
        ]
    }


def first_batch(data: Any, batch_size: int) -> Any:
    """Returns the shapes and dtypes of one batch; `None` if they are not known."""
    if isinstance(data, Streamed):
        return jax.ShapeDtypeStruct((batch_size, *data.image_shape), np.uint8)
    if isinstance(data, Streams):
        return None
    return jax.tree.map(
        lambda array: jax.ShapeDtypeStruct((batch_size, *array.shape[1:]), array.dtype), data
    )
