"""What a strategy is."""

from dataclasses import dataclass
from typing import Protocol

from tidegate.domain.orders import Side
from tidegate.indicators.layout import Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a strategy sees in one closed bar; prices and distances in quote per base."""

    note: str  # why there is no set-up, as a clause for the decision log
    values: dict[str, float]  # for the decision log; numbers that do not exist yet are nan
    is_ready: bool = True  # False while warming up: nothing below counts
    setup: Side | None = None  # the set-up of this side has become true on this bar
    confirms: Side | None = None  # the side whose entry the strategy's own rule would allow now
    leaves: Side | None = None  # positions entered on this side should be left
    veto: str = ""  # why nothing may be entered now, whatever the set-up
    atr: float = 0.0
    pullback_price: float = 0.0  # the line that a pullback entry waits for
    stop_distance: float = 0.0  # from the entry to the advised stop; 0 advises none
    target_distance: float = 0.0  # from the entry to the advised take-profit; 0 advises none


class Strategy(Protocol):
    """One strategy on one symbol and timeframe; it keeps what it needs of the bars it has seen."""

    @property
    def warm_up_bars(self) -> int:
        """Bars that must be seen before an assessment may be acted upon."""
        ...

    @property
    def settling_bars(self) -> int:
        """Bars after which it hardly matters where the history began; ask for so many when they can be had."""
        ...

    def assess(self, bar: Bar) -> Assessment:
        """Take in the next closed bar; bars come in order, without gaps."""
        ...
