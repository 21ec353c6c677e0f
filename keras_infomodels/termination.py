"""SIGTERM during a training: the end of the process within seconds, with a sentence."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

__all__ = ["Terminated", "ending_on_sigterm"]

_GRACE = 10.0
"""Seconds that an operation may go on after SIGTERM; Slurm and Kubernetes send SIGKILL after 30."""


class Terminated(BaseException):
    """The process was asked to end, as a cluster does before it takes the machine away."""


@contextlib.contextmanager
def ending_on_sigterm(say: Callable[[], None]) -> Iterator[None]:
    """Raises `Terminated` where SIGTERM comes, between two operations of Python.

    If one operation lasts for longer than `_GRACE`, such as a step that waits for a worker that has
    ended, the process calls `say` and ends without the exception. Files are complete whenever that
    is. Outside the main thread nothing changes.
    """
    asked = []

    def end(number, frame):
        asked.append(number)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    # Python writes the number of a signal here as it comes, also within an operation.
    own, to_write = socket.socketpair()
    to_write.setblocking(False)
    written = signal.set_wakeup_fd(to_write.fileno(), warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(own, say), daemon=True)
    watch.start()
    try:
        yield
    except Exception:
        if asked:  # A step that fails as another worker ends turns `Terminated` into its own error.
            raise Terminated from None
        raise
    finally:
        signal.set_wakeup_fd(written)
        signal.signal(signal.SIGTERM, before)
        to_write.close()
        watch.join()
        own.close()


def _watch(numbers: socket.socket, say: Callable[[], None]):
    """Ends the process some seconds after SIGTERM; returns when the other socket is closed."""
    while number := numbers.recv(1):
        if number[0] == signal.SIGTERM:
            numbers.settimeout(_GRACE)
            try:
                while numbers.recv(1):
                    pass
            except TimeoutError:
                say()
                os._exit(143)
            return
