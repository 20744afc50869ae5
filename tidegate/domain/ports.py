"""What a venue is to the rest: four small ports, so that paper, simulator, backtest and live differ in nothing else."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tidegate.domain.candles import Candle
from tidegate.domain.ids import ClientOrderId, VenueOrderId
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import MarketMessage
from tidegate.domain.orders import (
    AccountEvent,
    BalanceReport,
    FillReport,
    OcoTicket,
    OrderReport,
    OrderTicket,
    PlaceAnswer,
)


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """The best levels of an order book, best first: (price, quantity)."""

    symbol: str
    update_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    taken_at: int = 0  # µs, 0 when the venue does not say


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can promise; the risk stage and the screens respect it."""

    name: str
    is_live: bool  # real money: wiring refuses it while DRY_RUN_MODE is true
    holds_oco: bool
    order_types: frozenset[str]


class MarketSource(Protocol):
    """Public market data of one venue."""

    async def instruments(self) -> Sequence[Instrument]:
        """All symbols with their grid, limits and status."""
        ...

    async def candles(self, symbol: str, timeframe: str, start: int, end: int) -> list[Candle]:
        """Closed candles with `start <= opened_at < end` (µs), oldest first, paged behind this call."""
        ...

    async def book(self, symbol: str, depth: int) -> BookSnapshot:
        """The best `depth` levels now."""
        ...

    def stream(self, symbols: Sequence[str], timeframes: Sequence[str]) -> AsyncIterator[MarketMessage]:
        """Closed candles, quotes, trades (and tape marks in lockstep), reconnecting until the caller stops."""
        ...


class Trading(Protocol):
    """Orders of one account; a call never raises for what the venue may answer, it returns the answer."""

    async def place(self, ticket: OrderTicket) -> PlaceAnswer:
        """Send one order, at most once."""
        ...

    async def place_oco(self, ticket: OcoTicket) -> PlaceAnswer:
        """Send two legs of which one cancels the other, at most once."""
        ...

    async def cancel(self, symbol: str, client_order_id: ClientOrderId) -> PlaceAnswer:
        """Ask the matching engine to end an order; refused with `venue.order_not_open` when it has no such order."""
        ...


class AccountQueries(Protocol):
    """What the venue holds true of one account; a failed question raises `Unavailable`."""

    async def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        """The order, or None when the venue does not know it (which proves nothing by itself)."""
        ...

    async def open_orders(self) -> list[OrderReport]:
        """Every order that may still fill."""
        ...

    async def fills(self, symbol: str, after_trade_id: str | None) -> list[FillReport]:
        """Executions with a higher trade id, oldest first, paged behind this call; all of them for None."""
        ...

    async def order_fills(self, symbol: str, venue_order_id: VenueOrderId) -> list[FillReport]:
        """Executions of one order."""
        ...

    async def balances(self) -> list[BalanceReport]:
        """Free and held of every asset that is not zero."""
        ...

    async def time_offset_ms(self) -> float:
        """The venue's clock minus ours, measured now."""
        ...


class AccountEvents(Protocol):
    """The account's private stream."""

    def events(self) -> AsyncIterator[AccountEvent]:
        """Reports as they happen, `StreamReset` first and after each `StreamLost`; no promise of order or of once."""
        ...


class Venue(Trading, AccountQueries, AccountEvents, Protocol):
    """One account at one venue."""

    @property
    def capabilities(self) -> Capabilities:
        """What this venue can promise."""
        ...
