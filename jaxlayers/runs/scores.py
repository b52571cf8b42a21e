"""`scores.json`: the scores of generated images, and those of real ones."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jaxlayers._files import write_atomically
from jaxlayers._text import short_repr


@dataclass(frozen=True)
class ScoreTable:
    """Scores of generated images, and the same scores of real images that were not trained on.

    Args:
        features: The name of the features.
        samples: Number of generated images.
        scores: Their scores by name.
        real: Number of real images in the statistics that all others are compared with.
        validation: Number of real images with scores; 0 if there are none.
        validation_scores: Their scores by name.
        step: The step after which the images were generated; None if it is not known.
        class_fractions: The fraction of generated images of each class, by class name.
        validation_class_fractions: Likewise for the real images.
    """

    features: str
    samples: int
    scores: Mapping[str, float]
    real: int
    validation: int = 0
    validation_scores: Mapping[str, float] = field(default_factory=dict)
    step: int | None = None
    class_fractions: Mapping[str, float] = field(default_factory=dict)
    validation_class_fractions: Mapping[str, float] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, float, float]]:
        """Returns the name of each score, and its values for generated and for real images.

        Missing values are NaN.
        """
        names = dict.fromkeys([*self.scores, *self.validation_scores])
        missing = float("nan")
        return [
            (name, self.scores.get(name, missing), self.validation_scores.get(name, missing))
            for name in names
        ]

    def write(self, path: Path) -> None:
        """Writes a JSON file."""
        with write_atomically(path) as file:
            file.write((json.dumps(asdict(self), indent=2) + "\n").encode())


def read_scores(path: Path) -> ScoreTable | None:
    """Returns the scores in a file; `None` if the file does not exist.

    Raises:
        ValueError: If the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        step = content["step"]
        return ScoreTable(
            features=str(content["features"]),
            samples=_count(content["samples"]),
            scores=_numbers(content["scores"]),
            real=_count(content["real"]),
            validation=_count(content["validation"]),
            validation_scores=_numbers(content["validation_scores"]),
            step=None if step is None else _count(step),
            class_fractions=_numbers(content["class_fractions"]),
            validation_class_fractions=_numbers(content["validation_class_fractions"]),
        )
    except KeyError as error:
        raise ValueError(
            f"{path}: does not contain scores: {short_repr(error.args[0])} is missing"
        ) from None
    except (AttributeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: does not contain scores: {error}") from error


def _numbers(value: Any) -> dict[str, float]:
    return {str(name): float(number) for name, number in value.items()}


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected an integer that is not negative, got {short_repr(value)}")
    return value
