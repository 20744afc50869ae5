"""Market data as Binance writes it: one function a payload, numbers as strings of eight decimals, times in ms."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tidegate.venues.simulator.bars import Bar, interval_end
from tidegate.venues.simulator.book import Level
from tidegate.venues.simulator.tape import Print

Json = dict[str, object]


def number(value: Decimal) -> str:
    """Eight decimals, as all prices and quantities travel."""
    return f"{value:.8f}"


def milliseconds(at: int) -> int:
    """ms from µs."""
    return at // 1_000


def levels(side: Iterable[Level]) -> list[tuple[str, str]]:
    """Price and quantity of each level."""
    return [(number(price), number(quantity)) for price, quantity in side]


def trade(wire_symbol: str, item: Print) -> Json:
    """Stream `@trade`."""
    return {
        "e": "trade",
        "E": milliseconds(item.at),
        "s": wire_symbol,
        "t": item.trade_id,
        "p": number(item.price),
        "q": number(item.quantity),
        "T": milliseconds(item.at),
        "m": item.is_buyer_maker,
        "M": True,
    }


def aggregate_trade(wire_symbol: str, item: Print) -> Json:
    """Stream `@aggTrade`; each trade here is its own aggregate."""
    return {
        "e": "aggTrade",
        "E": milliseconds(item.at),
        "s": wire_symbol,
        "a": item.trade_id,
        "p": number(item.price),
        "q": number(item.quantity),
        "f": item.trade_id,
        "l": item.trade_id,
        "T": milliseconds(item.at),
        "m": item.is_buyer_maker,
        "M": True,
    }


def book_ticker(wire_symbol: str, update_id: int, bid: Level, ask: Level) -> Json:
    """Stream `@bookTicker`, the one without an event time."""
    return {
        "u": update_id,
        "s": wire_symbol,
        "b": number(bid[0]),
        "B": number(bid[1]),
        "a": number(ask[0]),
        "A": number(ask[1]),
    }


def depth_update(
    wire_symbol: str, at: int, update_ids: tuple[int, int], bids: Sequence[Level], asks: Sequence[Level]
) -> Json:
    """Stream `@depth` and `@depth@100ms`; `update_ids` are the first and the last of this event."""
    return {
        "e": "depthUpdate",
        "E": milliseconds(at),
        "s": wire_symbol,
        "U": update_ids[0],
        "u": update_ids[1],
        "b": levels(bids),
        "a": levels(asks),
    }


def depth_snapshot(update_id: int, bids: Sequence[Level], asks: Sequence[Level]) -> Json:
    """GET depth and the streams `@depth5`, `@depth10` and `@depth20`."""
    return {"lastUpdateId": update_id, "bids": levels(bids), "asks": levels(asks)}


def kline(wire_symbol: str, interval: str, bar: Bar, *, at: int, is_closed: bool) -> Json:
    """Stream `@kline_<interval>`."""
    return {
        "e": "kline",
        "E": milliseconds(at),
        "s": wire_symbol,
        "k": {
            "t": milliseconds(bar.opened_at),
            "T": milliseconds(interval_end(bar.opened_at, interval)) - 1,
            "s": wire_symbol,
            "i": interval,
            "f": bar.first_trade_id,
            "L": bar.last_trade_id,
            "o": number(bar.open),
            "c": number(bar.close),
            "h": number(bar.high),
            "l": number(bar.low),
            "v": number(bar.volume),
            "n": bar.trade_count,
            "x": is_closed,
            "q": number(bar.quote_volume),
            "V": number(bar.taker_volume),
            "Q": number(bar.taker_quote_volume),
            "B": "0",
        },
    }


def rest_kline(bar: Bar, interval: str) -> list[object]:
    """One row of GET klines."""
    return [
        milliseconds(bar.opened_at),
        number(bar.open),
        number(bar.high),
        number(bar.low),
        number(bar.close),
        number(bar.volume),
        milliseconds(interval_end(bar.opened_at, interval)) - 1,
        number(bar.quote_volume),
        bar.trade_count,
        number(bar.taker_volume),
        number(bar.taker_quote_volume),
        "0",
    ]


def rest_trade(item: Print) -> Json:
    """One row of GET trades and historicalTrades."""
    return {
        "id": item.trade_id,
        "price": number(item.price),
        "qty": number(item.quantity),
        "quoteQty": number(item.price * item.quantity),
        "time": milliseconds(item.at),
        "isBuyerMaker": item.is_buyer_maker,
        "isBestMatch": True,
    }


def rest_aggregate_trade(item: Print) -> Json:
    """One row of GET aggTrades."""
    return {
        "a": item.trade_id,
        "p": number(item.price),
        "q": number(item.quantity),
        "f": item.trade_id,
        "l": item.trade_id,
        "T": milliseconds(item.at),
        "m": item.is_buyer_maker,
        "M": True,
    }


# ── 24-hour statistics: one dictionary of plain names, written three ways ──────────────────────────────

_TICKER = {  # REST name -> stream name
    "priceChange": "p",
    "priceChangePercent": "P",
    "weightedAvgPrice": "w",
    "prevClosePrice": "x",
    "lastPrice": "c",
    "lastQty": "Q",
    "bidPrice": "b",
    "bidQty": "B",
    "askPrice": "a",
    "askQty": "A",
    "openPrice": "o",
    "highPrice": "h",
    "lowPrice": "l",
    "volume": "v",
    "quoteVolume": "q",
    "openTime": "O",
    "closeTime": "C",
    "firstId": "F",
    "lastId": "L",
    "count": "n",
}
_MINI = (
    "openPrice",
    "highPrice",
    "lowPrice",
    "lastPrice",
    "volume",
    "quoteVolume",
    "openTime",
    "closeTime",
    "firstId",
    "lastId",
    "count",
)


def stream_ticker(statistics: Json, at: int) -> Json:
    """Stream `@ticker` from a row of GET ticker/24hr."""
    renamed = {short: statistics[name] for name, short in _TICKER.items()}
    return {"e": "24hrTicker", "E": milliseconds(at), "s": statistics["symbol"]} | renamed


def stream_mini_ticker(statistics: Json, at: int) -> Json:
    """Stream `@miniTicker` from a row of GET ticker/24hr."""
    return {
        "e": "24hrMiniTicker",
        "E": milliseconds(at),
        "s": statistics["symbol"],
        "c": statistics["lastPrice"],
        "o": statistics["openPrice"],
        "h": statistics["highPrice"],
        "l": statistics["lowPrice"],
        "v": statistics["volume"],
        "q": statistics["quoteVolume"],
    }


def mini(statistics: Json) -> Json:
    """GET ticker/24hr with `type=MINI`."""
    return {"symbol": statistics["symbol"]} | {name: statistics[name] for name in _MINI}
