"""HTML elements shared by the sections of a report."""

import base64
import html
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_ids = str.maketrans(" ", "-")


def section(title: str, content: str, *, wide: bool = False) -> str:
    """Returns an HTML section; `title` is plain text, `content` is HTML."""
    name = f"{title.lower().translate(_ids)}-title"
    kind = ' class="wide"' if wide else ""
    return (
        f'<section{kind} aria-labelledby="{name}">\n<h2 id="{name}">{title}</h2>\n{content}\n'
        "</section>"
    )


def scrollable(label: str, content: str) -> str:
    """Returns HTML that scrolls if it is larger than its container."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">{content}</div>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns an HTML table; the first cell of a row is its header."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return f'<table class="numbers"><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'


def figure(path: Path, caption: str, kind: str = "", description: str = "") -> str:
    """Returns an embedded PNG with its caption.

    Args:
        path: Path of the PNG file.
        caption: The caption, HTML.
        kind: CSS class of the figure.
        description: Alternative text, HTML; the caption if empty.
    """
    return (
        f'<figure class="{kind}"><figcaption>{caption}</figcaption>'
        f'<img alt="{description or caption}" src="{data_uri(path)}"></figure>'
    )


def data_uri(picture: Path) -> str:
    """Returns the data: URI of a PNG file."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def number(value: float, digits: int = 4) -> str:
    """Formats a number with `digits` significant digits; a dash if it is not finite.

    Example:
        >>> number(0.98125), number(12345.6), number(1e-7), number(float("nan"))
        ('0.9812', '12,346', '1e-07', '–')
        >>> number(0.9), number(2.0), number(0.00098)
        ('0.9000', '2', '0.00098')
    """
    if not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    if not 1e-2 <= abs(value) < 1e9:
        return f"{value:.{digits}g}"
    decimals = digits if abs(value) < 1 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def breakable(name: str) -> str:
    """Returns the HTML of a name that can be broken after a dot or an underscore."""
    return re.sub(r"([._])", r"\1<wbr>", html.escape(name))
