"""The names of this stage's streams, and the sink that fills them."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from tidegate.domain.errors import Unavailable
from tidegate.domain.instruments import stream_symbol
from tidegate.domain.messages import (
    CandleClosed,
    GapRepaired,
    MarketMessage,
    QuoteChanged,
    TapeAdvanced,
    TradePrinted,
    encode,
    from_json,
    to_json,
)
from tidegate.kit.bus import Bus
from tidegate.market.model import Series

TAPE_STREAM = "market:tape"
WANTED_STREAM = "market:wanted"  # every series that somebody has asked for; the ingest and the pages read it
_WANTED_MAX = 100_000
_CANDLES_MAX = 10_000  # a week of minutes
_QUOTES_MAX = 1_000
_TRADES_MAX = 10_000
_PENDING_MAX = 100_000
_BATCH_MAX = 2_000
_PAUSE_S = 0.2


def candle_stream(series: Series) -> str:
    """`market:BTCUSDT:1m`."""
    return f"market:{stream_symbol(series.symbol)}:{series.timeframe}"


def quote_stream(symbol: str) -> str:
    """`quotes:BTCUSDT`."""
    return f"quotes:{stream_symbol(symbol)}"


def trade_stream(symbol: str) -> str:
    """`trades:BTCUSDT`."""
    return f"trades:{stream_symbol(symbol)}"


async def ask_for(bus: Bus, series: Sequence[Series]) -> None:
    """Ask whoever runs the ingest to serve these; asking twice does nothing."""
    await bus.publish(WANTED_STREAM, [to_json(each) for each in series], maxlen=_WANTED_MAX)


def wanted_series(payload: bytes) -> Series:
    """What `ask_for` wrote."""
    return from_json(payload, Series)


class _Pending(NamedTuple):
    stream: str
    maxlen: int
    message: MarketMessage


class BusPublisher:
    """Takes at once, publishes in batches: one call a stream, and a tape mark never before its data.

    While the bus is away, candles and marks wait; quotes and trades are dropped once 100,000 messages wait.
    """

    def __init__(self, bus: Bus) -> None:
        self.dropped = 0
        self._bus = bus
        self._pending: deque[_Pending] = deque()
        self._news = asyncio.Event()

    async def send(self, message: MarketMessage) -> None:
        """The sink of an `Ingest`."""
        if len(self._pending) >= _PENDING_MAX and isinstance(message, QuoteChanged | TradePrinted):
            self.dropped += 1
            return
        self._pending.append(_addressed(message))
        self._news.set()

    async def send_history(self, candles: Sequence[CandleClosed]) -> None:
        """The history sink of an `Ingest`: the same streams, so that a reader who comes later warms up from them."""
        for candle in candles:
            await self.send(candle)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.flush()

    async def flush(self) -> None:
        """Publish all that is pending; what could not be published stays, and is tried again."""
        while self._pending:
            batch = self._take_batch()
            while batch:
                stream, waiting = next(iter(batch.items()))
                try:
                    payloads = [encode(pending.message) for pending in waiting]
                    await self._bus.publish(stream, payloads, maxlen=waiting[0].maxlen)
                except Unavailable:
                    # A part may have arrived: readers ignore a candle that they know.
                    await asyncio.sleep(_PAUSE_S)
                    continue
                del batch[stream]

    def _take_batch(self) -> dict[str, list[_Pending]]:
        batch: dict[str, list[_Pending]] = {}
        for _ in range(min(len(self._pending), _BATCH_MAX)):
            pending = self._pending.popleft()
            batch.setdefault(pending.stream, []).append(pending)
            if pending.stream == TAPE_STREAM:
                break  # the mark is the last of its batch, and the dict keeps the order of first use
        return batch


def _addressed(message: MarketMessage) -> _Pending:
    match message:
        case CandleClosed(candle=candle):
            return _Pending(candle_stream(Series(candle.symbol, candle.timeframe)), _CANDLES_MAX, message)
        case GapRepaired(symbol=symbol, timeframe=timeframe):
            return _Pending(candle_stream(Series(symbol, timeframe)), _CANDLES_MAX, message)
        case QuoteChanged(symbol=symbol):
            return _Pending(quote_stream(symbol), _QUOTES_MAX, message)
        case TradePrinted(symbol=symbol):
            return _Pending(trade_stream(symbol), _TRADES_MAX, message)
        case TapeAdvanced():
            return _Pending(TAPE_STREAM, _CANDLES_MAX, message)
