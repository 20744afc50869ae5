"""Frames of the combined market stream: real ones become messages, repeated ones are told once."""

import json
from decimal import Decimal

import pytest

from tests.venues.binance.recorded import capture_frames, needs_data
from tidegate.domain.messages import CandleClosed, MarketMessage, QuoteChanged, TapeAdvanced, TradePrinted
from tidegate.venues.binance.errors import PayloadUnreadable
from tidegate.venues.binance.market_frames import MarketFrames

BTC = "BTC/USDT"
TRADE = {"e": "trade", "E": 1_001, "s": "BTCUSDT", "t": 5, "p": "100.50", "q": "0.2", "T": 1_000, "m": True, "M": True}
TICKER = {"u": 40, "s": "BTCUSDT", "b": "100.4", "B": "1", "a": "100.6", "A": "2"}
KLINE = {
    "t": 60_000,
    "T": 119_999,
    "s": "BTCUSDT",
    "i": "1m",
    "f": 1,
    "L": 5,
    "o": "100",
    "c": "101",
    "h": "102",
    "l": "99",
    "v": "3",
    "n": 5,
    "x": True,
    "q": "300",
    "V": "1",
    "Q": "100",
    "B": "0",
}


def frames(*, has_tape: bool = False) -> MarketFrames:
    return MarketFrames([BTC], ["1m"], has_tape=has_tape)


def frame(stream: str, data: dict[str, object]) -> str:
    return json.dumps({"stream": stream, "data": data})


def trade(**changes: object) -> str:
    return frame("btcusdt@trade", TRADE | changes)


def ticker(**changes: object) -> str:
    return frame("btcusdt@bookTicker", TICKER | changes)


def kline(**changes: object) -> str:
    return frame("btcusdt@kline_1m", {"e": "kline", "E": 120_003, "s": "BTCUSDT", "k": KLINE | changes})


def test_one_symbol_needs_its_trades_its_quotes_its_candles_and_in_lockstep_the_tape() -> None:
    assert frames(has_tape=True).streams == ["btcusdt@trade", "btcusdt@bookTicker", "btcusdt@kline_1m", "!tape"]


def test_a_trade_happened_when_the_venue_says_that_it_was_made() -> None:
    message = frames().read(trade())
    assert isinstance(message, TradePrinted)
    assert (message.occurred_at, message.price, message.quantity) == (1_000_000, Decimal("100.50"), Decimal("0.2"))
    assert (message.venue_trade_id, message.is_buyer_maker) == ("5", True)


def test_a_quote_has_the_newest_time_that_was_told_and_none_is_told_before_there_is_one() -> None:
    reader = frames()
    assert reader.read(ticker(u=39)) is None
    reader.read(trade())
    message = reader.read(ticker())
    assert isinstance(message, QuoteChanged)
    assert (message.occurred_at, message.bid_price, message.ask_price) == (
        1_001_000,
        Decimal("100.4"),
        Decimal("100.6"),
    )


def test_only_a_closed_candle_is_told() -> None:
    reader = frames()
    assert reader.read(kline(x=False)) is None
    message = reader.read(kline())
    assert isinstance(message, CandleClosed)
    assert (message.candle.opened_at, message.candle.close, message.occurred_at) == (
        60_000_000,
        Decimal(101),
        120_003_000,
    )


def test_what_a_renewed_connection_says_again_is_told_once() -> None:
    reader = frames()
    spoken = [trade(), ticker(), kline(), trade(t=6), ticker(u=41)]
    first = [reader.read(one) for one in spoken]
    again = [reader.read(one) for one in spoken]
    assert None not in first
    assert again == [None] * len(spoken)


def test_a_tape_mark_is_passed_on_every_time() -> None:
    reader = frames(has_tape=True)
    mark = frame("!tape", {"e": "tapeAdvanced", "E": 7, "n": 3})
    assert [type(reader.read(mark)) for _ in range(2)] == [TapeAdvanced, TapeAdvanced]


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "[]",
        '{"result":null,"id":1}',
        frame("ethusdt@trade", TRADE),
        trade(s="ETHUSDT"),
        trade(p="0"),
        trade(q="-1"),
        trade(p="NaN"),
        trade(p=None),
        ticker(b="100.6"),
        ticker(a="Infinity"),
        kline(i="5m"),
        kline(h="98"),
        kline(t=61_000),
        kline(v="NaN"),
    ],
)
def test_a_frame_that_cannot_be_true_is_refused_by_a_sentence(raw: str) -> None:
    reader = frames()
    reader.read(trade(t=1))
    with pytest.raises(PayloadUnreadable, match="Binance"):
        reader.read(raw)


@needs_data
def test_six_recorded_minutes_are_read_without_a_loss() -> None:
    reader = MarketFrames([BTC], [], has_tape=False)
    told: list[MarketMessage] = []
    quotes = 0
    for raw in capture_frames():
        if b'"stream":"btcusdt@depth' in raw or not raw.startswith(b'{"stream"'):
            continue
        quotes += b"@bookTicker" in raw
        message = reader.read(raw)
        if message is not None:
            told.append(message)
    assert sum(isinstance(message, TradePrinted) for message in told) == 9_757
    # The first quote came before the first trade, and so before any time was known.
    assert sum(isinstance(message, QuoteChanged) for message in told) == quotes - 1 == 28_039
    times = [message.occurred_at for message in told if isinstance(message, QuoteChanged)]
    assert times == sorted(times)
