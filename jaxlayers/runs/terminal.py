"""Progress display, and printing that never raises an error."""

import os
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from jaxlayers._text import printable
from jaxlayers.runs.names import FRECHET_DISTANCE, VALIDATION, score_group

if TYPE_CHECKING:
    import rich.progress

# Minimum time between printed lines, in seconds.
_INTERVAL = 5.0


class Progress(Protocol):
    """A display of the metrics during training."""

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Shows the metrics of a logged step."""
        ...


def print_line(text: str, file: TextIO | None = None) -> None:
    """Prints text; if the pipe or terminal is closed, output is discarded without an error.

    Control characters, and characters that the encoding of the file does not have, are printed as
    escape sequences.

    Args:
        text: The text; a line break is added.
        file: The file to print to; `None` for standard output.
    """
    file = sys.stdout if file is None else file
    if file is not None:  # None in a process without a console
        _SafeFile(file).write(printable(text) + "\n")


@contextmanager
def closable_output() -> Iterator[None]:
    """Discards what is printed to standard output after it was closed, without an error."""
    if sys.stdout is None:  # in a process without a console
        yield
        return
    with redirect_stdout(cast(TextIO, _SafeFile(sys.stdout))):
        yield


def display_width(text: str) -> int:
    """Returns the number of terminal columns of a text that is printed as one line.

    Wide characters, such as Chinese characters, take two columns; combining characters take none.

    Example:
        >>> display_width("cat"), display_width("猫")
        (3, 2)
    """
    return sum(map(_columns, _line(text)))


def padded(text: str, width: int) -> str:
    r"""Returns a text as one line, padded with spaces to at least `width` columns.

    Example:
        >>> padded("cat\n", 7)
        'cat\\n  '
    """
    return _line(text) + " " * (width - display_width(text))


def _line(text: str) -> str:
    return printable(text).replace("\n", "\\n")


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class _SafeFile:
    """A text file whose writes never fail: after the first error, output is discarded."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        try:
            self._file.write(text)
            self._file.flush()
        except UnicodeEncodeError:
            encoding = self._file.encoding
            self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except BlockingIOError:  # the reader is slow
            pass
        except (OSError, ValueError):  # the pipe or file is closed, or the disk is full
            self._discard()
        return len(text)

    def flush(self) -> None:
        self.write("")

    def isatty(self) -> bool:
        with suppress(OSError, ValueError):
            return self._file.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _discard(self) -> None:
        """Discards all further output, including the buffer.

        The interpreter flushes the buffer at exit, and changes the exit status if that fails.
        """
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, self._file.fileno())
            finally:
                os.close(null)


@contextmanager
def show_progress(steps: int, batch_size: int, quiet: bool = False) -> Iterator[Progress]:
    """Shows a progress bar in a terminal; otherwise, or without rich, prints lines.

    Args:
        steps: Total number of steps of the run.
        batch_size: Number of images per step.
        quiet: Whether to show nothing, as in all processes but one.

    Yields:
        The display to update.
    """
    if quiet:
        yield _NoProgress()
        return
    terminal = _SafeFile(sys.stderr)
    if terminal.isatty():
        try:
            import rich.console
            import rich.progress
        except ImportError:
            pass
        else:
            file: Any = terminal
            with rich.progress.Progress(
                rich.progress.SpinnerColumn(finished_text="✓"),
                rich.progress.TextColumn("step {task.completed}/{task.total}"),
                rich.progress.BarColumn(),  # narrow terminals shrink it first
                rich.progress.TextColumn("{task.fields[text]}", markup=False),
                console=rich.console.Console(file=file),
            ) as bar:
                yield _Bar(bar, steps, batch_size)
            return
    yield _Lines(steps, batch_size)


class _NoProgress:
    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        pass


class _Clock:
    """Measures steps per second, from the first logged step on to exclude compilation."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def rate(self, step: int) -> float | None:
        now = time.monotonic()
        if self._first is None:
            self._first = step, now
            return None
        first_step, start = self._first
        return (step - first_step) / max(now - start, 1e-9)


class _Bar:
    def __init__(self, bar: "rich.progress.Progress", steps: int, batch_size: int) -> None:
        self._bar, self._steps, self._clock = bar, steps, _Clock()
        self._batch_size = batch_size
        self._row = bar.add_task("", total=steps, text="compiling")
        self._rare: dict[str, float] = {}

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        self._rare |= _rare_metrics(metrics)
        text = _format_metrics({**metrics, **self._rare})
        rate = self._clock.rate(step)
        if rate:
            left = self._steps - step
            room = self._bar.console.width - len(text) - len(f"✓ step {step}/{self._steps}  ")
            speeds = (
                f"  {_format_speed(rate, self._batch_size, left)}",
                f"  {rate:.1f} steps/s  {_time_left(left, rate)}",
                f"  {_time_left(left, rate)}",
            )
            # The longest text that fits into the width of the terminal.
            text += next((speed for speed in speeds if len(speed) <= room), "")
        self._bar.update(self._row, completed=step, text=text)


class _Lines:
    def __init__(self, steps: int, batch_size: int) -> None:
        self._steps, self._batch_size, self._clock = steps, batch_size, _Clock()
        self._printed = -float("inf")

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        rate = self._clock.rate(step)
        now = time.monotonic()
        due = now - self._printed >= _INTERVAL or step >= self._steps
        if not due and not _rare_metrics(metrics):
            return
        self._printed = now
        speed = f"  {_format_speed(rate, self._batch_size, self._steps - step)}" if rate else ""
        print_line(f"step {step}/{self._steps}  {_format_metrics(metrics)}{speed}")


def _rare_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics that are not computed in every step."""
    return {
        name: value
        for name, value in metrics.items()
        if name.startswith(VALIDATION) or score_group(name) is not None
    }


def _format_metrics(metrics: Mapping[str, float]) -> str:
    """Formats the losses, accuracies and Fréchet distances, those of validation data last."""
    chosen = [
        name
        for name in metrics
        if name.endswith("loss")
        or name.removeprefix(VALIDATION) == "accuracy"
        or score_group(name) == FRECHET_DISTANCE
    ]
    chosen.sort(key=lambda name: (name.startswith(VALIDATION), name.endswith("accuracy")))
    return "  ".join(
        f"{name if name.startswith(VALIDATION) else name.removesuffix('_loss')} {metrics[name]:.3f}"
        for name in chosen
    )


def _format_speed(rate: float, batch_size: int, left: int) -> str:
    return f"{rate:.1f} steps/s, {rate * batch_size:.0f} images/s, {_time_left(left, rate)}"


def _time_left(steps: int, rate: float) -> str:
    minutes, seconds = divmod(round(steps / rate), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{minutes}:{seconds:02d} left"
