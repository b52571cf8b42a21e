"""The contract of a task: what `fit` trains."""

import difflib
import inspect
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jax import Array

from jaxlayers.layer import Layer, Params, State

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

    Optional methods are those of `HasRows`, `Samples`, `Evaluates`, `Combines` and `HasModels`;
    `check_task` refuses those that do not fit. To start from given params, `init` also takes
    `params` and `state`.
    """

    def init(self, key: Array) -> TrainState:
        """Returns the state before the first step."""
        ...

    def step(self, train_state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        """Returns the state after one more step, and scalars that describe the step; pure."""
        ...


@runtime_checkable
class HasRows(Protocol):
    """A task that checks what `fit` is given as data.

    Without it batches are cut from the images of a `Dataset`, or from the data itself.
    """

    def rows(self, data: Any) -> Any:
        """Returns the arrays of one length that batches are cut from."""
        ...


@runtime_checkable
class Samples(Protocol):
    """A task of which `fit` makes pictures."""

    def sample(self, train_state: TrainState, key: Array, n: int) -> Array:
        """Returns `n` images, [n, height, width, channels], values from 0 to 1."""
        ...


@runtime_checkable
class Evaluates(Protocol):
    """A task that `fit` evaluates on validation data."""

    def evaluate(self, train_state: TrainState, data: Any) -> Metrics:
        """Returns means over the data, scalars by name; in `jit` over a single batch."""
        ...


@runtime_checkable
class Combines(Protocol):
    """A task whose metrics of several batches are not all combined by their weighted mean."""

    def combine(self, metrics: Metrics, rows: Any) -> Metrics:
        """Returns the metrics over several batches, scalars by name.

        Args:
            metrics: of each batch, arrays [batches] by name.
            rows: how many rows each batch has, [batches].
        """
        ...


@runtime_checkable
class HasModels(Protocol):
    """A task that says what a trained model is kept with."""

    def models(self, train_state: TrainState) -> dict[str, tuple[Layer, Params, State]]:
        """Returns each model with its params and its state by name, the main one first."""
        ...


_REQUIRED = {"init": ("key",), "step": ("train_state", "batch")}
_OPTIONAL = {
    "rows": ("data",),
    "sample": ("train_state", "key", "n"),
    "evaluate": ("train_state", "data"),
    "combine": ("metrics", "rows"),
    "models": ("train_state",),
}


def check_task(task: Any, where: str = "fit") -> None:
    """Refuses what is no task.

    Args:
        task: what should have `init` and `step`, and may have the optional methods.
        where: who asks, for the error.

    Raises:
        TypeError: a method that is missing, that does not take its arguments, or whose name is
            nearly that of one that is missing, such as `evalute`.
    """
    if inspect.isclass(task) or not (hasattr(task, "init") and hasattr(task, "step")):
        got = f"the class {task.__name__}" if inspect.isclass(task) else _described(task)
        raise TypeError(
            f"{where}: task must have init(key) and step(train_state, batch), such as GAN(...) or "
            f"Classifier(...), got {got}"
        )
    owner = type(task).__name__
    for name, arguments in (_REQUIRED | _OPTIONAL).items():
        if name in _REQUIRED or hasattr(task, name):
            _check_method(task, name, arguments, where)
    missing = [name for name in _OPTIONAL if not hasattr(task, name)]
    for name in dir(type(task)):
        if name.startswith("_") or not inspect.isroutine(inspect.getattr_static(task, name)):
            continue
        near = difflib.get_close_matches(name, missing, n=1, cutoff=0.8)
        if near and name not in _REQUIRED | _OPTIONAL:
            (right,) = near
            raise TypeError(
                f"{where}: {owner} has a method {name}, which is not used; "
                f"did you mean {right}({', '.join(_OPTIONAL[right])})? If not, rename it"
            )


def _check_method(task: Any, name: str, arguments: tuple[str, ...], where: str) -> None:
    method, expected = getattr(task, name), f"{name}({', '.join(arguments)})"
    owner = type(task).__name__
    if not callable(method):
        raise TypeError(
            f"{where}: {owner}.{name} must be a method {expected}, got {_described(method)}"
        )
    try:
        signature = inspect.signature(method)
    except ValueError:  # something written in C
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise TypeError(
            f"{where}: {owner}.{name} must be called as {expected}, got {name}{signature}"
        ) from None


def _described(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"
