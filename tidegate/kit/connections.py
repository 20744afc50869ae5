"""Connections to the outside: their state, when to try again, when not at all, and never inside a transaction."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

import structlog

from tidegate.domain.errors import Unavailable
from tidegate.kit.clock import Clock, SystemClock
from tidegate.kit.ids import chance

# Set by kit.db while a transaction is open: a network call would keep its locks for as long as a stranger likes.
inside_transaction: ContextVar[bool] = ContextVar("inside_transaction", default=False)

_log = structlog.get_logger(__name__)


class NetworkInsideTransaction(RuntimeError):
    """A bug: commit first, then talk."""


def guard() -> None:
    """Every network call begins with this; raises `NetworkInsideTransaction` inside a database transaction."""
    if inside_transaction.get():
        raise NetworkInsideTransaction("a network call was made inside a database transaction")


class ConnectionState(StrEnum):
    """What health shows."""

    CONNECTING = "connecting"
    OPEN = "open"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class BackOff:
    """Pauses double from `first_s` to `pause_s_max`, each shortened by chance so that no two clients march in step."""

    first_s: float = 0.2
    pause_s_max: float = 30.0
    failures_max: int = 5  # from here on `Connection.guard` refuses until the pause has passed


class Connection:
    """One connection by name; its owner reports what happens, everybody may look."""

    def __init__(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        chance: Callable[[], float] = chance,
        back_off: BackOff | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self.name = name
        self.state = ConnectionState.CONNECTING
        self.since_us = self._clock.now_us()
        self.reason = ""
        self.failures = 0
        self._chance = chance
        self._back_off = back_off or BackOff()
        self._pause_s = 0.0
        self._closed_until_s = 0.0

    def guard(self) -> None:
        """Begin a call: refused inside a transaction, and with `Unavailable` while the circuit is broken.

        Once the pause has passed a single call may probe; the others wait for its outcome or for another pause.
        """
        guard()
        if self.failures < self._back_off.failures_max:
            return
        now_s = self._clock.monotonic_s()
        if now_s < self._closed_until_s:
            raise Unavailable(f"{self.name} is not answering: {self.reason}.", code="connection.broken")
        self._closed_until_s = now_s + self._pause_s

    def opened(self) -> None:
        """A connect or a call succeeded."""
        if self.state is not ConnectionState.OPEN:
            self._turn(ConnectionState.OPEN, "")
        self.failures = 0

    def failed(self, reason: str) -> float:
        """A connect or a call failed, or the connection was lost: the seconds to wait before the next attempt."""
        self.failures += 1
        longest_s = min(self._back_off.first_s * 2 ** min(self.failures - 1, 30), self._back_off.pause_s_max)
        self._pause_s = longest_s * (0.5 + self._chance() / 2)
        self._closed_until_s = self._clock.monotonic_s() + self._pause_s
        if self.state is ConnectionState.BROKEN:
            self.reason = reason
        else:
            self._turn(ConnectionState.BROKEN, reason)
        return self._pause_s

    def _turn(self, state: ConnectionState, reason: str) -> None:
        self.state, self.reason, self.since_us = state, reason, self._clock.now_us()
        log = _log.info if state is ConnectionState.OPEN else _log.warning
        log(f"connection.{state}", connection=self.name, reason=reason)


class Connections:
    """All connections of one role, for health."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_name: dict[str, Connection] = {}

    def connection(self, name: str, back_off: BackOff | None = None) -> Connection:
        """The one with this name, made on first use."""
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = Connection(name, clock=self._clock, back_off=back_off)
        return found

    def all(self) -> list[Connection]:
        """By name."""
        return [self._by_name[name] for name in sorted(self._by_name)]
