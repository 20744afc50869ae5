"""What pages ask of the market: the latest from the streams, the past from the store, books from the venue."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tidegate.domain.candles import Candle, duration_us
from tidegate.domain.errors import Invalid, NotFound, Unavailable
from tidegate.domain.ids import TraceId
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import AnyMessage, CandleClosed, QuoteChanged, TradePrinted, decode
from tidegate.domain.ports import BookSnapshot, MarketSource
from tidegate.kit.bus import FROM_START, Bus, Entry
from tidegate.kit.clock import Clock
from tidegate.market.model import CandleSeries, Series, SymbolState, Ticker, candle_trace_id
from tidegate.market.repository import CandleStore
from tidegate.market.streams import WANTED_STREAM, candle_stream, quote_stream, trade_stream, wanted_series

_BLOCK_MS = 1_000
_TAIL_CANDLES = 500  # of each series kept in memory, because the store is a few seconds behind
_BOOK_AGE_S_MAX = 0.25
_INSTRUMENTS_AGE_S_MAX = 60.0
_END_OF_TIME = 2**53
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TickerNow:
    """A ticker and how long ago, on our own clock, the feed last said anything of its symbol."""

    ticker: Ticker
    age_s: float


@dataclass(frozen=True, slots=True)
class CandlePage:
    """Candles, newest first, each with the trace id of its story; `next_before` asks for older ones."""

    items: Sequence[tuple[Candle, TraceId]]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A part of a list; `next_after` asks for what follows."""

    items: Sequence[T]
    next_after: str | None


