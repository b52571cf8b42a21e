"""A run as one web page: what was asked for, the curves, and the samples through time."""

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from jaxlayers.runs.names import VALIDATION
from jaxlayers.runs.folder import RunFolder

_MOST_POINTS = 2000
_MOST_PICTURES = 200


def report(folder: RunFolder) -> None:
    """Writes `report.html` of all that is in the folder of a run."""
    write_report(
        folder.path / "report.html",
        title=folder.path.resolve().name,
        config=folder.config(),
        summaries=folder.model().get("summaries", {}),
        metrics=folder.metrics(),
        samples=folder.samples(),
        pictures=folder.pictures(),
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
) -> None:
    """Writes a page that needs no network and no other file.

    The page appears under its name only when it is whole. Of a long run it shows at most 2000 log
    steps and 200 pictures, evenly spread, the first and the last always among them; it says so
    where it leaves some out. A spike between two log steps that are shown is not seen.

    Args:
        path: where to; its folder must exist.
        title: heading of the page, such as the name of the run.
        config: what is shown as the configuration; nested mappings as rows with dotted names.
        summaries: the table of each model, by the name of the model.
        metrics: `step` and columns of its length; those whose names end in `loss` have a chart of
            their own, and `seconds` is left out. What is not finite is a gap in its curve.
        samples: the PNG file of the samples after each of some steps, in any order.
        pictures: other PNG files by what is written above them, in the order in which they are
            shown.

    Raises:
        OSError: a picture cannot be read, or the page not written.
        ValueError: columns of different lengths, or some without `step`.
    """
    template = resources.files("jaxlayers.runs").joinpath("report_page.html").read_text("utf-8")
    parts = {
        "title": html.escape(title),
        "config": "\n".join(_config_row(*row) for row in _flatten(config)),
        "pictures": _shown(pictures or {}),
        # A model that has other pictures has no samples to miss.
        "samples_hidden": " hidden" if pictures and not samples else "",
        "summaries": "\n".join(_summary(*item) for item in summaries.items()),
        "data": _json({**_curves(metrics), **_pictures(samples)}),
    }
    # All at once, so that a text that looks like a place for another is left as it is.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)
    temporary = path.with_suffix(".tmp.html")
    # A name of a file can hold bytes that are no text; they become question marks.
    temporary.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    temporary.replace(path)


def _config_row(name: str, value: str) -> str:
    # A narrow screen breaks a long name after a dot or an underscore, if there is one.
    name = re.sub(r"([._])", r"\1<wbr>", html.escape(name))
    return f'<tr><th scope="row">{name}</th><td>{html.escape(value)}</td></tr>'


def _summary(name: str, table: str) -> str:
    name, table = html.escape(name), html.escape(table)
    return (
        f"<details open><summary>{name}</summary>"
        # A line break after <pre> does not count, so that one of the table's own is kept.
        f'<pre tabindex="0" role="region" aria-label="{name}">\n{table}</pre></details>'
    )


def _shown(pictures: Mapping[str, Path]) -> str:
    if not pictures:
        return ""
    figures = "\n".join(
        f"<figure><figcaption>{html.escape(name)}</figcaption>"
        f'<img alt="{html.escape(name)}" src="{_uri(path)}"></figure>'
        for name, path in pictures.items()
    )
    return (
        '<section class="wide" aria-labelledby="pictures-title">\n'
        f'<h2 id="pictures-title">Pictures</h2>\n<div class="pictures">\n{figures}\n</div>\n'
        "</section>"
    )


def _flatten(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yields the dotted name and the text of each value; an empty mapping is a value."""
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{above}{name}.")
        elif isinstance(value, str | Path):
            yield f"{above}{name}", str(value)
        else:
            yield f"{above}{name}", json.dumps(value, default=str, ensure_ascii=False)


def _curves(metrics: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns what the page's script draws charts from."""
    lengths = {name: len(column) for name, column in metrics.items()}
    if len(set(lengths.values())) > 1 or (lengths and "step" not in lengths):
        raise ValueError(f"metrics: must be step and columns of its length, got lengths {lengths}")
    steps = metrics.get("step", np.empty(0))
    shown = _spread(len(steps), _MOST_POINTS)
    charts: dict[str, list[dict[str, Any]]] = {"Losses": [], "Other metrics": []}
    for name, column in metrics.items():
        if name not in ("step", "seconds") and shown:
            values = np.asarray(column, float)
            # Known of a few steps: the same until the next of them, and not for smoothing.
            held = name.startswith(VALIDATION)
            values = (_held(values) if held else values)[shown]
            charts["Losses" if name.endswith("loss") else "Other metrics"].append(
                {
                    "name": name.replace("_", " "),
                    "values": [_number(value) for value in values],
                    "held": held,
                }
            )
    return {
        "logged": len(steps),
        "steps": [int(steps[index]) for index in shown],
        "charts": [
            {"label": label, "series": series} for label, series in charts.items() if series
        ],
    }


def _held(values: np.ndarray) -> np.ndarray:
    """Returns values with the last finite one before each in the place of those that are not."""
    known = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), -1))
    return np.where(known >= 0, values[known], np.nan)


def _pictures(samples: Mapping[int, Path]) -> dict[str, Any]:
    """Returns what the page's script shows samples from: pairs of a step and a data: URI."""
    steps = sorted(samples)
    shown = [steps[index] for index in _spread(len(steps), _MOST_PICTURES)]
    return {"pictured": len(steps), "samples": [[int(step), _uri(samples[step])] for step in shown]}


def _spread(count: int, limit: int) -> list[int]:
    """Returns at most `limit` of `count` indices, evenly spread, with the first and the last."""
    if count <= limit:
        return list(range(count))
    return [index * (count - 1) // (limit - 1) for index in range(limit)]


def _number(value: float) -> float | None:
    """Returns six digits of a number, or None if it is not finite, which JSON cannot say."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _uri(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def _json(value: Mapping[str, Any]) -> str:
    """Returns JSON that cannot end the script element it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
