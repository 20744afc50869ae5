"""The ingest: one venue's stream in, candles without gaps, doubles or silent changes out."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from msgspec.structs import replace

from tidegate.domain.candles import Candle, CandleSource, duration_us, floor_time
from tidegate.domain.errors import NotFound, Unavailable
from tidegate.domain.messages import CandleClosed, GapRepaired, MarketMessage, QuoteChanged, TapeAdvanced, TradePrinted
from tidegate.domain.ports import MarketSource
from tidegate.kit.clock import Clock
from tidegate.market.model import CandleBuilder, Series, Track, candle_trace_id
from tidegate.market.ports import CandleHistory, HistorySink, MarketSink

_KEEP_MIN = 120  # base candles that stay open to correction, at least
_TICK_US = 100_000  # so often, in market time, one looks for what time closes


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """How much is asked for, where candles come from, and how long one waits for what is late."""

    venue: str
    history_bars: int = 1_000  # candles of each wanted series asked for before the first live one
    base_bars_max: int = 20_000  # at most so many base candles are asked for, however long the timeframe
    candles_from: CandleSource = CandleSource.STREAM  # or TRADES: built here from every single trade
    grace_us: int = 500_000  # market time after which a bar is closed even if no later trade has been seen
    overdue_us: int = 2_000_000  # market time after which a close that did not come is asked for


@dataclass(slots=True)
class IngestCounts:
    """What went wrong and was put right, since the start."""

    duplicates: int = 0
    corrections: int = 0
    repaired: int = 0  # candles
    given_up: int = 0  # candles that the venue never had
    questions_failed: int = 0


class Ingest:
    """Serves wanted series from one venue to one sink, in an order that depends on nothing but the venue's order.

    `history_sink` gets the candles from before the first live one, which are for warming up and never for trading.
    """

    def __init__(
        self,
        source: MarketSource,
        sink: MarketSink,
        options: IngestOptions,
        *,
        clock: Clock,
        history_sink: HistorySink | None = None,
        kept: CandleHistory | None = None,
    ) -> None:
        self.counts = IngestCounts()
        self._source = source
        self._sink = sink
        self._options = options
        self._clock = clock
        self._history_sink = history_sink
        self._kept = kept
        self._served: set[Series] = set()
        self._tracks: dict[Series, Track] = {}  # by base series, in name order
        self._builders: dict[Series, CandleBuilder] = {}
        self._unwarmed: set[Series] = set()  # base series without history yet
        self._live_from: dict[Series, int] = {}  # by base series: open time of the first candle that was no history
        self._heard_at_s: dict[str, float] = {}  # by symbol, our own clock
        self._asked_at: dict[Series, int] = {}  # by base series: market time of the last repair that was tried
        self._market_at = 0  # µs, the newest market time seen
        self._turn = asyncio.Lock()
        self._has_wants = asyncio.Event()
        self._unfed: list[Series] = []  # base series for which no stream is open
        self._feeds: asyncio.TaskGroup | None = None
        self._feeds_opened = 0
        self._feed_of: dict[str, int] = {}  # by symbol: the one feed whose quotes and trades count
        self._marks: dict[int, int] = {}  # by feed
        self._position: int | None = None

    async def want(self, wanted: Iterable[Series]) -> None:
        """Serve these series too, before or during `run`; `NotFound` names a symbol that the venue lacks."""
        fresh = sorted(set(wanted) - self._served)
        await self.check(fresh)
        for base, group in groupby(sorted(fresh, key=lambda series: series.base), key=lambda series: series.base):
            await self._serve(base, [series.timeframe for series in group])
        self._served.update(fresh)
        if self._unfed:
            self._has_wants.set()
            self._open_feed()

    async def check(self, series: Iterable[Series]) -> None:
        """`NotFound` names a symbol that the venue lacks."""
        symbols = {each.symbol for each in series} - {each.symbol for each in self._served}
        if not symbols:
            return
        listed = {instrument.symbol for instrument in await self._source.instruments()}
        for symbol in sorted(symbols - listed):
            raise NotFound(f"{self._options.venue} lists no symbol {symbol}.", code="market.symbol_unknown")

    async def run(self) -> None:
        """Pass on what the venue sends, until its streams end, which a real venue's never do."""
        await self._has_wants.wait()
        async with asyncio.TaskGroup() as self._feeds:
            self._open_feed()
        self._feeds = None

    def ages_s(self) -> dict[str, float]:
        """Seconds since the venue last said anything of each symbol, on our own clock."""
        now_s = self._clock.monotonic_s()
        return {symbol: now_s - heard_at_s for symbol, heard_at_s in sorted(self._heard_at_s.items())}

    # ── what is wanted: history first, then a stream ────────────────────────────────────────────────────────

    async def _serve(self, base: Series, timeframes: list[str]) -> None:
        track = self._tracks.get(base)
        if track is None:
            track = Track(base, keep=max(_KEEP_MIN, self._options.history_bars))
            self._tracks = dict(sorted({**self._tracks, base: track}.items()))
            self._unwarmed.add(base)
            self._unfed.append(base)
            if self._options.candles_from is CandleSource.TRADES:
                self._builders[base] = CandleBuilder(base.symbol, base.timeframe, grace_us=self._options.grace_us)
        end = floor_time(self._clock.now_us(), base.timeframe)
        if base in self._live_from:  # what closes now comes by the stream, to those who trade on it
            known = track.candles.newest(1)
            end = known[0].closes_at if known else self._live_from[base]
        history = await self._ask_history(track, timeframes, end)
        async with self._turn:
            await self._warm_up(track, timeframes, history or [])

    async def _ask_history(self, track: Track, timeframes: Iterable[str], end: int) -> list[Candle] | None:
        """What was kept, then what the venue has from the first bar on that was not kept; None: it cannot say now."""
        base = track.series
        duration = duration_us(base.timeframe)
        longest = max(map(duration_us, timeframes), default=duration)
        bars = min(self._options.base_bars_max, self._options.history_bars * longest // duration)
        start = end - bars * duration
        kept = await self._kept.read(base.symbol, base.timeframe, start, end) if self._kept else []
        for candle in kept:
            if candle.opened_at != start:
                break
            start += duration
        asked = await self._ask(base, start, end) if start < end else []
        return None if asked is None else kept + asked

    async def _warm_up(self, track: Track, timeframes: Iterable[str], history: list[Candle]) -> None:
        live_from = self._live_from.get(track.series)
        served = track.timeframes if live_from is not None else []
        added = track.widen(timeframes, history)
        if history:
            self._unwarmed.discard(track.series)
        late = [candle for candle in added if candle.timeframe in served and candle.closes_at > (live_from or 0)]
        closed = [self._closed(candle, candle.closes_at) for candle in added if candle not in late]
        early = [replace(each, is_history=True) for each in closed]
        if early and self._history_sink:
            await self._history_sink(early)
        for candle in late:
            await self._send(candle)

    def _open_feed(self) -> None:
        if self._feeds is None or not self._unfed:
            return
        number = self._feeds_opened = self._feeds_opened + 1
        symbols = sorted({series.symbol for series in self._unfed})
        timeframes = sorted({series.timeframe for series in self._unfed})
        self._unfed = []
        for symbol in symbols:
            self._feed_of.setdefault(symbol, number)
        if self._options.candles_from is CandleSource.TRADES:
            timeframes = []
        self._feeds.create_task(self._feed(number, symbols, timeframes))

    async def _feed(self, number: int, symbols: list[str], timeframes: list[str]) -> None:
        async for message in self._source.stream(symbols, timeframes):
            async with self._turn:
                await self._on_message(message, number)
        self._marks.pop(number, None)

    # ── what the venue says ─────────────────────────────────────────────────────────────────────────────────

    async def _on_message(self, message: MarketMessage, feed: int) -> None:
        match message:
            case CandleClosed():
                await self._on_candle(message)
            case TradePrinted() if self._is_heard(message.symbol, feed):
                await self._pass_time(message.occurred_at)
                await self._build(message)
                await self._sink(message)
            case QuoteChanged() if self._is_heard(message.symbol, feed):
                await self._sink(message)
            case TapeAdvanced():
                await self._pass_time(message.occurred_at)
                await self._on_mark(message, feed)
            case _:
                pass  # of a symbol that another feed brings

    def _is_heard(self, symbol: str, feed: int) -> bool:
        self._heard_at_s[symbol] = self._clock.monotonic_s()
        return self._feed_of.get(symbol) == feed

    async def _on_candle(self, message: CandleClosed) -> None:
        candle = message.candle
        track = self._tracks.get(Series(candle.symbol, candle.timeframe))
        if track is None or self._builders:
            return
        self._heard_at_s[candle.symbol] = self._clock.monotonic_s()
        self._market_at = max(self._market_at, message.occurred_at)
        await self._take(track, [candle])

    async def _on_mark(self, message: TapeAdvanced, feed: int) -> None:
        """A mark is passed on when every feed that gives marks has come so far."""
        self._marks[feed] = message.position
        position = min(self._marks.values())
        if position != self._position:
            self._position = position
            await self._sink(replace(message, position=position))

    async def _pass_time(self, at: int) -> None:
        """Every tick of market time: close what time closes, ask for what is overdue; symbols in name order."""
        before, self._market_at = self._market_at, max(self._market_at, at)
        if before // _TICK_US == self._market_at // _TICK_US:
            return
        for series, track in self._tracks.items():
            builder = self._builders.get(series)
            if builder is not None:
                await self._take_built(track, builder, builder.advance(self._market_at))
            else:
                track.gaps.overdue(self._market_at, grace_us=self._options.overdue_us)
            if track.gaps and self._market_at - self._asked_at.get(series, 0) >= self._options.overdue_us:
                await self._repair(track)

    async def _build(self, trade: TradePrinted) -> None:
        for series, builder in self._builders.items():
            if series.symbol == trade.symbol:
                await self._take_built(self._tracks[series], builder, builder.add(trade))

    async def _take_built(self, track: Track, builder: CandleBuilder, closed: list[Candle]) -> None:
        for opened_at in builder.take_doubts():
            if track.series in self._live_from:  # what is older than the first live candle is history
                track.gaps.doubt(opened_at)
        if closed:
            await self._take(track, closed)

    # ── what becomes of a candle ────────────────────────────────────────────────────────────────────────────

    async def _take(self, track: Track, candles: list[Candle]) -> None:
        """What is missing before these candles comes first, so that all leave in time order."""
        live_from = self._live_from.setdefault(track.series, candles[0].opened_at)
        if track.series in self._unwarmed:
            history = await self._ask_history(track, track.timeframes, live_from)
            if history is not None:
                self._unwarmed.discard(track.series)
                await self._warm_up(track, (), history)
        for candle in candles:
            track.gaps.observe(candle.opened_at)
        if track.gaps:
            await self._repair(track)
        for candle in candles:
            await self._publish(track, candle)

    async def _repair(self, track: Track) -> None:
        """Ask for what is missing; what the venue cannot say now is asked again with the next candle at the latest."""
        self._asked_at[track.series] = self._market_at
        for start, end in track.gaps.ranges():
            found = await self._ask(track.series, start, end)
            if found is None:
                return
            self.counts.given_up += track.gaps.asked(start, end, [candle.opened_at for candle in found])
            news = [candle for candle in found if await self._publish(track, candle)]
            if news:
                self.counts.repaired += len(news)
                await self._sink(self._gap_repaired(track.series, news))

    async def _ask(self, series: Series, start: int, end: int) -> list[Candle] | None:
        try:
            candles = await self._source.candles(series.symbol, series.timeframe, start, end)
        except Unavailable:
            self.counts.questions_failed += 1
            return None
        return [candle for candle in candles if start <= candle.opened_at < end]

    async def _publish(self, track: Track, candle: Candle) -> bool:
        accepted = track.accept(candle)
        if not accepted:
            self.counts.duplicates += 1
        elif accepted[0].revision > candle.revision:
            self.counts.corrections += 1
        for each in accepted:
            await self._send(each)
        return bool(accepted)

    async def _send(self, candle: Candle) -> None:
        await self._sink(self._closed(candle, max(self._market_at, candle.closes_at)))

    def _closed(self, candle: Candle, at: int) -> CandleClosed:
        series = Series(candle.symbol, candle.timeframe)
        trace_id = candle_trace_id(self._options.venue, series, candle.opened_at)
        return CandleClosed(trace_id=trace_id, occurred_at=at, candle=candle)

    def _gap_repaired(self, series: Series, candles: list[Candle]) -> GapRepaired:
        first, last = candles[0].opened_at, candles[-1].opened_at
        return GapRepaired(
            trace_id=candle_trace_id(self._options.venue, series, last),
            occurred_at=max(self._market_at, candles[-1].closes_at),
            symbol=series.symbol,
            timeframe=series.timeframe,
            first_opened_at=first,
            last_opened_at=last,
            candle_count=len(candles),
        )
