"""The interface of tasks, which `fit` trains."""

import difflib
import inspect
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jax import Array

from jaxlayers.layer import Layer, Params, State

Metrics = dict[str, Array]


class TrainState(NamedTuple):
    """The training state, a pytree with everything that is needed to resume a run.

    A task with several models has a dictionary with one entry per model in `params`, `state` and
    `opt_state`.
    """

    params: Any  # trainable weights
    state: Any  # non-trainable weights, such as moving statistics
    opt_state: Any  # state of the optimizers
    step: Array  # number of steps taken, int32
    key: Array  # random key of the run; each step folds in its number


class Task(Protocol):
    """The interface of a task, such as a GAN or a classifier.

    Optional methods are those of `HasRows`, `Samples`, `Evaluates`, `Combines` and `HasModels`;
    `check_task` checks their signatures. To support the argument `initial` of `fit`, `init` must
    also accept `params` and `state`.
    """

    def init(self, key: Array) -> TrainState:
        """Returns the state before the first step.

        Args:
            key: A JAX random key.
        """
        ...

    def step(self, train_state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        """Takes one training step; must be a pure function.

        Args:
            train_state: The state returned by `init` or the previous step.
            batch: A slice of the data.

        Returns:
            The new state, and the metrics, scalars by name.
        """
        ...


@runtime_checkable
class HasRows(Protocol):
    """A task that checks and converts the data passed to `fit`.

    Without this method, batches are sliced from the images of a `Dataset` or from the data itself.
    """

    def rows(self, data: Any) -> Any:
        """Returns the arrays from which batches are sliced.

        Args:
            data: The argument `data` of `fit`.

        Returns:
            A pytree of arrays of equal length, or streamed data.
        """
        ...


@runtime_checkable
class Samples(Protocol):
    """A task that generates images."""

    def sample(self, train_state: TrainState, key: Array, n: int) -> Array:
        """Returns generated images.

        Args:
            train_state: The state.
            key: A JAX random key.
            n: Number of images.

        Returns:
            [n, height, width, channels], with values from 0 to 1.
        """
        ...


@runtime_checkable
class SamplesByClass(Protocol):
    """A task that generates images of given classes."""

    classes: int | None  # number of classes; None if the images have no classes

    def sample(self, train_state: TrainState, key: Array, n: int, labels: Any = None) -> Array:
        """Returns generated images.

        Args:
            train_state: The state.
            key: A JAX random key.
            n: Number of images.
            labels: The class of each image, integers [n].

        Returns:
            [n, height, width, channels], with values from 0 to 1.
        """
        ...


@runtime_checkable
class Evaluates(Protocol):
    """A task that can be evaluated on validation data."""

    def evaluate(self, train_state: TrainState, data: Any) -> Metrics:
        """Returns the means of metrics over data.

        Args:
            train_state: The state.
            data: The data; `fit` passes one batch at a time, inside `jit`.

        Returns:
            Scalars by name.
        """
        ...


@runtime_checkable
class Combines(Protocol):
    """A task that combines metrics of several batches other than by their weighted mean."""

    def combine(self, metrics: Metrics, rows: Any) -> Metrics:
        """Returns the metrics over several batches, scalars by name.

        Args:
            metrics: Metrics of each batch, arrays [batches] by name.
            rows: Number of rows of each batch, [batches].
        """
        ...


@runtime_checkable
class HasModels(Protocol):
    """A task whose trained models can be saved."""

    def models(self, train_state: TrainState) -> dict[str, tuple[Layer, Params, State]]:
        """Returns the trained models.

        Args:
            train_state: The state.

        Returns:
            A dictionary from the name of each model to the model, its params and its state. The
            main model is the first.
        """
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
    """Checks that an object is a task.

    Args:
        task: An object with `init` and `step`, and possibly the optional methods.
        where: Name of the caller, for the error message.

    Raises:
        TypeError: If a method is missing, does not accept its arguments, or has a misspelled name,
            such as `evalute`.
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
    except ValueError:  # a builtin without a signature
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise TypeError(
            f"{where}: {owner}.{name} must be called as {expected}, got {name}{signature}"
        ) from None


def _described(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"
