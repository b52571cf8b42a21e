"""The section of a report with the scores of generated images."""

import html

from jaxlayers.runs.names import larger_is_better
from jaxlayers.runs.report_parts import breakable, number, scrollable, section, table
from jaxlayers.runs.scores import ScoreTable


def scores_section(scores: ScoreTable) -> str:
    """Returns the scores of generated images, and of real validation images, as HTML."""
    after = "" if scores.step is None else f" after step {scores.step:,}"
    facts = [f"{scores.samples:,} samples{after}, compared with {scores.real:,} real images"]
    if scores.validation:
        facts.append(f"{scores.validation:,} real validation images, scored in the same way")
    facts += [f"features: {scores.features}", "↑ larger is better", "↓ smaller is better"]
    note = f'<p class="note">{html.escape(" · ".join(facts))}</p>'
    has_real = bool(scores.validation_scores)
    rows = [
        (
            f"{breakable(name)} {'↑' if larger_is_better(name) else '↓'}",
            number(value),
            *([number(real_value)] if has_real else []),
        )
        for name, value, real_value in scores.rows()
    ]
    real = ["Real images"] if has_real else []
    tables = [scrollable("Scores of samples", table(("Score", "Samples", *real), rows))]
    if scores.class_fractions:
        real = ["Real images"] if scores.validation_class_fractions else []
        rows = [
            (
                f"<bdi>{html.escape(name)}</bdi>",
                f"{fraction:.1%}",
                *([f"{scores.validation_class_fractions.get(name, 0.0):.1%}"] if real else []),
            )
            for name, fraction in scores.class_fractions.items()
        ]
        tables.append(scrollable("Classes", table(("Predicted class", "Samples", *real), rows)))
    text = "\n".join(tables)
    return section("Scores of samples", f'{note}\n<div class="tables">\n{text}\n</div>', wide=True)
