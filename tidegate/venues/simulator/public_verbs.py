"""Market data on request."""

import json
from collections.abc import Callable

from tidegate.domain.money import ZERO
from tidegate.venues.simulator import catalogue, frames
from tidegate.venues.simulator.bars import INTERVALS, interval_start, interval_us
from tidegate.venues.simulator.market import Market
from tidegate.venues.simulator.tape import Print
from tidegate.venues.simulator.wire import Params, WireError
from tidegate.venues.simulator.world import World

_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))


def ping(world: World, params: Params) -> object:
    """Nothing, quickly."""
    return {}


def time(world: World, params: Params) -> object:
    """Wall time, against which requests are signed."""
    return {"serverTime": world.now_ms()}


def exchange_info(world: World, params: Params) -> object:
    """Symbols, filters, limits."""
    wanted = {market.symbol for market in _asked_markets(world, params)}
    listed = [
        (symbol, world.exchange.state.statuses[name])
        for name, symbol in world.exchange.symbols.items()
        if name in wanted
    ]
    return catalogue.exchange_info(listed, world.limits.as_rows(), world.now_ms())


def depth(world: World, params: Params) -> object:
    """The best levels."""
    market = world.market(params.wire_symbol())
    limit = params.integer("limit", 100, least=1)
    book = market.book
    limit = min(limit, 5_000)
    return frames.depth_snapshot(book.update_id, book.bids(limit), book.asks(limit))


def depth_weight(params: Params) -> int:
    """More levels, more weight."""
    limit = min(params.integer("limit", 100), 5_000)
    return next(weight for most, weight in _DEPTH_WEIGHTS if limit <= most)


def trades(world: World, params: Params) -> object:
    """The latest trades, or those from an id."""
    market = world.market(params.wire_symbol())
    found = _from_id(list(market.prints), params)
    return [frames.rest_trade(item) for item in found]


def aggregate_trades(world: World, params: Params) -> object:
    """The same with short names; each trade is its own aggregate."""
    market = world.market(params.wire_symbol())
    start, end = params.time_or_none("startTime"), params.time_or_none("endTime")
    found = [
        item
        for item in market.prints
        if (start is None or item.at >= start) and (end is None or item.at // 1_000 <= end // 1_000)
    ]
    if start is not None:
        found = found[: _limit(params)]
    return [frames.rest_aggregate_trade(item) for item in _from_id(found, params)]


def klines(world: World, params: Params) -> object:
    """Bars, the open one included."""
    market = world.market(params.wire_symbol())
    interval = params.text("interval")
    if interval not in INTERVALS:
        raise WireError(-1120, "Invalid interval.")
    limit = _limit(params)
    start, end = params.time_or_none("startTime"), params.time_or_none("endTime")
    until = min(world.at, end if end is not None else world.at) + 1
    if start is None:
        # One bar more than asked for, because the open one counts too.
        begin = interval_start(until - 1, interval) - (limit - 1) * interval_us(interval)
    else:
        begin = start
        window = min(until, interval_start(start, interval) + (limit + 1) * interval_us(interval))
        if begin < window and not market.bars.read(interval, begin, window):
            window = until  # nothing that early: the oldest bars there are
        until = window
    bars = market.bars.read(interval, begin, until) if begin < until else []
    kept = bars[:limit] if start is not None else bars[-limit:]
    return [frames.rest_kline(bar, interval) for bar in kept]


def average_price(world: World, params: Params) -> object:
    """Over the last five minutes."""
    market = world.market(params.wire_symbol())
    price = market.average_price(5, world.at)
    return {
        "mins": 5,
        "price": frames.number(price or ZERO),
        "closeTime": frames.milliseconds(market.prints[-1].at if market.prints else world.at),
    }


def day_ticker(world: World, params: Params) -> object:
    """24-hour statistics of one, some or all symbols."""
    is_mini = params.text_or("type", "FULL") == "MINI"

    def row(market: Market) -> frames.Json:
        found = market.statistics(world.at)
        return frames.mini(found) if is_mini else found

    return _one_or_all(world, params, row)


def price_ticker(world: World, params: Params) -> object:
    """The last price of one, some or all symbols."""
    return _one_or_all(
        world,
        params,
        lambda market: {"symbol": market.wire_symbol, "price": frames.number(market.last_price or ZERO)},
    )


def book_ticker(world: World, params: Params) -> object:
    """The best bid and ask of one, some or all symbols."""

    def row(market: Market) -> frames.Json:
        bid, ask = market.best
        return {
            "symbol": market.wire_symbol,
            "bidPrice": frames.number(bid[0]),
            "bidQty": frames.number(bid[1]),
            "askPrice": frames.number(ask[0]),
            "askQty": frames.number(ask[1]),
        }

    return _one_or_all(world, params, row)


def ticker_weight(params: Params) -> int:
    """All symbols cost more than one."""
    return 2 if params.has("symbol") else 4


def day_ticker_weight(params: Params) -> int:
    """All symbols cost much more than one."""
    return 2 if params.has("symbol") or params.has("symbols") else 80


def _asked_markets(world: World, params: Params) -> list[Market]:
    if params.has("symbol"):
        return [world.market(params.wire_symbol())]
    if params.has("symbols"):
        return [world.market(name) for name in _names(params)]
    return list(world.markets.values())


def _names(params: Params) -> list[str]:
    try:
        names = json.loads(params.text("symbols"))
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WireError(-1100, "Illegal characters found in parameter 'symbols'.")
    return names


def _one_or_all(world: World, params: Params, row: Callable[[Market], frames.Json]) -> object:
    rows = [row(market) for market in _asked_markets(world, params)]
    return rows[0] if params.has("symbol") else rows


def _limit(params: Params) -> int:
    return min(params.integer("limit", 500, least=1), 1_000)


def _from_id(found: list[Print], params: Params) -> list[Print]:
    limit = _limit(params)
    first = params.integer_or_none("fromId")
    if first is None:
        return found[-limit:]
    return [item for item in found if item.trade_id >= first][:limit]
