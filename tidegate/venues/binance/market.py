"""Public market data of Binance Spot."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from urllib.parse import quote

import msgspec

from tidegate.domain.candles import Candle, duration_us
from tidegate.domain.errors import Invalid, Unavailable
from tidegate.domain.instruments import Instrument, stream_symbol
from tidegate.domain.messages import MarketMessage
from tidegate.domain.ports import BookSnapshot
from tidegate.kit.clock import MILLISECOND_US
from tidegate.venues.binance import parse, payloads
from tidegate.venues.binance.book import SNAPSHOT_LEVELS, BookState, BookSync
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.errors import PayloadUnreadable
from tidegate.venues.binance.market_frames import INTERVALS, MarketFrames
from tidegate.venues.binance.sockets import RollingSocket, Socket, Turn, connect

STREAMS_MAX = 1_024  # of one connection, by the venue's rule
_KLINES_MAX = 1_000
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))

_depth_event = msgspec.json.Decoder(payloads.DepthEvent)


class BinanceMarket:
    """A MarketSource; with `is_lockstep` the simulator's tape marks come along and silence is no fault."""

    def __init__(self, client: RestClient, *, is_lockstep: bool = False) -> None:
        self._client = client
        self._is_lockstep = is_lockstep
        self._market_at = 0  # µs, the newest time that a stream has told

    async def instruments(self) -> Sequence[Instrument]:
        """All spot symbols; their fee rates are those of an account without any discount."""
        return await self._client.instruments()

    async def candles(self, symbol: str, timeframe: str, start: int, end: int) -> list[Candle]:
        """Closed candles with `start <= opened_at < end` (µs); the venue's newest row only once time has closed it."""
        _check_timeframe(timeframe)
        duration = duration_us(timeframe)
        found: list[Candle] = []
        while start < end:
            # One row more than wanted: a bar is proven closed by the one that follows it.
            limit = min(_KLINES_MAX, (end - start + duration - 1) // duration + 1)
            query = f"symbol={_wire(symbol)}&interval={timeframe}&startTime={_ceil_ms(start)}&limit={limit}"
            rows = self._read_klines(await self._client.get(f"/api/v3/klines?{query}", weight=2), symbol, timeframe)
            proven = rows if rows and rows[-1].closes_at <= self._market_at else rows[:-1]
            found += [candle for candle in proven if start <= candle.opened_at < end]
            if len(rows) < limit or not proven:
                break
            start = proven[-1].closes_at
        return found

    async def book(self, symbol: str, depth: int) -> BookSnapshot:
        """The best `depth` levels now, 5,000 at most."""
        weight = next((weight for levels, weight in _DEPTH_WEIGHTS if depth <= levels), 250)
        path = f"/api/v3/depth?symbol={_wire(symbol)}&limit={min(depth, SNAPSHOT_LEVELS)}"
        raw = await self._client.get(path, weight=weight)
        try:
            return parse.book(raw, symbol)
        except PayloadUnreadable as problem:
            self._client.count_unreadable(problem)
            raise

    async def stream(self, symbols: Sequence[str], timeframes: Sequence[str]) -> AsyncIterator[MarketMessage]:
        """Closed candles of these timeframes, quotes and trades, for as long as the caller listens."""
        for timeframe in timeframes:
            _check_timeframe(timeframe)
        frames = MarketFrames(symbols, timeframes, has_tape=self._is_lockstep)
        if len(frames.streams) > STREAMS_MAX:
            raise Invalid(
                f"{len(symbols)} symbols need {len(frames.streams)} streams, a connection carries {STREAMS_MAX}: "
                "open several with fewer symbols each.",
                code="venue.streams_above_max",
            )
        async with aclosing(self._socket(frames.streams).frames()) as raws:
            async for raw in raws:
                if isinstance(raw, Turn):
                    continue
                try:
                    message = frames.read(raw)
                except PayloadUnreadable as problem:
                    self._client.count_unreadable(problem)
                    continue
                self._market_at = max(self._market_at, frames.market_at)
                if message is not None:
                    yield message

    async def books(self, symbol: str, depth: int) -> AsyncIterator[BookSnapshot]:
        """The best `depth` levels after each change (every 100 ms at most), whenever the book is known to be right."""
        sync = BookSync(symbol)
        async with aclosing(self._socket([f"{stream_symbol(symbol).lower()}@depth@100ms"]).frames()) as raws:
            async for raw in raws:
                if isinstance(raw, Turn):
                    if raw is Turn.BEGUN:
                        sync.on_loss()
                    continue
                await self._follow(sync, raw)
                if sync.state is BookState.SYNCED:
                    yield sync.best(depth)

    async def _follow(self, sync: BookSync, raw: bytes | str) -> None:
        try:
            sync.on_event(read_depth(raw, sync.symbol))
        except PayloadUnreadable as problem:
            self._client.count_unreadable(problem)
            sync.on_loss()
        if sync.state is BookState.NEEDS_SNAPSHOT:
            with suppress(Unavailable):  # asked again with the next change
                sync.on_snapshot(await self.book(sync.symbol, SNAPSHOT_LEVELS))

    def _socket(self, streams: Sequence[str]) -> RollingSocket:
        url = f"{self._client.hosts.stream}/stream?streams={'/'.join(quote(one, safe='!@') for one in streams)}"

        async def open_one() -> Socket:
            return await connect(self._client.session, url)

        return RollingSocket(
            self._client.connections.connection(f"binance stream {streams[0]}"),
            open_one,
            clock=self._client.clock,
            silence_s_max=None if self._is_lockstep else self._client.hosts.silence_s_max,
        )

    def _read_klines(self, raw: bytes, symbol: str, timeframe: str) -> list[Candle]:
        try:
            return parse.klines(raw, symbol, timeframe)
        except PayloadUnreadable as problem:
            self._client.count_unreadable(problem)
            raise


def read_depth(raw: bytes | str, symbol: str) -> payloads.DepthEvent:
    """The change of one symbol's book in a combined frame."""
    event = parse.read(_depth_event, parse.stream_data(raw), "depth event")
    if event.symbol != stream_symbol(symbol):
        raise PayloadUnreadable(f"Binance sent the book of {event.symbol} on the stream of {symbol}.")
    return event


def _check_timeframe(timeframe: str) -> None:
    if timeframe not in INTERVALS:
        raise Invalid(
            f"timeframe must be one that Binance has ({' '.join(INTERVALS)}), not {timeframe!r}.",
            code="venue.timeframe_unknown",
        )


def _wire(symbol: str) -> str:
    return quote(stream_symbol(symbol))


def _ceil_ms(at: int) -> int:
    return -(-at // MILLISECOND_US)
