"""Handling of Ctrl-C, SIGTERM and SIGHUP, which end a run between steps."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jaxlayers.runs.terminal import print_line

_TERMINATING = (signal.SIGINT, signal.SIGTERM)
# A terminal that closes sends SIGHUP; Windows has no such signal.
_SIGNALS = (*_TERMINATING, *filter(None, [getattr(signal, "SIGHUP", None)]))


class Interruption:
    """The signal that requested the run to stop, if any."""

    signal: int | None = None

    @property
    def stop_requested(self) -> bool:
        """Whether a signal was received."""
        return self.signal is not None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Converts Ctrl-C, SIGTERM and SIGHUP to a request that the loop checks after each call.

    An exception in the middle of a step would lose outputs that have not been written. The request
    is acknowledged on stderr immediately, even while XLA compiles. A second Ctrl-C or SIGTERM ends
    the process. SIGHUP remains ignored if it was ignored before, as under `nohup`.

    Only the main thread can handle signals; in other threads, signals are not handled.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    # Python runs handlers between two bytecode instructions, which can take a long time. The signal
    # numbers are therefore sent through a socket to a thread that does not wait for XLA.
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    handled = [
        number
        for number in _SIGNALS
        if number in _TERMINATING or signal.getsignal(number) != signal.SIG_IGN
    ]
    previous = {number: signal.signal(number, lambda *_: None) for number in handled}
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
        if interruption.stop_requested:
            # When a terminal is closed, both the terminal and its shell send SIGHUP.
            if number in _TERMINATING:
                os._exit(128 + number)
            continue
        interruption.signal = number
        print_line("stopping after this step; repeat to stop immediately", file=sys.stderr)
