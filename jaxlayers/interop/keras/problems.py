"""Everything that is wrong with a file, in one error."""

from collections.abc import Iterator
from contextlib import contextmanager

# A damaged file may have thousands; a person reads the first few.
_SHOWN = 50


class Problems:
    """What has been found so far."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, what: str, name: str = "", class_name: str = "") -> None:
        """Adds a problem, with the layer that has it."""
        called = f"{name} ({class_name[:100]})" if class_name else name
        self.found.append(f"{called}: {what[:1000]}" if called else what[:1000])

    def refuse(self, title: str) -> None:
        """Raises an error that lists all problems, if there are any.

        Raises:
            ValueError: there are.
        """
        if not self.found:
            return
        lines = [title, *self.found[:_SHOWN]]
        if len(self.found) > _SHOWN:
            lines.append(f"and {len(self.found) - _SHOWN} more")
        raise ValueError(_printable("\n  ".join(lines)))


@contextmanager
def about(path: object) -> Iterator[None]:
    """Puts the name of the file before the message of a `ValueError` about its content."""
    try:
        yield
    except ValueError as error:
        message = _printable("\n".join([str(error), *getattr(error, "__notes__", ())]))
        separator = " " if message.startswith(("is ", "has ", "holds ")) else ": "
        raise ValueError(f"{path}{separator}{message}") from error
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None


def _printable(text: str) -> str:
    """Returns the text without what would move the cursor of a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
