"""Named places at which a test may kill the process, as a power cut would; in production nothing is armed.

TIDEGATE_CRASH_AT=call.before_send/stop:2     the second time that a stop is about to be sent
"""

import os
import signal
from enum import StrEnum

from tidegate.domain.errors import Invalid


class CrashPoint(StrEnum):
    """Every place, in the order of an order's life."""

    BEFORE_COMMIT = "intent.before_commit"
    AFTER_COMMIT = "intent.after_commit"
    BEFORE_SEND = "call.before_send"
    AFTER_ANSWER = "call.after_answer"
    ANSWER_BEFORE_COMMIT = "answer.before_commit"
    ANSWER_AFTER_COMMIT = "answer.after_commit"
    FILL_BEFORE_COMMIT = "fill.before_commit"
    FILL_AFTER_COMMIT = "fill.after_commit"


class CrashKind(StrEnum):
    """What is in flight."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    CANCEL = "cancel"
    LOOK = "look"


_armed: tuple[CrashPoint, CrashKind] | None = None
_left = 0


def arm(text: str) -> None:
    """Kill this process at `point/kind:nth`; `Invalid` lists what there is."""
    global _armed, _left  # noqa: PLW0603  # one process, one place
    place, _, nth = text.partition(":")
    point, _, kind = place.partition("/")
    try:
        _armed = CrashPoint(point), CrashKind(kind)
        _left = int(nth or 1)
    except ValueError:
        points, kinds = ", ".join(CrashPoint), ", ".join(CrashKind)
        raise Invalid(
            f"TIDEGATE_CRASH_AT must be point/kind:nth with a point of {points} and a kind of {kinds}, not {text!r}."
        ) from None


def crash_point(point: CrashPoint, kind: CrashKind) -> None:
    """Die here if a test has armed this place."""
    global _left  # noqa: PLW0603
    if _armed is None or _armed != (point, kind):
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
