"""Ctrl-C between two steps rather than in one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether somebody asked the run to stop."""

    asked = False


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Takes Ctrl-C as a request that the loop asks for after each step.

    An exception in the middle of a step would lose the train state: the old one has been donated
    to the step and the new one is not there yet. A second Ctrl-C raises KeyboardInterrupt at
    once.

    Only the main thread can do so; elsewhere nothing changes.
    """
    interruption = Interruption()

    def ask(number: int, frame: FrameType | None) -> None:
        if interruption.asked:
            raise KeyboardInterrupt
        interruption.asked = True

    try:
        previous = signal.signal(signal.SIGINT, ask)
    except ValueError:  # not the main thread
        yield interruption
        return
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, previous)
