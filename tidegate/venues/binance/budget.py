"""How much may still be asked of one host: its own count, a reserve for what protects, and its orders to wait."""

from tidegate.kit.clock import SECOND_US

_MINUTE_US = 60 * SECOND_US
_RESERVED = 0.2  # of the limit, for cancels and protective orders
_PAUSE_S_MIN = 1.0
_PAUSE_S_UNSAID = 60.0


class WeightBudget:
    """One process, one host; the venue counts per minute of its own clock and tells the count with every answer."""

    def __init__(self, limit: int = 6_000) -> None:
        self.limit = limit
        self.used = 0
        self._minute = 0
        self._in_flight = 0
        self._paused_until_us = 0

    def objection(self, weight: int, at_us: int, *, is_urgent: bool) -> str | None:
        """Why a request may not leave now, or None; urgent ones may use the reserve."""
        if at_us < self._paused_until_us:
            return f"the venue asked to wait another {(self._paused_until_us - at_us) / SECOND_US:.1f} s"
        self._turn(at_us)
        bound = self.limit if is_urgent else int(self.limit * (1 - _RESERVED))
        if self.used + self._in_flight + weight > bound:
            return f"{self.used} of the venue's {self.limit} weight a minute are used"
        return None

    def begin(self, weight: int) -> None:
        """A request leaves."""
        self._in_flight += weight

    def end(self, weight: int, used: int | None, at_us: int) -> None:
        """Its answer came, with the venue's own count, or none did."""
        self._in_flight -= weight
        self._turn(at_us)
        self.used = self.used + weight if used is None else used

    def pause(self, seconds: float | None, at_us: int) -> None:
        """The venue said to wait; a full minute when it did not say how long."""
        pause_s = _PAUSE_S_UNSAID if seconds is None else max(seconds, _PAUSE_S_MIN)
        self._paused_until_us = max(self._paused_until_us, at_us + int(pause_s * SECOND_US))

    def _turn(self, at_us: int) -> None:
        minute = at_us // _MINUTE_US
        if minute != self._minute:
            self._minute, self.used = minute, 0
