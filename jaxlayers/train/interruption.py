"""Ctrl-C and SIGTERM between two steps rather than in one."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether somebody asked the run to stop, and by which signal."""

    signal: int | None = None

    @property
    def asked(self) -> bool:
        """Whether there was a signal."""
        return self.signal is not None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Takes Ctrl-C and SIGTERM as a request that the loop asks for after each call.

    An exception in the middle of a step would lose what has not been written yet. The request is
    seen at once, also while XLA compiles, and said on stderr; a second one ends the process
    there, with what has been written before.

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
    previous = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
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
            os._exit(128 + number)
        interruption.signal = number
        print("stopping after this step; once more to stop at once", file=sys.stderr, flush=True)
