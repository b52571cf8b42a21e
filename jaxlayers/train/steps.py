"""Training steps in compiled calls, on data in device memory or streamed from the host."""

import collections
import itertools
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxlayers.train.nonfinite import are_finite
from jaxlayers.train.sharding import Devices
from jaxlayers.train.task import Metrics, Task, TrainState

# Folded into the key of the run to shuffle the data; no step has this number.
_SHUFFLE = 2**32 - 1


class StepResult(NamedTuple):
    """The result of one or more steps; its arrays may not have been computed yet."""

    train_state: TrainState
    metrics: Metrics  # of the last step
    finite: Array  # whether each array of `checked` is finite

    @property
    def checked(self) -> Any:
        """The arrays that must be finite."""
        return _checked(self.train_state, self.metrics)


def _result(train_state: TrainState, metrics: Metrics) -> StepResult:
    return StepResult(train_state, metrics, are_finite(_checked(train_state, metrics)))


def _checked(train_state: TrainState, metrics: Metrics) -> Any:
    return {"metrics": metrics, "params": train_state.params}


class Steps(Protocol):
    """Takes training steps."""

    def take(self, train_state: TrainState, step: int, count: int) -> StepResult:
        """Takes training steps without waiting for the result.

        `train_state` is not donated, because it is the last state known to be finite until the
        result has been checked. Fewer steps may be taken if a metric is not finite.

        Args:
            train_state: The state before the steps.
            step: Number of steps taken before.
            count: Number of steps to take.
        """
        ...

    def close(self) -> None:
        """Stops background threads."""
        ...


class OnDevice:
    """Takes steps on data that is stored and shuffled in device memory.

    A call is a loop with a dynamic number of steps. It is therefore compiled only once, and the
    results do not depend on how a run is divided into calls.

    Args:
        task: The task to train.
        data: Arrays of equal length, such as images, uint8 [N, height, width, channels].
        batch_size: Number of rows per step.
        devices: The devices to train on.
    """

    def __init__(self, task: Task, data: Any, batch_size: int, devices: Devices) -> None:
        self._data = devices.place(data)
        count = len(jax.tree.leaves(data)[0])
        # The jitted functions do not refer to self. Without that cycle, a compiled step is released
        # with the object and not by the garbage collector, which may run too late: a process that
        # calls `fit` often would reach the limit of memory mappings.
        self._per_epoch = per_epoch = count // batch_size
        self._order: tuple[int, Array] | None = None

        def order(key: Array, epoch: Array) -> Array:
            key = jax.random.fold_in(jax.random.fold_in(key, _SHUFFLE), epoch)
            return jax.random.permutation(key, count)

        def step(train_state: TrainState, order: Array, data: Any) -> tuple[TrainState, Metrics]:
            start = train_state.step % per_epoch * batch_size
            rows = lax.dynamic_slice(order, (start,), (batch_size,))
            batch = jax.tree.map(lambda array: array[rows], data)
            return task.step(train_state, devices.shard_batch(batch))

        def take(train_state: TrainState, order: Array, data: Any, count: Array) -> StepResult:
            def cond(carry: tuple[Array, TrainState, Metrics]) -> Array:
                steps_taken, _, metrics = carry
                return (steps_taken < count) & are_finite(metrics).all()

            def body(carry: tuple[Array, TrainState, Metrics]) -> tuple[Array, TrainState, Metrics]:
                steps_taken, train_state, _ = carry
                return steps_taken + 1, *step(train_state, order, data)

            shapes = jax.eval_shape(step, train_state, order, data)[1]
            zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
            carry = (jnp.zeros((), jnp.int32), train_state, zeros)
            _, train_state, metrics = lax.while_loop(cond, body, carry)
            return _result(train_state, metrics)

        self._shuffle = jax.jit(order, out_shardings=devices.replicated)
        self._take = jax.jit(take)

    def take(self, train_state: TrainState, step: int, count: int) -> StepResult:
        result: StepResult | None = None
        while count:
            epoch, position = divmod(step, self._per_epoch)
            # The order of the data changes only between calls.
            part = min(count, self._per_epoch - position)
            if self._order is None or self._order[0] != epoch:
                self._order = epoch, self._shuffle(train_state.key, np.uint32(epoch))
            result = self._take(train_state, self._order[1], self._data, np.int32(part))
            train_state, step, count = result.train_state, step + part, count - part
        assert result is not None
        return result

    def close(self) -> None:
        pass


class Streaming:
    """Takes steps on batches that are streamed from the host, one call per step.

    Args:
        task: The task to train.
        batches: A function from a step number to a generator of the batches from that step on.
        devices: The devices to train on.
    """

    def __init__(
        self, task: Task, batches: Callable[[int], Generator[Any]], devices: Devices
    ) -> None:
        self._batches, self._place = batches, devices.place_batch
        self._source: tuple[int, Generator[Any]] | None = None

        def take(train_state: TrainState, batch: Any) -> StepResult:
            return _result(*task.step(train_state, devices.shard_batch(batch)))

        self._take = jax.jit(take)

    def take(self, train_state: TrainState, step: int, count: int) -> StepResult:
        if self._source is None or self._source[0] != step:
            self.close()
            self._source = step, _prefetch(self._batches(step), self._place)
        source = self._source[1]
        result: StepResult | None = None
        for _ in range(count):
            result = self._take(train_state, next(source))
            train_state = result.train_state
        self._source = step + count, source
        assert result is not None
        return result

    def close(self) -> None:
        if self._source is not None:
            self._source[1].close()
            self._source = None


def _prefetch(
    batches: Generator[Any], place: Callable[[Any], Any], count: int = 2
) -> Generator[Any]:
    """Yields batches in device memory, transferring the next `count` batches ahead."""
    try:
        waiting = collections.deque(map(place, itertools.islice(batches, count)))
        for batch in batches:
            waiting.append(place(batch))
            yield waiting.popleft()
        yield from waiting
    finally:
        batches.close()
