"""Misbehaviour on demand: a plan of what happens to the next order requests, so that outcomes become unknown."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from tidegate.domain.errors import Invalid


class FaultKind(StrEnum):
    """What the client sees instead of a prompt answer."""

    DROP = "drop"  # the connection breaks without an answer
    DELAY = "delay"  # the answer comes late
    STATUS = "status"  # a 5xx with the venue's code
    HTML = "html"  # a 502 of some proxy


class FaultTarget(StrEnum):
    """Which requests it meets."""

    PLACE = "place"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to one request, executed by the exchange or not."""

    kind: FaultKind
    on: FaultTarget = FaultTarget.PLACE
    is_executed: bool = True
    delay_s: float = 0.0
    status: int = 504
    code: int = -1007


class Faults:
    """The plan: faults are used up in order, each by the next request that it fits."""

    def __init__(self) -> None:
        self._planned: dict[FaultTarget, deque[Fault]] = {target: deque() for target in FaultTarget}
        self.met = 0

    def plan(self, fault: Fault, count: int) -> None:
        """Let so many further requests meet this fault."""
        if count < 1:
            raise Invalid(f"count must be at least 1, not {count}.", code="simulator.fault_invalid")
        self._planned[fault.on].extend([fault] * count)

    def next_for(self, target: FaultTarget) -> Fault | None:
        """The fault that a request meets, or None."""
        planned = self._planned[target]
        if not planned:
            return None
        self.met += 1
        return planned.popleft()

    def clear(self) -> None:
        """Behave from now on."""
        for planned in self._planned.values():
            planned.clear()

    @property
    def left(self) -> int:
        """Planned and not yet met."""
        return sum(len(planned) for planned in self._planned.values())
