"""Frames of the combined market stream into messages; what a renewed connection says twice is told once."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from tidegate.domain.candles import CandleSource
from tidegate.domain.ids import TraceId
from tidegate.domain.instruments import stream_symbol
from tidegate.domain.messages import CandleClosed, MarketMessage, QuoteChanged, TapeAdvanced, TradePrinted
from tidegate.kit.clock import MILLISECOND_US
from tidegate.venues.binance import payloads
from tidegate.venues.binance.errors import PayloadUnreadable
from tidegate.venues.binance.parse import candle_of, not_negative, positive, read

TAPE_STREAM = "!tape"
INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")

_Reader = Callable[[msgspec.Raw], MarketMessage | None]

_frame = msgspec.json.Decoder(payloads.StreamFrame)
_trade = msgspec.json.Decoder(payloads.TradeEvent)
_ticker = msgspec.json.Decoder(payloads.BookTickerEvent)
_kline = msgspec.json.Decoder(payloads.KlineEvent)
_tape = msgspec.json.Decoder(payloads.TapeEvent)


class MarketFrames:
    """Knows what was asked for; `market_at` (µs) is the newest time that the venue has told."""

    def __init__(self, symbols: Sequence[str], timeframes: Sequence[str], *, has_tape: bool) -> None:
        self.market_at = 0
        self._newest: dict[str, int] = {}  # by stream: the last trade id, update id or open time
        self._readers: dict[str, _Reader] = {}
        for symbol in symbols:
            wire = stream_symbol(symbol)
            name = f"{wire.lower()}@trade"
            self._readers[name] = partial(self._on_trade, name, symbol, wire)
            name = f"{wire.lower()}@bookTicker"
            self._readers[name] = partial(self._on_ticker, name, symbol, wire)
            for timeframe in timeframes:
                name = f"{wire.lower()}@kline_{timeframe}"
                self._readers[name] = partial(self._on_kline, name, symbol, wire, timeframe)
        if has_tape:
            self._readers[TAPE_STREAM] = self._on_tape

    @property
    def streams(self) -> list[str]:
        """What to subscribe to."""
        return list(self._readers)

    def read(self, raw: bytes | str) -> MarketMessage | None:
        """The message of a frame; None for what is not news: an open candle, a repetition, a quote without a time."""
        frame = read(_frame, raw, "frame")
        reader = self._readers.get(frame.stream)
        if reader is None:
            raise PayloadUnreadable(f"Binance sent the stream {frame.stream!r}, which was not asked for.")
        return reader(frame.data)

    def _on_trade(self, stream: str, symbol: str, wire: str, raw: msgspec.Raw) -> MarketMessage | None:
        event = read(_trade, raw, "trade")
        _expect(event.symbol, wire)
        if not self._is_news(stream, event.trade_id):
            return None
        self._pass_time(event.event_ms)
        return TradePrinted(
            trace_id=TraceId(f"binance:{wire}:trade:{event.trade_id}"),
            occurred_at=event.traded_ms * MILLISECOND_US,
            symbol=symbol,
            venue_trade_id=str(event.trade_id),
            price=positive(event.price, "trade price"),
            quantity=positive(event.quantity, "trade quantity"),
            is_buyer_maker=event.is_buyer_maker,
        )

    def _on_ticker(self, stream: str, symbol: str, wire: str, raw: msgspec.Raw) -> MarketMessage | None:
        """The payload carries no time: it happened at the newest time that anything else has told."""
        event = read(_ticker, raw, "bookTicker")
        _expect(event.symbol, wire)
        if not self.market_at or not self._is_news(stream, event.update_id):
            return None
        bid, ask = positive(event.bid_price, "bid"), positive(event.ask_price, "ask")
        if bid >= ask:
            raise PayloadUnreadable(f"Binance sent a bid of {bid} for {symbol}, not below its ask of {ask}.")
        return QuoteChanged(
            trace_id=TraceId(f"binance:{wire}:quote:{event.update_id}"),
            occurred_at=self.market_at,
            symbol=symbol,
            bid_price=bid,
            bid_quantity=not_negative(event.bid_quantity, "bid quantity"),
            ask_price=ask,
            ask_quantity=not_negative(event.ask_quantity, "ask quantity"),
        )

    def _on_kline(self, stream: str, symbol: str, wire: str, timeframe: str, raw: msgspec.Raw) -> MarketMessage | None:
        event = read(_kline, raw, "kline")
        _expect(event.symbol, wire)
        _expect(event.kline.interval, timeframe)
        at = self._pass_time(event.event_ms)
        if not event.kline.is_closed or self._newest.get(stream) == event.kline.opened_ms:
            return None
        candle = candle_of(event.kline, symbol, timeframe, CandleSource.STREAM)
        self._newest[stream] = event.kline.opened_ms
        trace_id = TraceId(f"binance:{wire}:{timeframe}:{event.kline.opened_ms}")
        return CandleClosed(trace_id=trace_id, occurred_at=at, candle=candle)

    def _on_tape(self, raw: msgspec.Raw) -> MarketMessage:
        event = read(_tape, raw, "tape mark")
        at = self._pass_time(event.event_ms)
        return TapeAdvanced(trace_id=TraceId(f"binance:tape:{event.position}"), occurred_at=at, position=event.position)

    def _pass_time(self, event_ms: int) -> int:
        at = event_ms * MILLISECOND_US
        self.market_at = max(self.market_at, at)
        return at

    def _is_news(self, stream: str, number: int) -> bool:
        if number <= self._newest.get(stream, -1):
            return False
        self._newest[stream] = number
        return True


def _expect(told: str, asked: str) -> None:
    if told != asked:
        raise PayloadUnreadable(f"Binance sent {told!r} on a stream of {asked!r}.")
