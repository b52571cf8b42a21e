"""The report of a run: results, curves, samples and configuration in one HTML file."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from jaxlayers._files import write_atomically
from jaxlayers._text import short_repr
from jaxlayers.runs.evaluation import Evaluation, read_evaluation
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.names import VALIDATION, score_group
from jaxlayers.runs.plots import needs_log_axis
from jaxlayers.runs.report_classifier import confusion_section, picture_sections
from jaxlayers.runs.report_parts import breakable, data_uri, figure, section
from jaxlayers.runs.report_result import result_section, steps_per_epoch
from jaxlayers.runs.report_scores import scores_section
from jaxlayers.runs.scores import ScoreTable, read_scores

_MAX_POINTS = 2000
_MAX_SAMPLES = 200
# The metrics of each chart, by the suffix of their names.
_CHARTS = {"Losses": "loss", "Learning rate": "learning_rate"}
_OTHER = "Other metrics"
# Nesting levels of the configuration with separate rows.
_MAX_DEPTH = 10


def report(folder: RunFolder) -> None:
    """Writes `report.html` from the other files in the folder of a run.

    Raises:
        FileNotFoundError: If it is not the folder of a run.
        ValueError: If a file is damaged.
    """
    metrics, summaries = folder.metrics(), folder.model().get("summaries")
    evaluation = read_evaluation(folder.path / "evaluation.json")
    if evaluation is not None and evaluation.step != max(metrics.get("step", [0])):
        evaluation = None  # of an earlier step, before the run was resumed
    scores = read_scores(folder.path / "scores.json")
    write_report(
        folder.path / "report.html",
        title=folder.path.resolve().name,
        config=folder.config(),
        summaries=summaries if isinstance(summaries, dict) else {},
        metrics=metrics,
        samples=folder.samples(),
        pictures=folder.pictures(),
        evaluation=evaluation,
        scores=scores,
    )


def write_report(
    path: Path,
    *,
    title: str,
    config: Mapping[str, Any],
    summaries: Mapping[str, str],
    metrics: Mapping[str, np.ndarray],
    samples: Mapping[int, Path],
    pictures: Mapping[str, Path] | None = None,
    evaluation: Evaluation | None = None,
    scores: ScoreTable | None = None,
) -> None:
    """Writes the report as a self-contained HTML file.

    The file is written atomically. It shows at most 2000 logged steps and 200 grids of samples,
    evenly spaced and including the first and the last, and notes if some are omitted. Text from the
    arguments is escaped.

    Args:
        path: Path of the file; its folder must exist.
        title: The heading, such as the name of the run.
        config: The configuration; nested mappings become rows with dotted names. The result section
            shows `steps`, `batch_size`, `examples` and `environment`.
        summaries: The summary of each model by name.
        metrics: Arrays of equal length by name, including `step` and `seconds`. Values that are not
            finite are gaps in a curve; arrays without finite values are omitted.
        samples: The PNG files of samples by step, in any order.
        pictures: Other PNG files by caption, in order.
        evaluation: The evaluation of a classifier; its plots must be in the folder `pictures` next
            to the file.
        scores: Scores of generated images.

    Raises:
        OSError: If an image cannot be read, or the file cannot be written.
        ValueError: If the arrays of metrics differ in length, or `step` is missing.
    """
    metrics = _checked(metrics)
    pictures = dict(pictures or {})
    confusion = plot_sections = ""
    if evaluation is not None:
        # The matrix is an HTML table instead, which supports class names in any script.
        pictures.pop("confusion", None)
        kernels = pictures.pop("first kernels", None)
        confusion = confusion_section(evaluation)
        plot_sections = picture_sections(evaluation, path.parent / "pictures", kernels)
    shown = {name: value for name, value in config.items() if name != "environment"}
    parts = {
        "title": html.escape(title),
        "result": result_section(config, metrics, evaluation),
        "samples_hidden": "" if samples else " hidden",
        "scores": "" if scores is None else scores_section(scores),
        "matrix": confusion,
        "plots": plot_sections,
        "pictures": _pictures(pictures),
        "models": _models(summaries),
        "config": "\n".join(_config_row(*row) for row in _flatten(shown)),
        "data": _json({**_curves(metrics, steps_per_epoch(config)), **_samples(samples)}),
    }
    template = resources.files("jaxlayers.runs").joinpath("report_page.html").read_text("utf-8")
    # In one pass, so that text that looks like a placeholder is not replaced.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)
    with write_atomically(path) as file:
        # File names can contain bytes that are not text, which are replaced by question marks.
        file.write(page.encode("utf-8", "replace"))


def _checked(metrics: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Checks metrics and returns the arrays that have finite values."""
    lengths = {name: len(column) for name, column in metrics.items()}
    if len(set(lengths.values())) > 1 or (lengths and "step" not in lengths):
        raise ValueError(
            f"metrics: must be arrays of equal length, including step, got lengths {lengths}"
        )
    columns = {}
    for name, column in metrics.items():
        try:
            columns[name] = np.asarray(column, float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"metrics: {short_repr(name)} must be numbers ({error})") from None
    return {name: column for name, column in columns.items() if np.isfinite(column).any()}


