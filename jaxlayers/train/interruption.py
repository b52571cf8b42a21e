"""Ctrl-C, SIGTERM and SIGHUP: they end a run between two steps rather than within one."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jaxlayers.runs.terminal import say

_ENDING = (signal.SIGINT, signal.SIGTERM)
# A terminal that is closed sends SIGHUP; Windows has none.
_SIGNALS = (*_ENDING, *filter(None, [getattr(signal, "SIGHUP", None)]))


class Interruption:
    """Whether somebody asked the run to stop, and by which signal."""

    signal: int | None = None

    @property
    def asked(self) -> bool:
        """Whether there was a signal."""
        return self.signal is not None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Takes Ctrl-C, SIGTERM and SIGHUP as a request that the loop asks for after each call.

    SIGHUP stays ignored where it is, as under `nohup`.

    An exception in the middle of a step would lose what has not been written yet. The request is
    seen at once, also while XLA compiles, and said on stderr; a second Ctrl-C or SIGTERM ends the
    process there, with what has been written before.

    Only the main thread can do so; elsewhere nothing changes.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    # Python runs handlers between two of its own instructions, which may be long in coming; the
    # numbers of signals go through a socket at once, to a thread that does not wait for XLA.
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    taken = [
        number
        for number in _SIGNALS
        if number in _ENDING or signal.getsignal(number) != signal.SIG_IGN
    ]
    previous = {number: signal.signal(number, lambda *_: None) for number in taken}
    previous_fd = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_listen, args=(receiver, interruption), daemon=True)
    thread.start()
    try:
        yield interruption
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous.items():
            signal.signal(number, handler)
        sender.close()
        thread.join()
        receiver.close()


def _listen(receiver: socket.socket, interruption: Interruption) -> None:
    while received := receiver.recv(1):
        number = received[0]
        if number not in _SIGNALS:
            continue
        if interruption.asked:
            # A terminal that is closed sends SIGHUP itself, and its shell does so again.
            if number in _ENDING:
                os._exit(128 + number)
            continue
        interruption.signal = number
        say("stopping after this step; once more to stop at once", file=sys.stderr)
