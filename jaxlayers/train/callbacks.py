"""Functions that `fit` calls with the metrics of a step, and that may end the training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jaxlayers import _fields as fields
from jaxlayers.runs.names import larger_is_better
from jaxlayers.train.task import TrainState


class Callback(Protocol):
    """Any function of this signature: `fit` calls it whenever metrics are logged.

    With several processes it is called in each of them.
    """

    def __call__(
        self, step: int, metrics: Mapping[str, float], train_state: TrainState
    ) -> bool | None:
        """Looks at a step.

        Args:
            step: how many steps have been taken.
            metrics: of that step, with `val_` before the name of those of validation data.
            train_state: the state after that step.

        Returns:
            True to end the training after this step.
        """
        ...


class EarlyStopping:
    """Ends the training when a metric has stopped improving; Keras's `EarlyStopping`.

    A run that is resumed stops where it would have stopped without the interruption.

    Args:
        monitor: name of a metric, such as `val_loss`. Smaller is better, but larger for names
            with `accuracy`, `precision`, `recall` or `auc` in them.
        patience: after how many values in a row that are no better than the best one before
            them the training ends; 0 is 1, as in Keras.
        restore_best: whether `fit` returns, and saves, the state at the best value rather than
            the last one.
        min_delta: by how much a value must be better than the best to count as such.

    Raises:
        ValueError: an argument of another kind.

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
        """Begins anew, after a run whose logged metrics are `rows`."""
        self._best, self._waited = math.inf, 0
        for row in rows:
            self(0, row, None)

    def __call__(self, step: int, metrics: Mapping[str, float], train_state: Any) -> bool:
        """Takes the metrics of a step, and returns `stopped`."""
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
        """Whether the metric has not improved for as long as the patience lasts."""
        return self._waited >= max(self.patience, 1)

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience}, "
            f"restore_best={self.restore_best}, min_delta={self.min_delta})"
        )
