"""Markdown tables of the results of compared runs."""

import math
import statistics
from collections.abc import Collection, Sequence
from typing import NamedTuple

from experiments.comparison_results import Result, Results
from jaxlayers._files import write_atomically
from jaxlayers.runs.names import larger_is_better


def write_tables(results: Results) -> str:
    """Writes `table.md` to the folder of a comparison, and returns its content.

    Each data set has a section with a table of the first score by loss and regularizer, and a table
    of all scores.

    Args:
        results: The results.
    """
    settings = ", ".join(
        f"{name.replace('_', ' ')}: {value}" for name, value in results.settings.items()
    )
    finished = list(results.finished.values())
    text = f"# Comparison of losses and regularizers\n\n{settings}\n"
    for data in dict.fromkeys(result.data for result in finished):
        text += f"\n## {data}\n\n{first_score(finished, data)}\n{table(finished, data)}"
    with write_atomically(results.path.parent / "table.md") as file:
        file.write(text.encode())
    return text


def first_score(results: Sequence[Result], data: str) -> str:
    """Returns a Markdown table of the first score, a row per loss and a column per regularizer.

    The cells are those of `table`. The score of real images, if there is one, is in the header.

    Args:
        results: The results of any data sets.
        data: The data set.
    """
    real, runs, names = _grouped(results, data)
    if not names:
        return ""  # all runs failed
    name = names[0]
    values = {group: _values(members, name) for group, members in runs.items()}
    best = _best(name, values.values())
    of_real = f" (real images: {_cell(_values(real, name))})" if real else ""
    regularizers = list(dict.fromkeys(regularizer for _, regularizer in runs))
    rows = [[f"{_title(name)}{of_real}", *regularizers], ["---"] * (1 + len(regularizers))]
    for loss in dict.fromkeys(loss for loss, _ in runs):
        cells = [values.get((loss, regularizer)) for regularizer in regularizers]
        rows.append([loss, *("" if cell is None else _marked(cell, best) for cell in cells)])
    return _markdown(rows)


def table(results: Sequence[Result], data: str) -> str:
    """Returns a Markdown table of the results of one data set, a row per loss and regularizer.

    Each score is the mean over the seeds and, with several of them, the standard deviation. The
    best mean of each score is bold. Runs that failed have no scores; the last column tells how many
    did.

    Args:
        results: The results of any data sets.
        data: The data set.
    """
    real, runs, names = _grouped(results, data)
    cells = {
        group: {name: _values(members, name) for name in (*names, "seconds_per_step")}
        for group, members in runs.items()
    }
    best = {name: _best(name, [values[name] for values in cells.values()]) for name in names}
    headers = ["loss", "regularizer", *map(_title, names), "ms per step", "runs"]
    rows = [headers, ["---"] * len(headers)]
    if real:
        rows.append(["real images", "", *(_cell(_values(real, name)) for name in names), "", ""])
    for group, members in runs.items():
        row = [*group, *(_marked(cells[group][name], best[name]) for name in names)]
        row += [_cell([1000 * s for s in cells[group]["seconds_per_step"]]), _runs(members)]
        rows.append(row)
    return _markdown(rows)


class _Grouped(NamedTuple):
    """The results of one data set."""

    real: list[Result]  # the scores of real images
    runs: dict[tuple[str, str], list[Result]]  # by loss and regularizer
    scores: list[str]  # the names of all scores


def _grouped(results: Sequence[Result], data: str) -> _Grouped:
    of_data = [result for result in results if result.data == data]
    runs: dict[tuple[str, str], list[Result]] = {}
    for result in of_data:
        if result.loss is not None:
            runs.setdefault((result.loss, str(result.regularizer)), []).append(result)
    real = [result for result in of_data if result.loss is None]
    return _Grouped(real, runs, list(dict.fromkeys(n for r in of_data for n in r.scores)))


def _title(name: str) -> str:
    return name.removeprefix("classifier_").replace("_", " ").replace("frechet", "Fréchet")


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _values(results: Sequence[Result], name: str) -> list[float]:
    values = (
        result.seconds_per_step if name == "seconds_per_step" else result.scores.get(name)
        for result in results
    )
    return [value for value in values if value is not None]


def _best(name: str, columns: Collection[Sequence[float]]) -> float | None:
    """Returns the best mean of a score."""
    means = [statistics.fmean(values) for values in columns if values]
    choose = max if larger_is_better(name) else min
    return choose(means, default=None)


def _marked(values: Sequence[float], best: float | None) -> str:
    """Returns a cell, bold if its mean is the best one."""
    is_best = bool(values) and statistics.fmean(values) == best
    return f"**{_cell(values)}**" if is_best else _cell(values)


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
