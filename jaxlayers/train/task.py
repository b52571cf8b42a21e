"""The contract of a task: what `fit` trains."""

from typing import Any, NamedTuple, Protocol

from jax import Array

Metrics = dict[str, Array]


class TrainState(NamedTuple):
    """All that changes in training: a pytree, and all that a run needs to go on.

    A task with several models keeps a dictionary by model in `params`, `state` and `opt_state`.
    """

    params: Any  # what the optimizers change
    state: Any  # what the layers carry: moving statistics
    opt_state: Any  # what the optimizers carry
    step: Array  # int32, steps taken so far
    key: Array  # random key of the run; each step folds its number in


class Task(Protocol):
    """Something that can be trained: a GAN, a classifier.

    A task may also have

    - `rows(data)`, the arrays that batches are cut from, of what `fit` was given as data; without
      it they are the images of a `Dataset`, or the data itself,
    - `sample(train_state, key, n)`, of which `fit` makes pictures,
    - `evaluate(train_state, batch)`, an array [batch] by name, of which `fit` logs the means over
      held-out data,
    - `to_keep(train_state)`, the params that a trained model is kept with.
    """

    def init(self, key: Array) -> TrainState:
        """Returns the state before the first step."""
        ...

    def step(self, train_state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        """Returns the state after one more step, and scalars that describe the step; pure."""
        ...
