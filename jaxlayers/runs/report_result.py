"""The result section of a report."""

import html
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlayers.metrics import precision, recall
from jaxlayers.runs.evaluation import Evaluation
from jaxlayers.runs.names import larger_is_better
from jaxlayers.runs.report_parts import breakable, number, scrollable, section, table


def result_section(
    config: Mapping[str, Any], metrics: Mapping[str, np.ndarray], evaluation: Evaluation | None
) -> str:
    """Returns the result section as HTML.

    Args:
        config: The content of `config.json`.
        metrics: Arrays of equal length by name, each with a finite value, including `step`.
        evaluation: The evaluation of a classifier.
    """
    facts = _scores(evaluation) | _duration(config, metrics)
    items = "\n".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items()
    )
    tables = "\n".join(filter(None, [_classes(evaluation), _metrics(metrics)]))
    content = [
        f'<dl class="facts">\n{items}\n</dl>' if facts else "",
        _environment(config),
        f'<div class="tables">\n{tables}\n</div>' if tables else "",
    ]
    text = "\n".join(filter(None, content))
    return section("Result", text or '<p class="note">No steps were logged.</p>', wide=True)


def steps_per_epoch(config: Mapping[str, Any]) -> int | None:
    """Returns the number of steps per epoch; `None` if it is not known."""
    examples, batch_size = _count(config, "examples"), _count(config, "batch_size")
    if examples is None or batch_size is None or examples < batch_size:
        return None
    return examples // batch_size


def _count(config: Mapping[str, Any], name: str) -> int | None:
    value = config.get(name)
    return value if type(value) is int and value > 0 else None


def _scores(evaluation: Evaluation | None) -> dict[str, str]:
    if evaluation is None:
        return {}
    return {
        "Accuracy": f"{evaluation.accuracy:.4f}",
        "Mean precision": f"{evaluation.precision:.4f}",
        "Mean recall": f"{evaluation.recall:.4f}",
        "Validation images": f"{evaluation.confusion.sum():,}",
    }


def _duration(config: Mapping[str, Any], metrics: Mapping[str, np.ndarray]) -> dict[str, str]:
    if "step" not in metrics:
        return {}
    steps = metrics["step"]
    last, total = int(steps[-1]), _count(config, "steps")
    facts = {"Steps": f"{last:,}" + (f" of {total:,}" if total and total > last else "")}
    per_epoch = steps_per_epoch(config)
    if per_epoch is not None:
        facts["Epochs"] = number(last / per_epoch, 3)
    seconds = metrics.get("seconds")
    if seconds is None:
        return facts
    facts["Time"] = _time(seconds[-1])
    batch_size = _count(config, "batch_size")
    # The first logged step includes compilation.
    passed = seconds[-1] - seconds[0]
    if batch_size and passed > 0:
        facts["Images per second"] = number((last - steps[0]) * batch_size / passed, 3)
    return facts


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{number(seconds, 2)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _environment(config: Mapping[str, Any]) -> str:
    found = config.get("environment")
    if not isinstance(found, Mapping):
        return ""
    names = {"jaxlayers": "jaxlayers", "jax": "JAX", "python": "Python"}
    parts = [f"{names[name]} {found[name]}" for name in names if name in found]
    if "device" in found:
        count = _count(found, "device_count") or 1
        parts.append(f"{found['device']}" + (f" × {count}" if count > 1 else ""))
    return f'<p class="note">{html.escape(" · ".join(parts))}</p>' if parts else ""


def _classes(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return ""
    matrix = evaluation.confusion
    predicted, images = matrix.sum(0), matrix.sum(1)
    rows = [
        (
            f"<bdi>{html.escape(name)}</bdi>",
            f"{p:.4f}" if predicted[label] else "–",
            f"{r:.4f}" if images[label] else "–",
            f"{images[label]:,}",
        )
        for label, (name, p, r) in enumerate(
            zip(evaluation.class_names, precision(matrix), recall(matrix), strict=True)
        )
    ]
    return scrollable("Classes", table(("Class", "Precision", "Recall", "Images"), rows))


def _metrics(metrics: Mapping[str, np.ndarray]) -> str:
    rows = []
    for name, column in metrics.items():
        if name in ("step", "seconds"):
            continue
        finite = np.flatnonzero(np.isfinite(column))
        values = column[finite]
        if name.endswith("learning_rate"):  # not a measure of quality
            rows.append((breakable(name), number(values[-1]), "–", "–"))
            continue
        best = values.argmax() if larger_is_better(name) else values.argmin()
        step = int(metrics["step"][finite[best]])
        rows.append((breakable(name), number(values[-1]), number(values[best]), f"{step:,}"))
    if not rows:
        return ""
    return scrollable("Metrics", table(("Metric", "Last", "Best", "At step"), rows))
