"""`evaluation.json`: the results of a classifier on validation data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxlayers._files import write_atomically
from jaxlayers._text import short_repr
from jaxlayers.metrics import precision, recall


@dataclass(frozen=True)
class Mistake:
    """A misclassified image.

    Args:
        label: The true class.
        predicted: The predicted class.
        probability: The probability of the predicted class.
    """

    label: int
    predicted: int
    probability: float


@dataclass(frozen=True)
class FeatureMaps:
    """The feature maps of a layer.

    Args:
        layer: The name of the layer.
        shape: (height, width, channels).
        shown: Number of channels in the plot.
    """

    layer: str
    shape: tuple[int, ...]
    shown: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The results of a classifier on validation data.

    Args:
        step: The step after which it was evaluated.
        class_names: Names of the classes.
        confusion: The confusion matrix, [classes, classes]; rows are the true classes.
        mistakes: The plotted mistakes, in order of decreasing probability.
        saliency: The class of each image with a saliency plot.
        feature_maps: The plotted feature maps.

    Raises:
        ValueError: If the arguments are inconsistent.
    """

    step: int
    class_names: tuple[str, ...]
    confusion: np.ndarray
    mistakes: tuple[Mistake, ...] = ()
    saliency: tuple[int, ...] = ()
    feature_maps: tuple[FeatureMaps, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.class_names)
        if self.confusion.shape != (count, count):
            raise ValueError(
                f"confusion must be a {count} x {count} matrix, because there are {count} class "
                f"names, got shape {self.confusion.shape}"
            )
        if not count or (self.confusion < 0).any() or not self.confusion.any():
            raise ValueError("confusion must be counts of examples, at least one of them above 0")
        labels = [label for m in self.mistakes for label in (m.label, m.predicted)]
        for label in (*labels, *self.saliency):
            if not 0 <= label < count:
                raise ValueError(f"labels must be from 0 to {count - 1}, got {label}")

    @property
    def accuracy(self) -> float:
        """The fraction of examples that are classified correctly."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def precision(self) -> float:
        """The mean precision over the classes that occur in the data or the predictions."""
        return float(precision(self.confusion)[self._present].mean())

    @property
    def recall(self) -> float:
        """The mean recall over the classes that occur in the data or the predictions."""
        return float(recall(self.confusion)[self._present].mean())

    @property
    def _present(self) -> np.ndarray:
        examples: np.ndarray = self.confusion.sum(0) + self.confusion.sum(1)
        return examples > 0

    def write(self, path: Path) -> None:
        """Writes `evaluation.json`."""
        rows = zip(
            self.class_names,
            precision(self.confusion),
            recall(self.confusion),
            self.confusion.sum(1),
            strict=True,
        )
        content = {
            "step": self.step,
            "accuracy": self.accuracy,
            "precision": self.precision,
            "recall": self.recall,
            "classes": {
                name: {"precision": p, "recall": r, "images": int(n)} for name, p, r, n in rows
            },
            "class_names": self.class_names,
            "confusion": self.confusion.tolist(),
            "mistakes": [vars(mistake) for mistake in self.mistakes],
            "saliency": self.saliency,
            "feature_maps": [vars(maps) for maps in self.feature_maps],
        }
        with write_atomically(path) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())


def read_evaluation(path: Path) -> Evaluation | None:
    """Returns the evaluation in a file; `None` if the file does not exist.

    Raises:
        ValueError: If the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        return Evaluation(
            step=_integer(content["step"]),
            class_names=tuple(map(str, content["class_names"])),
            confusion=np.array(
                [list(map(_integer, row)) for row in content["confusion"]], np.int64
            ),
            mistakes=tuple(map(_mistake, content["mistakes"])),
            saliency=tuple(map(_integer, content["saliency"])),
            feature_maps=tuple(map(_feature_maps, content["feature_maps"])),
        )
    except KeyError as error:
        raise ValueError(
            f"{path}: is not an evaluation: {short_repr(error.args[0])} is missing"
        ) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: is not an evaluation: {error}") from error


def _mistake(row: Mapping[str, Any]) -> Mistake:
    return Mistake(_integer(row["label"]), _integer(row["predicted"]), float(row["probability"]))


def _feature_maps(row: Mapping[str, Any]) -> FeatureMaps:
    return FeatureMaps(
        str(row["layer"]), tuple(map(_integer, row["shape"])), _integer(row["shown"])
    )


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"must be an integer, got {short_repr(value)}")
    return value
