"""The results of compared runs: a file with one line per finished run, and a table of them."""

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from jaxlayers._files import write_atomically
from jaxlayers.runs.names import larger_is_better


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

    def write_table(self) -> str:
        """Writes `table.md`, a section for each data set, and returns its content."""
        settings = ", ".join(
            f"{name.replace('_', ' ')}: {value}" for name, value in self.settings.items()
        )
        results = list(self.finished.values())
        text = f"# Comparison of losses and regularizers\n\n{settings}\n"
        for data in dict.fromkeys(result.data for result in results):
            text += f"\n## {data}\n\n{table(results, data)}"
        _write(self.path.parent / "table.md", text)
        return text

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


def table(results: Sequence[Result], data: str) -> str:
    """Returns a Markdown table of the results of one data set, a row per loss and regularizer.

    Each score is the mean over the seeds and, with several of them, the standard deviation. The
    best mean of each score is bold. Runs that failed have no scores; the last column tells how many
    did.

    Args:
        results: The results of any data sets.
        data: The data set.
    """
    of_data = [result for result in results if result.data == data]
    runs = [result for result in of_data if result.loss is not None]
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in runs:
        groups.setdefault((str(result.loss), str(result.regularizer)), []).append(result)
    names = list(dict.fromkeys(name for result in of_data for name in result.scores))
    cells = {
        group: {name: _values(members, name) for name in (*names, "seconds_per_step")}
        for group, members in groups.items()
    }
    best = {name: _best(name, [values[name] for values in cells.values()]) for name in names}
    scores = [name.removeprefix("classifier_").replace("_", " ") for name in names]
    headers = ["loss", "regularizer", *scores, "ms per step", "runs"]
    lines = [headers, ["---"] * len(headers)]
    real = [result for result in of_data if result.loss is None]
    if real:
        lines.append(["real images", "", *(_cell(_values(real, name)) for name in names), "", ""])
    for group, members in groups.items():
        row = list(group)
        for name in names:
            values = cells[group][name]
            is_best = bool(values) and statistics.fmean(values) == best[name]
            row.append(f"**{_cell(values)}**" if is_best else _cell(values))
        row += [_cell([1000 * s for s in cells[group]["seconds_per_step"]]), _runs(members)]
        lines.append(row)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _values(results: Sequence[Result], name: str) -> list[float]:
    values = (
        result.seconds_per_step if name == "seconds_per_step" else result.scores.get(name)
        for result in results
    )
    return [value for value in values if value is not None]


def _best(name: str, columns: Sequence[Sequence[float]]) -> float | None:
    """Returns the best mean of a score."""
    means = [statistics.fmean(values) for values in columns if values]
    choose = max if larger_is_better(name) else min
    return choose(means, default=None)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = _rounded(statistics.fmean(values))
    return f"{mean} ± {_rounded(statistics.stdev(values))}" if len(values) > 1 else mean


def _rounded(value: float) -> str:
    """Returns a number with three digits, without an exponent."""
    if not value:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 5)}f}"


def _runs(results: Sequence[Result]) -> str:
    failed = [str(result.failed_at) for result in results if result.failed_at is not None]
    if not failed:
        return str(len(results))
    return f"{len(results)}, not finite after step {', '.join(failed)}"


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
