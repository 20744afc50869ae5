"""A part of a supervisor begins when it is told to, and ends with it, even when the supervisor is killed.

Both come over stdin: a first line, and its end.
"""

import os
import signal
import threading
import time

_STDIN = 0
_STOP_S = 5.0  # an orphan that has not ended by then is in nobody's interest
_told = threading.Event()


def obey_parent() -> None:
    """SIGTERM to this process once stdin closes, which is when whoever holds its other end is gone."""
    # A thread that sleeps in a system call holds no lock and costs nothing; it works below any event loop.
    threading.Thread(target=_listen, name=_listen.__name__, daemon=True).start()


def wait_for_parent() -> None:
    """Until the first line has come; at once without a supervisor. Imports are done meanwhile."""
    if any(thread.name == _listen.__name__ for thread in threading.enumerate()):
        _told.wait()


def _listen() -> None:
    while os.read(_STDIN, 1):
        _told.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_S)
    os.kill(os.getpid(), signal.SIGKILL)
