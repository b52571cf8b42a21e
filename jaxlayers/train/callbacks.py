"""Callbacks, which `fit` calls with the logged metrics and which can end the training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jaxlayers import _fields as fields
from jaxlayers.runs.names import larger_is_better
from jaxlayers.train.task import TrainState


class Callback(Protocol):
    """The signature of callbacks, which `fit` calls whenever metrics are logged.

    If there are several processes, callbacks are called in each of them.
    """

    def __call__(
        self, step: int, metrics: Mapping[str, float], train_state: TrainState
    ) -> bool | None:
        """Handles the metrics of a step.

        Args:
            step: The number of steps taken.
            metrics: Metrics of that step; those of validation data have the prefix `val_`.
            train_state: The state after that step.

        Returns:
            True to end the training after this step.
        """
        ...


class EarlyStopping:
    """Ends the training when a metric has stopped improving; Keras's `EarlyStopping`.

    A resumed run stops at the same step as an uninterrupted one.

    Args:
        monitor: Name of a metric, such as `val_loss`. Smaller is better, except for names that
            contain `accuracy`, `precision`, `recall`, `auc`, `f1`, `density`, `coverage`, `score`,
            `confidence`, `class_entropy` or `smallest_class` and end in neither `loss` nor
            `distance`.
        patience: Number of consecutive values without improvement after which the training ends; 0
            is equivalent to 1, as in Keras.
        restore_best: Whether `fit` returns and saves the state with the best value, instead of the
            last state.
        min_delta: Minimum change that counts as an improvement.

    Raises:
        ValueError: If an argument has the wrong type or is out of range.

    Example:
        >>> stop = EarlyStopping("val_loss", patience=2)
        >>> [stop(step, {"val_loss": loss}, None) for step, loss in enumerate([2.0, 3.0, 4.0])]
        [False, False, True]
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        restore_best: bool = False,
        *,
        min_delta: float = 0.0,
    ) -> None:
        self.monitor = fields.Text().check("EarlyStopping", "monitor", monitor)
        self.patience = fields.Integer(at_least=0).check("EarlyStopping", "patience", patience)
        self.restore_best = fields.Boolean().check("EarlyStopping", "restore_best", restore_best)
        self.min_delta = fields.Number(at_least=0).check("EarlyStopping", "min_delta", min_delta)
        self.reset(())

    def reset(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Resets the state to the state after the logged metrics `rows`."""
        self._best, self._waited = math.inf, 0
        for row in rows:
            self(0, row, None)

    def __call__(self, step: int, metrics: Mapping[str, float], train_state: Any) -> bool:
        """Updates the state with the metrics of a step and returns `stopped`."""
        if self.monitor in metrics:
            value = metrics[self.monitor]
            loss = -value if larger_is_better(self.monitor) else value
            if loss < self._best - self.min_delta:
                self._best, self._waited = loss, 0
            else:
                self._waited += 1
        return self.stopped

    @property
    def stopped(self) -> bool:
        """Whether the last `patience` values have not improved."""
        return self._waited >= max(self.patience, 1)

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience}, "
            f"restore_best={self.restore_best}, min_delta={self.min_delta})"
        )