class MarketReader:
    """Follows the streams of every series that is wanted, while `run` runs."""

    def __init__(self, bus: Bus, store: CandleStore, source: MarketSource, *, venue: str, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._source = source
        self._venue = venue
        self._clock = clock
        self._cursors = {WANTED_STREAM: FROM_START}
        self._states: dict[str, SymbolState] = {}
        self._heard_at_s: dict[str, float] = {}
        self._tails: dict[Series, CandleSeries] = {}
        self._books: dict[tuple[str, int], tuple[float, BookSnapshot]] = {}
        self._instruments: dict[str, Instrument] = {}
        self._instruments_at_s: float | None = None
        self._asking = asyncio.Lock()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            self._take(await self._bus.read(self._cursors, _BLOCK_MS))

    async def catch_up(self) -> None:
        """Read all that is there now, without waiting for more."""
        while entries := await self._bus.read(self._cursors, 0):
            self._take(entries)

    def tickers(self, symbol: str | None = None) -> list[TickerNow]:
        """Of every symbol that is followed, in name order, or of one."""
        now_s = self._clock.monotonic_s()
        return [
            TickerNow(state.ticker(), now_s - self._heard_at_s[name])
            for name, state in sorted(self._states.items())
            if symbol in (None, name) and name in self._heard_at_s
        ]

    def prints_page(self, symbol: str, *, after: str | None = None, limit: int = 100) -> Slice[TradePrinted]:
        """The newest 500 trades of anybody, newest first; `after` is the trade id of the last one seen."""
        state = self._states.get(symbol)
        trades = list(reversed(state.prints)) if state else []
        return _slice(trades, [trade.venue_trade_id for trade in trades], after, limit)

    async def candles(
        self, series: Series, *, start: int = 0, before: int | None = None, limit: int = 100
    ) -> CandlePage:
        """The newest `limit` candles with `start <= opened_at < before` (µs)."""
        duration = duration_us(series.timeframe)
        newest = await self._newest(series, before or _END_OF_TIME)
        if newest is None:
            await self.instrument(series.symbol)  # a symbol that nobody lists is an error, one without candles is not
            return CandlePage([], None)
        first = max(start, newest - (limit - 1) * duration)
        known = {candle.opened_at: candle for candle in await self._store.read(*_key(series), first, newest + 1)}
        for candle in self._tail(series, first, newest):
            stored = known.get(candle.opened_at)
            if stored is None or stored.revision <= candle.revision:
                known[candle.opened_at] = candle
        older = await self._newest(series, first) if first > start else None
        candles = [known[opened_at] for opened_at in sorted(known, reverse=True)]
        items = [(candle, candle_trace_id(self._venue, series, candle.opened_at)) for candle in candles]
        return CandlePage(items, None if older is None or older < start else first)

    async def book(self, symbol: str, depth: int) -> BookSnapshot:
        """The best levels now, at most a quarter of a second old, so that many pages cost the venue one question."""
        await self.instrument(symbol)
        async with self._asking:
            cached = self._books.get((symbol, depth))
            if cached is None or self._clock.monotonic_s() - cached[0] > _BOOK_AGE_S_MAX:
                snapshot = await self._source.book(symbol, depth)
                cached = self._books[symbol, depth] = (self._clock.monotonic_s(), snapshot)
        return cached[1]

    async def instrument(self, symbol: str) -> Instrument:
        """The rules of one symbol; `NotFound` where the venue does not list it."""
        await self._refresh_instruments()
        found = self._instruments.get(symbol)
        if found is None:
            raise NotFound(f"{self._venue} lists no symbol {symbol}.", code="market.symbol_unknown")
        return found

    async def instruments_page(
        self, *, symbol: str | None = None, quote: str | None = None, after: str | None = None, limit: int = 100
    ) -> Slice[Instrument]:
        """What the venue lists, in name order, at most a minute old; older while the venue is away."""
        if symbol is not None:
            return Slice([await self.instrument(symbol)], None)
        await self._refresh_instruments()
        found = [each for each in self._instruments.values() if quote in (None, each.quote)]
        return _slice(found, [each.symbol for each in found], after, limit)

    async def _refresh_instruments(self) -> None:
        async with self._asking:
            now_s = self._clock.monotonic_s()
            if self._instruments_at_s is not None and now_s - self._instruments_at_s < _INSTRUMENTS_AGE_S_MAX:
                return
            try:
                listed = await self._source.instruments()
            except Unavailable:
                if self._instruments_at_s is None:
                    raise
                return
            self._instruments = {each.symbol: each for each in sorted(listed, key=lambda each: each.symbol)}
            self._instruments_at_s = now_s

    async def _newest(self, series: Series, before: int) -> int | None:
        stored = await self._store.newest(series, before)
        newest = [candle.opened_at for candle in self._tail(series, 0, before - 1)[-1:]]
        return max([*newest, *([] if stored is None else [stored])], default=None)

    def _tail(self, series: Series, first: int, last: int) -> list[Candle]:
        tail = self._tails.get(series)
        return [candle for candle in tail.newest(_TAIL_CANDLES) if first <= candle.opened_at <= last] if tail else []

    def _take(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._cursors[entry.stream] = entry.id
            if entry.stream == WANTED_STREAM:
                self._follow(wanted_series(entry.payload))
            else:
                self._on_message(decode(entry.payload))

    def _follow(self, series: Series) -> None:
        self._states.setdefault(series.symbol, SymbolState(series.symbol))
        for each in (series, series.base):
            self._tails.setdefault(each, CandleSeries(timeframe=each.timeframe, keep=_TAIL_CANDLES))
            self._cursors.setdefault(candle_stream(each), FROM_START)
        self._cursors.setdefault(quote_stream(series.symbol), FROM_START)
        self._cursors.setdefault(trade_stream(series.symbol), FROM_START)

    def _on_message(self, message: AnyMessage) -> None:
        match message:
            case CandleClosed(candle=candle):
                self._heard_at_s[candle.symbol] = self._clock.monotonic_s()
                self._tails[Series(candle.symbol, candle.timeframe)].accept(candle)
                if candle.timeframe == "1m":
                    self._states[candle.symbol].on_minute(candle)
            case QuoteChanged():
                self._heard_at_s[message.symbol] = self._clock.monotonic_s()
                self._states[message.symbol].on_quote(message)
            case TradePrinted():
                self._heard_at_s[message.symbol] = self._clock.monotonic_s()
                self._states[message.symbol].on_trade(message)
            case _:
                pass  # a repaired gap: its candles have come before it


def _slice(items: list[T], keys: list[str], after: str | None, limit: int) -> Slice[T]:
    """`Invalid` where the item of the cursor is gone, as an old trade may be."""
    if after is not None and after not in keys:
        raise Invalid(f"cursor {after!r} leads nowhere any more; begin again without it.", code="market.cursor_invalid")
    start = 0 if after is None else keys.index(after) + 1
    found = items[start : start + limit]
    return Slice(found, keys[start + limit - 1] if len(items) > start + limit else None)


def _key(series: Series) -> tuple[str, str]:
    return series.symbol, series.timeframe
