"""An order book from a snapshot and the changes since, by the venue's own documented steps; pure."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from tidegate.domain.ports import BookSnapshot
from tidegate.kit.clock import MILLISECOND_US
from tidegate.venues.binance.parse import not_negative, positive
from tidegate.venues.binance.payloads import DepthEvent

SNAPSHOT_LEVELS = 5_000
_BUFFERED_MAX = 10_000

Level = tuple[Decimal, Decimal]


class BookState(StrEnum):
    """What the owner of a book has to do."""

    NEEDS_SNAPSHOT = "needs_snapshot"  # ask for one, and keep feeding events meanwhile
    SYNCED = "synced"


class _Side:
    """Prices in rising order and the quantity at each."""

    def __init__(self, levels: Iterable[Level]) -> None:
        self.quantities = dict(levels)
        self.prices = sorted(self.quantities)

    def set(self, price: Decimal, quantity: Decimal) -> None:
        if quantity:
            if price not in self.quantities:
                insort(self.prices, price)
            self.quantities[price] = quantity
        elif self.quantities.pop(price, None) is not None:
            del self.prices[bisect_left(self.prices, price)]


class BookSync:
    """Feed it every depth event in order, and a snapshot when it asks; a gap makes it ask again.

    Levels beyond the worst price of a full snapshot are not known, so they are not shown.
    """

    def __init__(self, symbol: str, *, snapshot_levels: int = SNAPSHOT_LEVELS) -> None:
        self.symbol = symbol
        self.state = BookState.NEEDS_SNAPSHOT
        self.restarts = 0
        self._snapshot_levels = snapshot_levels
        self._buffered: list[DepthEvent] = []
        self._at_ms = 0
        self._update_id = 0
        self._bids, self._asks = _Side(()), _Side(())
        self._lowest_bid: Decimal | None = None
        self._highest_ask: Decimal | None = None

    def on_event(self, event: DepthEvent) -> None:
        """Apply the change, or keep it until a snapshot has come."""
        if self.state is BookState.SYNCED:
            self._apply(event)
            return
        if self._buffered and event.first_id > self._buffered[-1].last_id + 1:
            self._buffered.clear()  # a hole in what was kept: only what comes now can follow a snapshot
        self._buffered.append(event)
        del self._buffered[:-_BUFFERED_MAX]

    def on_snapshot(self, snapshot: BookSnapshot) -> None:
        """Begin from here; a snapshot that is older than what was kept is refused and another one is needed."""
        if self._buffered and snapshot.update_id + 1 < self._buffered[0].first_id:
            return
        self._bids, self._asks = _Side(snapshot.bids), _Side(snapshot.asks)
        self._lowest_bid = _edge(snapshot.bids, self._snapshot_levels)
        self._highest_ask = _edge(snapshot.asks, self._snapshot_levels)
        self._update_id = snapshot.update_id
        self.state = BookState.SYNCED
        buffered, self._buffered = self._buffered, []
        for event in buffered:
            self.on_event(event)

    def on_loss(self) -> None:
        """The stream was interrupted: what is known is worth nothing."""
        self.state = BookState.NEEDS_SNAPSHOT
        self._buffered.clear()

    def best(self, depth: int) -> BookSnapshot:
        """The best `depth` known levels of each side."""
        bids, asks = self._bids, self._asks
        return BookSnapshot(
            symbol=self.symbol,
            update_id=self._update_id,
            bids=tuple(
                (price, bids.quantities[price])
                for price in reversed(bids.prices[-depth:])
                if self._lowest_bid is None or price >= self._lowest_bid
            ),
            asks=tuple(
                (price, asks.quantities[price])
                for price in asks.prices[:depth]
                if self._highest_ask is None or price <= self._highest_ask
            ),
            taken_at=self._at_ms * MILLISECOND_US,
        )

    def _apply(self, event: DepthEvent) -> None:
        if event.last_id <= self._update_id:
            return
        if event.first_id > self._update_id + 1:
            self._restart(event)
            return
        changes = [(self._bids, *level) for level in event.bids] + [(self._asks, *level) for level in event.asks]
        for _, price, quantity in changes:  # all are believed, or none is applied
            positive(price, "level price")
            not_negative(quantity, "level quantity")
        for side, price, quantity in changes:
            side.set(price, quantity)
        self._update_id, self._at_ms = event.last_id, event.event_ms
        bids, asks = self._bids.prices, self._asks.prices
        if bids and asks and bids[-1] >= asks[0]:
            self._restart(None)

    def _restart(self, event: DepthEvent | None) -> None:
        self.state = BookState.NEEDS_SNAPSHOT
        self.restarts += 1
        self._buffered = [event] if event is not None else []


def _edge(levels: tuple[Level, ...], full: int) -> Decimal | None:
    """The worst price of a side that was cut off, None for one that was told whole."""
    return levels[-1][0] if len(levels) >= full else None
