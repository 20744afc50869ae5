"""A part of a supervisor ends with it, even when the supervisor is killed."""

import os
import signal
import threading

_STDIN = 0


def end_with_parent() -> None:
    """SIGTERM to this process once stdin closes, which is when whoever holds its other end is gone."""
    # A thread that sleeps in a system call holds no lock and costs nothing; it works below any event loop.
    threading.Thread(target=_wait_for_end, name="parent", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(_STDIN, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
