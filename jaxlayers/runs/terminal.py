"""What a person sees while a run goes on."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TextIO

from jaxlayers.runs.names import VALIDATION

if TYPE_CHECKING:
    import rich.progress


class Progress(Protocol):
    """Something that is told of each log step."""

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Shows the step and its metrics."""
        ...


def say(text: str, file: TextIO | None = None) -> None:
    """Prints lines; a pipe or a terminal that is closed ends the printing, never the run."""
    with suppress(OSError, ValueError):
        print(text, file=file or sys.stdout, flush=True)


@contextmanager
def show_progress(steps: int, batch_size: int, quiet: bool = False) -> Iterator[Progress]:
    """Shows a live line in a terminal, and plain lines elsewhere or without rich.

    Args:
        steps: how many the run will take.
        batch_size: images a step.
        quiet: shows nothing, as all but one of several processes should.
    """
    if quiet:
        yield _Nothing()
        return
    if sys.stderr.isatty():
        try:
            import rich.console
            import rich.progress
        except ImportError:
            pass
        else:
            with rich.progress.Progress(
                rich.progress.SpinnerColumn(finished_text="✓"),
                rich.progress.TextColumn("step {task.completed}/{task.total}"),
                rich.progress.BarColumn(),  # narrow terminals take from it first
                rich.progress.TextColumn("{task.fields[text]}"),
                console=rich.console.Console(stderr=True),
            ) as bar:
                yield _Bar(bar, steps, batch_size)
            return
    yield _Lines(steps, batch_size)


class _Nothing:
    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        pass


class _Clock:
    """Steps in a second, over all since the first log step: that one includes compiling."""

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
        self._held_out: dict[str, float] = {}

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        self._held_out |= _held_out(metrics)
        metrics = {**metrics, **self._held_out}
        rate = self._clock.rate(step)
        speed = ""
        if rate:
            left = self._steps - step
            # Images a second take more than a line of 80 columns has.
            wide = self._bar.console.width >= 100
            speed = "  " + (
                _speed(rate, self._batch_size, left)
                if wide
                else f"{rate:.1f} steps/s  {_left(left, rate)}"
            )
        self._bar.update(self._row, completed=step, text=_losses(metrics) + speed)


class _Lines:
    def __init__(self, steps: int, batch_size: int) -> None:
        self._steps, self._batch_size, self._clock = steps, batch_size, _Clock()
        self._printed = -float("inf")

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        rate = self._clock.rate(step)
        now = time.monotonic()
        if now - self._printed < 5 and step < self._steps and not _held_out(metrics):
            return
        self._printed = now
        speed = f"  {_speed(rate, self._batch_size, self._steps - step)}" if rate else ""
        print(f"step {step}/{self._steps}  {_losses(metrics)}{speed}", flush=True)


def _held_out(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name.startswith(VALIDATION)}


def _losses(metrics: Mapping[str, float]) -> str:
    """Returns the losses, and of a classifier its accuracy."""
    shown = {
        name: f"{value:.3f}"
        for name, value in sorted(metrics.items(), key=lambda item: item[0] == "accuracy")
        if not name.startswith(VALIDATION) and (name.endswith("loss") or name == "accuracy")
    }
    for name in shown:
        if VALIDATION + name in metrics:
            shown[name] += f" (held out {metrics[VALIDATION + name]:.4f})"
    return "  ".join(f"{name.removesuffix('_loss')} {text}" for name, text in shown.items())


def _speed(rate: float, batch_size: int, left: int) -> str:
    return f"{rate:.1f} steps/s, {rate * batch_size:.0f} images/s, {_left(left, rate)}"


def _left(steps: int, rate: float) -> str:
    minutes, seconds = divmod(round(steps / rate), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{minutes}:{seconds:02d} left"