def _config_row(name: str, value: str) -> str:
    return f'<tr><th scope="row">{breakable(name)}</th><td>{html.escape(value)}</td></tr>'


def _flatten(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yields the dotted name and the text of each value; an empty mapping is a value."""
    for name, value in config.items():
        if isinstance(value, Mapping) and value and above.count(".") < _MAX_DEPTH:
            yield from _flatten(value, f"{above}{name}.")
        elif isinstance(value, str | Path):
            yield f"{above}{name}", str(value)
        else:
            yield f"{above}{name}", json.dumps(value, default=str, ensure_ascii=False)


def _models(summaries: Mapping[str, str]) -> str:
    if not summaries:
        return ""
    return section("Models", "\n".join(_summary(*item) for item in summaries.items()))


def _summary(name: str, table: str) -> str:
    name, table = html.escape(name), html.escape(str(table))
    return (
        f"<details open><summary>{name}</summary>"
        # HTML ignores the first line break after <pre>, so an additional one preserves the table.
        f'<pre tabindex="0" role="region" aria-label="{name}">\n{table}</pre></details>'
    )


def _pictures(pictures: Mapping[str, Path]) -> str:
    if not pictures:
        return ""
    figures = "\n".join(figure(path, html.escape(name), "card") for name, path in pictures.items())
    return section("Pictures", f'<div class="pictures">\n{figures}\n</div>', wide=True)


def _curves(metrics: Mapping[str, np.ndarray], per_epoch: int | None) -> dict[str, Any]:
    """Returns the data of the charts."""
    steps = metrics.get("step", np.empty(0))
    shown = _evenly_spaced(len(steps), _MAX_POINTS)
    charts: dict[str, list[dict[str, Any]]] = {label: [] for label in (*_CHARTS, _OTHER)}
    for name, column in metrics.items():
        if name in ("step", "seconds") or not shown:
            continue
        # Validation metrics and scores keep their last value and are not smoothed.
        group = score_group(name)
        filled = name.startswith(VALIDATION) or group is not None
        values = (_forward_filled(column) if filled else column)[shown]
        ends = (label for label, end in _CHARTS.items() if name.endswith(end))
        charts.setdefault(group or next(ends, _OTHER), []).append(
            {"name": name, "values": [_number(value) for value in values], "filled": filled}
        )
    return {
        "logged": len(steps),
        "steps": [int(steps[index]) for index in shown],
        "stepsPerEpoch": per_epoch,
        "charts": [
            {"label": label, "series": series, "log": _needs_log_axis(series)}
            for label, series in charts.items()
            if series
        ],
    }


def _needs_log_axis(series: list[dict[str, Any]]) -> bool:
    values = [value for line in series for value in line["values"] if value is not None]
    return needs_log_axis(np.array(values, float))


def _forward_filled(values: np.ndarray) -> np.ndarray:
    """Replaces values that are not finite by the last finite one before them."""
    known = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), -1))
    return np.where(known >= 0, values[known], np.nan)


def _samples(samples: Mapping[int, Path]) -> dict[str, Any]:
    """Returns the samples as pairs of a step and a data: URI."""
    steps = sorted(samples)
    shown = [steps[index] for index in _evenly_spaced(len(steps), _MAX_SAMPLES)]
    return {
        "sampleCount": len(steps),
        "samples": [[int(step), data_uri(samples[step])] for step in shown],
    }


def _evenly_spaced(count: int, limit: int) -> list[int]:
    """Returns at most `limit` of `count` indices, evenly spaced, including the first and last."""
    if count <= limit:
        return list(range(count))
    return [index * (count - 1) // (limit - 1) for index in range(limit)]


def _number(value: float) -> float | None:
    """Rounds to six digits; `None` for NaN and infinity, which JSON does not support."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _json(value: Mapping[str, Any]) -> str:
    """Returns JSON that is safe inside a script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
