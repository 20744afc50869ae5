"""The only place that reads a clock: wall time for sessions, HTTP, leases and timeouts; market time is the venues'."""

import time
from datetime import UTC, datetime
from typing import Protocol

from tidegate.domain.errors import Invalid

MILLISECOND_US = 1_000
SECOND_US = 1_000_000


class Clock(Protocol):
    """What tells the time; engines and tests are handed one."""

    def now_us(self) -> int:
        """µs since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never run backwards, for measuring; their zero means nothing."""
        ...


class SystemClock:
    """This machine's clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """Stands still until it is moved; the clock of backtests and tests."""

    def __init__(self, start_us: int) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        return self._now_us

    def monotonic_s(self) -> float:
        return self._now_us / SECOND_US

    def advance_to(self, at_us: int) -> None:
        """Move forward; a time that has passed raises ValueError."""
        if at_us < self._now_us:
            raise ValueError(f"the clock stands at {self._now_us} and cannot go back to {at_us}")
        self._now_us = at_us


def rfc3339(at_us: int) -> str:
    """`2026-11-21T09:30:00.123Z`: UTC with milliseconds, as the API prints times."""
    seconds, rest_us = divmod(at_us, SECOND_US)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_us // MILLISECOND_US:03d}Z"


def from_rfc3339(text: str, field: str) -> int:
    """µs since the epoch; `Invalid` names the field when the text is no time or lacks its offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(f"{field} must be a time with offset such as 2026-11-21T09:30:00Z, not {text!r}.")
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * SECOND_US + moment.microsecond
