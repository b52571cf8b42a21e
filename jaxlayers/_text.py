"""Safe printing of names and other text from files."""

import reprlib
from typing import Any

_LENGTH = 60


def printable(text: str) -> str:
    r"""Returns the text with escape sequences for control characters. Line breaks are kept.

    Example:
        >>> print(printable("\x1b[2Jdense"))
        \x1b[2Jdense
    """
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def short_repr(value: Any) -> str:
    """Returns the truncated repr of a value of any size and depth, in bounded time.

    Example:
        >>> short_repr([[0] * 1000] * 1000)
        '[[0, 0, 0, 0, 0, 0, ...], [0, 0, 0, 0, 0, 0, ...], [0, 0,...'
    """
    text = printable(_REPR.repr(value))
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 3]}..."


def _escaped(character: str) -> str:
    return repr(character)[1:-1]


class _Repr(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to print integers of more than 4300 digits.
        return f"an integer of {x.bit_length()} bits" if x.bit_length() > 256 else repr(x)


_REPR = _Repr()
_REPR.maxlevel, _REPR.maxother, _REPR.maxstring = 4, _LENGTH, _LENGTH
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = 6
