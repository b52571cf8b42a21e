"""The file of the results of compared runs, with one line per finished run."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from jaxlayers._files import write_atomically


@dataclass(frozen=True)
class Result:
    """The result of one run, or the scores of real images.

    Args:
        data: The data set.
        loss: The loss; None for real images.
        regularizer: The regularizer; None for real images.
        seed: The seed of the run.
        failed_at: The step after which a metric or parameter was NaN or infinite, if any.
        seconds_per_step: Median time of a step; None if there were too few steps to measure it.
        scores: Scores by name; those that are NaN or infinite are None.
    """

    data: str
    loss: str | None
    regularizer: str | None
    seed: int
    failed_at: int | None
    seconds_per_step: float | None
    scores: Mapping[str, float | None]

    @property
    def run(self) -> tuple[str, str | None, str | None, int]:
        """The identity of the run."""
        return self.data, self.loss, self.regularizer, self.seed


class Results:
    """The file of results in the folder of a comparison.

    Args:
        folder: The folder.
        settings: Values that all runs of a comparison have in common.

    Raises:
        ValueError: If the folder has results with other settings, or its files are damaged.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.path, self.settings = folder / "results.jsonl", dict(settings)
        self._settings_path = folder / "settings.json"
        if self._settings_path.exists():
            text = self._settings_path.read_text()
            self._check_settings(_read_object(self._settings_path, 1, text))
        self.finished = {result.run: result for result in self._read()}

    def open(self) -> None:
        """Creates the files, and removes an incomplete last line of a killed process."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _write(self._settings_path, json.dumps(self.settings, indent=2) + "\n")
        _write(self.path, "".join(map(_line, self.finished.values())))

    def append(self, result: Result) -> None:
        """Appends the result of a run."""
        with self.path.open("a") as file:
            file.write(_line(result))
        self.finished[result.run] = result

    def _check_settings(self, saved: Mapping[str, Any]) -> None:
        different = [
            f"{name} was {saved.get(name)} and is {value}"
            for name, value in self.settings.items()
            if saved.get(name) != value
        ]
        if different:
            raise ValueError(
                f"{self.path.parent}: has results with other settings, which cannot be compared: "
                f"{'; '.join(different)}. Use the same settings, or another folder"
            )

    def _read(self) -> Iterator[Result]:
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return
        names = {field.name for field in fields(Result)}
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            if not line.endswith("\n"):
                continue  # written by a process that was killed
            content = _read_object(self.path, number, line)
            if content.keys() != names or not isinstance(content["scores"], dict):
                raise ValueError(
                    f"{self.path}: line {number} must have {', '.join(sorted(names))}, "
                    f"got {', '.join(sorted(content))}"
                )
            yield Result(**content)


def _line(result: Result) -> str:
    return json.dumps(asdict(result), allow_nan=False) + "\n"


def _read_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: line {number} must be a JSON object, got {line.strip()[:80]!r}")
    return content


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as file:
        file.write(text.encode())
