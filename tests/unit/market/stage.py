"""Candles, trades and a scripted venue for the tests of this stage."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from tidegate.domain.candles import Candle, CandleSource, duration_us
from tidegate.domain.errors import Unavailable
from tidegate.domain.ids import TraceId
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import CandleClosed, GapRepaired, MarketMessage, QuoteChanged, TapeAdvanced, TradePrinted
from tidegate.domain.ports import BookSnapshot
from tidegate.kit.clock import ManualClock
from tidegate.market.model import Series
from tidegate.market.service import Ingest, IngestOptions

SECOND = duration_us("1s")
MINUTE = duration_us("1m")
DAY = duration_us("1d")
BTC, ETH = "BTC/USDT", "ETH/USDT"


def candle(minute: int, close: str = "100", *, symbol: str = BTC, timeframe: str = "1m", **changes: object) -> Candle:
    """A bar that is flat at `close` unless more is said, `minute` bars after the epoch."""
    price = Decimal(close)
    plain = Candle(
        symbol=symbol,
        timeframe=timeframe,
        opened_at=minute * duration_us(timeframe),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def closed(bar: Candle) -> CandleClosed:
    """As a venue sends it, at the moment of its close."""
    return CandleClosed(trace_id=TraceId("venue"), occurred_at=bar.closes_at, candle=bar)


def trade(number: int, at_s: float, price: str = "100", *, symbol: str = BTC, quantity: str = "1") -> TradePrinted:
    """Trade `number` of a symbol, `at_s` seconds after the epoch."""
    return TradePrinted(
        trace_id=TraceId("venue"),
        occurred_at=round(at_s * SECOND),
        symbol=symbol,
        venue_trade_id=str(number),
        price=Decimal(price),
        quantity=Decimal(quantity),
        is_buyer_maker=False,
    )


def quote(at_s: float, bid: str = "99", ask: str = "101", *, symbol: str = BTC) -> QuoteChanged:
    """A best bid and ask, one of each."""
    return QuoteChanged(
        trace_id=TraceId("venue"),
        occurred_at=round(at_s * SECOND),
        symbol=symbol,
        bid_price=Decimal(bid),
        bid_quantity=Decimal(1),
        ask_price=Decimal(ask),
        ask_quantity=Decimal(1),
    )


def mark(position: int, at_s: float) -> TapeAdvanced:
    """The tape's mark behind everything up to `at_s`."""
    return TapeAdvanced(trace_id=TraceId("venue"), occurred_at=round(at_s * SECOND), position=position)


class ScriptedVenue:
    """Streams a script and answers for history; `questions_failing` makes that many questions fail."""

    def __init__(self, script: Iterable[MarketMessage] = (), history: Iterable[Candle] = ()) -> None:
        self.script = list(script)
        self.history = {(each.symbol, each.timeframe, each.opened_at): each for each in history}
        self.questions: list[tuple[str, str, int, int]] = []
        self.questions_failing = 0
        self.streams: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.books = 0

    async def instruments(self) -> Sequence[Instrument]:
        return [Instrument(symbol, symbol[:3], "USDT", Decimal("0.01"), Decimal("0.00001")) for symbol in (ETH, BTC)]

    async def candles(self, symbol: str, timeframe: str, start: int, end: int) -> list[Candle]:
        self.questions.append((symbol, timeframe, start, end))
        if self.questions_failing:
            self.questions_failing -= 1
            raise Unavailable("The venue is away.")
        found = (self.history.get((symbol, timeframe, at)) for at in range(start, end, duration_us(timeframe)))
        return [replace(each, source=CandleSource.REST) for each in found if each]

    async def book(self, symbol: str, depth: int) -> BookSnapshot:
        self.books += 1
        level = (Decimal(1), Decimal(2))
        return BookSnapshot(symbol, self.books, (level,) * depth, (level,) * depth)

    async def stream(self, symbols: Sequence[str], timeframes: Sequence[str]) -> AsyncIterator[MarketMessage]:
        self.streams.append((tuple(symbols), tuple(timeframes)))
        for message in self.script:
            if isinstance(message, TapeAdvanced) or _symbol_of(message) in symbols:
                yield message


def _symbol_of(message: MarketMessage) -> str:
    match message:
        case CandleClosed(candle=bar):
            return bar.symbol
        case TapeAdvanced():
            return ""
        case _:
            return message.symbol


class Heard:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.messages: list[MarketMessage] = []
        self.history: list[Candle] = []

    async def send(self, message: MarketMessage) -> None:
        self.messages.append(message)

    async def send_history(self, candles: Sequence[CandleClosed]) -> None:
        self.history += [each.candle for each in candles]

    def candles(self, timeframe: str = "1m", symbol: str = BTC) -> list[Candle]:
        """In the order in which they came."""
        found = [each.candle for each in self.messages if isinstance(each, CandleClosed)]
        return [each for each in found if (each.symbol, each.timeframe) == (symbol, timeframe)]

    def final(self, timeframe: str = "1m", symbol: str = BTC) -> list[tuple[object, ...]]:
        """What a reader ends with: the highest revision of each open time, without source and revision."""
        newest: dict[int, Candle] = {}
        for each in self.candles(timeframe, symbol):
            if each.opened_at not in newest or each.revision > newest[each.opened_at].revision:
                newest[each.opened_at] = each
        return [numbers(newest[at]) for at in sorted(newest)]

    def gaps(self) -> list[GapRepaired]:
        return [each for each in self.messages if isinstance(each, GapRepaired)]


def numbers(bar: Candle) -> tuple[object, ...]:
    """What makes two candles the same bar with the same content."""
    return (bar.opened_at, bar.open, bar.high, bar.low, bar.close, bar.volume)


def run_ingest(
    venue: ScriptedVenue,
    *wanted: tuple[str, str],
    candles_from: CandleSource = CandleSource.STREAM,
    now: int = 0,
    history_bars: int = 200,
) -> tuple[Heard, Ingest]:
    """Serve the wanted (symbol, timeframe) until the script has ended."""
    heard = Heard()
    options = IngestOptions(venue="test", candles_from=candles_from, history_bars=history_bars)
    ingest = Ingest(venue, heard.send, options, clock=ManualClock(now), history_sink=heard.send_history)

    async def story() -> None:
        await ingest.want([Series(*each) for each in wanted or [(BTC, "1m")]])
        await ingest.run()

    asyncio.run(story())
    return heard, ingest
