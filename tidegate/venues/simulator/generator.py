"""A market made from a seed, readable at any moment without having lived through the time before.

The price is a random walk built by bisection: each point in time is the middle of two coarser ones, moved by noise.
The noise is scaled by weights multiplied down the same tree, so that calm and wild times cluster as they do in real
markets. Trades come in blocks of 15 s; levels of the book stand on a fixed grid and change their quantity every 4 s.
Everything is a function of (seed, symbol, time since the origin): a restart continues the same prices, and history
needs no storage.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from tidegate.domain.candles import SECOND_US
from tidegate.venues.simulator.bars import Bar, flat_bar
from tidegate.venues.simulator.book import Level, changes
from tidegate.venues.simulator.symbols import grid_of
from tidegate.venues.simulator.tape import BookChange, Item, Part, Print, Step

HISTORY_MINUTES = 1_500  # 1m bars that exist when a world begins
HISTORY_SECONDS = 1_200
BLOCK_S = 15
BLOCK_TRADES = 12
TICKS_PER_S = 5  # book changes a second
LEVELS = 25  # a side
FIRST_TRADE_ID = 1_000_000_000  # of the origin; history counts down from it
_MASK = (1 << 64) - 1
_FINEST_S = 2  # between the finest points of the path
_TILE_LEVEL = 19  # the coarsest are 2^20 s (12 days) apart
_POINTS_KEPT = 60_000
_VOLATILITY = 1.4e-4  # of the log price over one second, before clustering
_CLUSTERING = 0.22  # spread of the weight that each bisection multiplies to the noise
_TRADE_NOTIONAL = 1_500.0  # quote, on average
_SPREAD = 2e-5  # distance between levels as a fraction of the base price
_SALTS = {"path": 1, "weight": 2, "time": 3, "trade": 4, "level": 5}


class Path:
    """The log price of one symbol at any time since the origin, negative ones included."""

    def __init__(self, key: int) -> None:
        self._key = key
        self._points: dict[tuple[int, int], float] = {}
        self._weights: dict[tuple[int, int], float] = {}

    def at(self, time_s: float) -> float:
        """Log of the price over the base price; a straight line between the finest points."""
        if len(self._points) > _POINTS_KEPT:
            self._points.clear()
            self._weights.clear()
        index = math.floor(time_s / _FINEST_S)
        fraction = time_s / _FINEST_S - index
        return self._point(0, index) * (1 - fraction) + self._point(0, index + 1) * fraction

    def weight_at(self, second: int) -> float:
        """How wild the minute around this second is: 1 is usual."""
        return self._weight(5, second // _FINEST_S >> 5)

    def _point(self, level: int, index: int) -> float:
        while index % 2 == 0 and level < _TILE_LEVEL:
            level, index = level + 1, index // 2
        key = (level, index)
        value = self._points.get(key)
        if value is None:
            if level == _TILE_LEVEL:
                value = 0.04 * gauss(self._key, _SALTS["path"], level, index)
            else:
                middle = (self._point(level + 1, index // 2) + self._point(level + 1, index // 2 + 1)) / 2
                deviation = _VOLATILITY * math.sqrt(_FINEST_S * (2 << level)) / 2 * self._weight(level + 1, index // 2)
                value = middle + deviation * gauss(self._key, _SALTS["path"], level, index)
            self._points[key] = value
        return value

    def _weight(self, level: int, index: int) -> float:
        if level >= _TILE_LEVEL:
            return 1.0
        key = (level, index)
        value = self._weights.get(key)
        if value is None:
            # Its mean square is 1, so that clustering makes no extra volatility on average.
            own = math.exp(_CLUSTERING * gauss(self._key, _SALTS["weight"], level, index) - _CLUSTERING**2)
            value = self._weight(level + 1, index // 2) * own
            self._weights[key] = value
        return value


class _Trade(NamedTuple):
    number: int  # counts since the origin
    at_ms: int  # since the origin
    price_ticks: int
    lots: int
    is_buyer_maker: bool


class SymbolMarket:
    """Trades and book of one generated symbol as functions of time."""

    def __init__(self, seed: int, symbol: str, origin: int) -> None:
        grid = grid_of(symbol)
        digest = hashlib.sha256(f"{seed}|{symbol}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "big")
        self._path = Path(self._key)
        self._symbol = symbol
        self._origin = origin
        self._base_price = grid.base_price
        self._tick, self._lot = grid.tick_size, grid.lot_size
        self._tick_value, self._lot_value = float(grid.tick_size), float(grid.lot_size)
        self._level_ticks = max(1, round(grid.base_price * _SPREAD / self._tick_value))
        self._blocks: dict[int, list[_Trade]] = {}
        self._minutes: dict[int, Bar] = {}
        self._shown: tuple[int, int] | None = None
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._update_id = 0

    def prints(self, second: int) -> list[Print]:
        """Trades of one second since the origin, in time order."""
        return [self._print(trade) for trade in self._trades(second, second + 1)]

    def bars(self, first: int, last: int, length_s: int) -> list[Bar]:
        """Bars of seconds `first` to `last` (exclusive), whole ones of `length_s`, folded from the same trades."""
        return [self._bar(start, length_s) for start in range(first, last, length_s)]

    def _bar(self, start: int, length_s: int) -> Bar:
        bar = self._minutes.get(start) if length_s == 60 else None
        if bar is None:
            bar = self._fold(start, length_s)
            if length_s == 60:
                self._minutes[start] = bar
        return bar

    def _fold(self, start: int, length_s: int) -> Bar:
        opened_at = self._origin + start * SECOND_US
        trades = self._trades(start, start + length_s)
        if not trades:
            return flat_bar(opened_at, self._last_price_before(start))
        prices = [trade.price_ticks for trade in trades]
        bought = [trade for trade in trades if not trade.is_buyer_maker]
        tick, lot = self._tick, self._lot
        return Bar(
            opened_at,
            prices[0] * tick,
            max(prices) * tick,
            min(prices) * tick,
            prices[-1] * tick,
            sum(trade.lots for trade in trades) * lot,
            sum(trade.lots * trade.price_ticks for trade in trades) * tick * lot,
            len(trades),
            sum(trade.lots for trade in bought) * lot,
            sum(trade.lots * trade.price_ticks for trade in bought) * tick * lot,
            FIRST_TRADE_ID + trades[0].number,
            FIRST_TRADE_ID + trades[-1].number,
        )

    def _trades(self, first: int, last: int) -> list[_Trade]:
        blocks = range(first // BLOCK_S, (last - 1) // BLOCK_S + 1)
        return [
            trade for block in blocks for trade in self._block(block) if first * 1_000 <= trade.at_ms < last * 1_000
        ]

    def _print(self, trade: _Trade) -> Print:
        return Print(
            self._symbol,
            FIRST_TRADE_ID + trade.number,
            trade.price_ticks * self._tick,
            trade.lots * self._lot,
            trade.is_buyer_maker,
            self._origin + trade.at_ms * 1_000,
        )

    def book_change(self, tick: int) -> BookChange | None:
        """What the book has changed at this fifth of a second, or None; must be asked in time order."""
        best = self._best_bid_level(tick / TICKS_PER_S)
        epoch = tick // (4 * TICKS_PER_S)
        if self._shown == (best, epoch):
            return None
        self._shown = (best, epoch)
        bids = dict(self._level(best - i, i, epoch) for i in range(LEVELS))
        asks = dict(self._level(best + 1 + i, i, epoch) for i in range(LEVELS))
        changed_bids = changes(self._bids, bids)
        changed_asks = changes(self._asks, asks)
        is_first = not self._update_id
        self._bids, self._asks = bids, asks
        # Far above any id of history, and rising with time across restarts.
        update_id = 1_000_000_000_000 + tick * 64 + len(changed_bids) % 64
        first_update_id = update_id if is_first else self._update_id + 1
        self._update_id = update_id
        at = self._origin + tick * (SECOND_US // TICKS_PER_S)
        return BookChange(
            self._symbol, first_update_id, update_id, changed_bids, changed_asks, at, is_snapshot=is_first
        )

    def _best_bid_level(self, time_s: float) -> int:
        return int(self._base_price * math.exp(self._path.at(time_s)) / self._tick_value) // self._level_ticks

    def _level(self, level: int, rank: int, epoch: int) -> Level:
        noise = uniform(self._key, _SALTS["level"], level, epoch)
        notional = 1_500.0 * (1 + rank) * math.exp(2.2 * noise)
        price = level * self._level_ticks
        lots = max(1, int(notional / (price * self._tick_value) / self._lot_value))
        return price * self._tick, lots * self._lot

    def _block(self, number: int) -> list[_Trade]:
        found = self._blocks.get(number)
        if found is None:
            if len(self._blocks) > 64:
                self._blocks.clear()
            found = self._blocks[number] = self._make_block(number)
        return found

    def _make_block(self, number: int) -> list[_Trade]:
        first_trade = number * BLOCK_TRADES
        length_ms = BLOCK_S * 1_000
        times = sorted(
            number * length_ms + mixed(self._key, _SALTS["time"], first_trade + i, 0) % length_ms
            for i in range(BLOCK_TRADES)
        )
        notional = _TRADE_NOTIONAL * self._path.weight_at(number * BLOCK_S)
        block = []
        for trade, at_ms in enumerate(times, start=first_trade):
            # Trades meet the book as it stood at the last of its changes.
            best = self._best_bid_level(at_ms * TICKS_PER_S // 1_000 / TICKS_PER_S)
            bits = mixed(self._key, _SALTS["trade"], trade, 0)
            is_buyer_maker = bits & 1 == 0
            price_ticks = (best if is_buyer_maker else best + 1) * self._level_ticks
            # Exponentially distributed: many small trades, a few large ones.
            quantity = -math.log((bits >> 11 | 1) / (1 << 53)) * notional / (price_ticks * self._tick_value)
            lots = max(1, int(quantity / self._lot_value))
            block.append(_Trade(trade, at_ms, price_ticks, lots, is_buyer_maker))
        return block

    def _last_price_before(self, second: int) -> Decimal:
        earlier = self._trades(second - 2 * BLOCK_S, second)
        return earlier[-1].price_ticks * self._tick


class GeneratedTape:
    """Several generated symbols, one step a second; `starts_at` is on a whole minute."""

    fill_model = "book"
    bases = ("1s", "1m")
    lateness_us = 0

    def __init__(self, seed: int, symbols: Sequence[str], starts_at: int) -> None:
        self.symbols = tuple(symbols)
        self.starts_at = starts_at
        self._markets = {symbol: SymbolMarket(seed, symbol, starts_at) for symbol in symbols}

    def price_of(self, symbol: str) -> float:
        """The price from which its path departs."""
        return grid_of(symbol).base_price

    def steps(self, after: int) -> Iterator[Step]:
        """Step n holds second n-1 since the start; it never ends."""
        position = after
        while True:
            yield Step(position + 1, [self._part(position, tick) for tick in range(TICKS_PER_S)])
            position += 1

    def past(self, position: int) -> Iterator[Step]:
        """The trades of the minute before and of the one that is open, and the book of the last moment."""
        for second in range(position - position % 60 - 60, position):
            at = self.starts_at + (second + 1) * SECOND_US
            items: list[Item] = []
            for market in self._markets.values():
                items += market.prints(second)
                change = market.book_change(position * TICKS_PER_S - 1) if second == position - 1 else None
                if change is not None:
                    items.append(change)
            yield Step(second + 1, [Part(at, items)])

    def history(self, symbol: str, base: str, start: int, end: int) -> list[Bar]:
        """Bars folded from the trades, before the start and since: any time is as good as any other here."""
        length_s = 1 if base == "1s" else 60
        earliest = -HISTORY_SECONDS if base == "1s" else -HISTORY_MINUTES * 60
        first = max(earliest, -((self.starts_at - start) // SECOND_US))
        first += -first % length_s
        last = -((self.starts_at - end) // SECOND_US)
        return self._markets[symbol].bars(first, last, length_s)

    def _part(self, second: int, tick: int) -> Part:
        length_us = SECOND_US // TICKS_PER_S
        start = self.starts_at + second * SECOND_US + tick * length_us
        items: list[Item] = []
        for market in self._markets.values():
            change = market.book_change(second * TICKS_PER_S + tick)
            if change is not None:
                items.append(change)
            items += [trade for trade in market.prints(second) if start <= trade.at < start + length_us]
        return Part(start + length_us, items)


def gauss(key: int, salt: int, a: int, b: int) -> float:
    """A standard normal number (sum of four uniform ones) that belongs to these four integers."""
    bits = mixed(key, salt, a, b)
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total / 65_536 - 2) * 1.7320508


def uniform(key: int, salt: int, a: int, b: int) -> float:
    """A number from 0 to 1 that belongs to these four integers."""
    return mixed(key, salt, a, b) / (_MASK + 1)


def mixed(key: int, salt: int, a: int, b: int) -> int:
    """64 well mixed bits (the finalizer of splitmix64) of four integers, the same on every machine."""
    bits = (key ^ salt * 0x9E3779B97F4A7C15 ^ a * 0xC2B2AE3D27D4EB4F ^ b * 0x165667B19E3779F9) & _MASK
    bits = ((bits ^ bits >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ bits >> 27) * 0x94D049BB133111EB) & _MASK
    return bits ^ bits >> 31
