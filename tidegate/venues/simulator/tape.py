"""What a tape is: steps in time order, each with what happened in the market; generated, recorded or from candles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tidegate.venues.simulator.bars import Bar
from tidegate.venues.simulator.book import Level


@dataclass(slots=True)
class Print:
    """Somebody traded; `frame` is the recorded message, sent as it was."""

    symbol: str  # BTC/USDT, as in all of these
    trade_id: int
    price: Decimal
    quantity: Decimal
    is_buyer_maker: bool
    at: int  # µs
    frame: bytes | None = None


@dataclass(slots=True)
class BookChange:
    """Levels set to new quantities, or the whole book when `is_snapshot`."""

    symbol: str
    first_update_id: int
    update_id: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    at: int
    is_snapshot: bool = False
    frame: bytes | None = None


@dataclass(slots=True)
class Quote:
    """The best bid and ask as recorded; a generated book makes its own from the changes."""

    symbol: str
    update_id: int
    bid: Level
    ask: Level
    frame: bytes | None = None


@dataclass(slots=True)
class BarDone:
    """A whole candle of the past, told at its close."""

    symbol: str
    timeframe: str
    bar: Bar


Item = Print | BookChange | Quote | BarDone


@dataclass(slots=True)
class Part:
    """Items of one instant; the pace is kept part by part."""

    at: int  # µs, market time
    items: Sequence[Item]


@dataclass(slots=True)
class Step:
    """What lockstep acknowledges: 100 ms of a capture, one candle of a replay, one second of the generator."""

    position: int  # 1, 2, 3 …
    parts: Sequence[Part]


class Tape(Protocol):
    """A source of market movement that can be read again from the beginning."""

    @property
    def symbols(self) -> Sequence[str]:
        """What trades on it, BTC/USDT."""
        ...

    @property
    def starts_at(self) -> int:
        """Market time (µs) of position 0."""
        ...

    @property
    def bases(self) -> Sequence[str]:
        """Intervals of the bars it tells or whose prints it tells; the last is the base of all longer ones."""
        ...

    @property
    def fill_model(self) -> str:
        """`book` or `candle`."""
        ...

    @property
    def lateness_us(self) -> int:
        """How much later than its own time a trade may be told; bars stay open for so long."""
        ...

    def price_of(self, symbol: str) -> float:
        """About what the symbol costs at the start; chooses the grid of one that nobody knows."""
        ...

    def steps(self, after: int) -> Iterator[Step]:
        """Steps with a higher position, in order; ends where the tape ends."""
        ...

    def past(self, position: int) -> Iterator[Step]:
        """What a restart at `position` must read silently to know the book, the last prints and the open bars again."""
        ...

    def history(self, symbol: str, base: str, start: int, end: int) -> list[Bar]:
        """Closed bars of a base interval with `start <= opened_at < end` (µs) that the tape itself does not tell."""
        ...
