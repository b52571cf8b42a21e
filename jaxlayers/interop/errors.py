"""Collection of all problems with a model or a file in one error."""

from collections.abc import Iterator
from contextlib import contextmanager

from jaxlayers._text import printable

# A damaged file may have thousands of problems, of which only the first are shown.
_MAX_SHOWN = 50
_MAX_LENGTH = 1000


class Problems:
    """A list of problems."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[str] = []

    def add(self, what: str, name: str = "", class_name: str = "") -> None:
        """Adds a problem.

        Args:
            what: A description.
            name: The name of the layer.
            class_name: The class of the layer.
        """
        self.count += 1
        if len(self._shown) >= _MAX_SHOWN:
            return
        where = f"{name[:_MAX_LENGTH]} ({class_name[:100]})" if class_name else name[:_MAX_LENGTH]
        self._shown.append(f"{where}: {what[:_MAX_LENGTH]}" if where else what[:_MAX_LENGTH])

    def raise_if_any(self, title: str, error: type[ValueError] = ValueError) -> None:
        """Raises an error that lists the problems, if there are any.

        Args:
            title: The first line of the message.
            error: The class of the error.

        Raises:
            ValueError: If there are problems.
        """
        if not self.count:
            return
        lines = [title, *self._shown]
        if self.count > _MAX_SHOWN:
            lines.append(f"and {self.count - _MAX_SHOWN} more")
        raise error(printable("\n  ".join(lines)))


@contextmanager
def prefix_errors(source: object) -> Iterator[None]:
    """Prefixes a `ValueError` about the content of a file or an argument with its name."""
    try:
        yield
    except ValueError as error:
        message = printable("\n".join([str(error), *getattr(error, "__notes__", ())]))
        separator = " " if message.startswith(("is ", "has ", "contains ")) else ": "
        raise ValueError(f"{source}{separator}{message}") from error
    except RecursionError:
        raise ValueError(f"{source} is nested too deeply") from None
