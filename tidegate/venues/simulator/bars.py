"""Bars as a venue prints them: with taker volumes and trade ids, closed at their boundary, flat where nobody traded."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from tidegate.domain.candles import SECOND_US, Candle, floor_time
from tidegate.domain.money import ZERO

BARS_KEPT = {"1s": 7_200}
BARS_KEPT_OTHERWISE = 20_000
INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400 * SECOND_US


@dataclass(slots=True)
class Bar:
    """One bar, open or closed; `opened_at` in µs, volumes in base and quote."""

    opened_at: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    trade_count: int = 0
    taker_volume: Decimal = ZERO  # bought by takers
    taker_quote_volume: Decimal = ZERO
    first_trade_id: int = -1
    last_trade_id: int = -1

    def add(self, price: Decimal, quantity: Decimal, *, is_buyer_maker: bool, trade_id: int) -> None:
        """One more trade inside this bar; the first one sets all four prices."""
        if not self.trade_count:
            self.open = self.high = self.low = price
        if price > self.high:
            self.high = price
        if price < self.low:
            self.low = price
        self.close = price
        notional = price * quantity
        self.volume += quantity
        self.quote_volume += notional
        self.trade_count += 1
        if not is_buyer_maker:
            self.taker_volume += quantity
            self.taker_quote_volume += notional
        if self.first_trade_id < 0:
            self.first_trade_id = trade_id
        self.last_trade_id = trade_id

    def extend(self, later: "Bar") -> None:
        """Swallow the bar that follows inside the same longer interval."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.quote_volume += later.quote_volume
        self.trade_count += later.trade_count
        self.taker_volume += later.taker_volume
        self.taker_quote_volume += later.taker_quote_volume
        if self.first_trade_id < 0:
            self.first_trade_id = later.first_trade_id
        self.last_trade_id = max(self.last_trade_id, later.last_trade_id)

    def candle(self, symbol: str, timeframe: str) -> Candle:
        """The same bar in the words of the domain."""
        return Candle(
            symbol=symbol,
            timeframe=timeframe,
            opened_at=self.opened_at,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            quote_volume=self.quote_volume,
            trade_count=self.trade_count,
        )


def flat_bar(opened_at: int, price: Decimal) -> Bar:
    """The bar of an interval in which nobody traded."""
    return Bar(opened_at, price, price, price, price)


def first_bar(opened_at: int, price: Decimal, quantity: Decimal, *, is_buyer_maker: bool, trade_id: int) -> Bar:
    """The bar that its first trade opens."""
    bar = flat_bar(opened_at, price)
    bar.add(price, quantity, is_buyer_maker=is_buyer_maker, trade_id=trade_id)
    return bar


def interval_start(at: int, interval: str) -> int:
    """Open time (µs) of the bar of `interval` that contains `at`; months from the first, UTC."""
    if interval != "1M":
        return floor_time(at, interval)
    year, month = _civil_month(at // _DAY_US)
    return _days_before(year, month) * _DAY_US


def interval_end(opened_at: int, interval: str) -> int:
    """Open time (µs) of the bar after the one that opened at `opened_at`."""
    if interval != "1M":
        return opened_at + interval_us(interval)
    year, month = _civil_month(opened_at // _DAY_US)
    return _days_before(year + month // 12, month % 12 + 1) * _DAY_US


def interval_us(interval: str) -> int:
    """Length in µs; a month counts 31 days, which only bounds how far back one must look."""
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 31 * 86_400}
    return int(interval[:-1]) * units[interval[-1]] * SECOND_US


def merged(bars: Iterable[Bar], interval: str) -> list[Bar]:
    """Longer bars from consecutive shorter ones in time order; the first and last may be incomplete."""
    longer: list[Bar] = []
    for bar in bars:
        opened_at = interval_start(bar.opened_at, interval)
        if longer and longer[-1].opened_at == opened_at:
            longer[-1].extend(bar)
        else:
            copy = Bar(opened_at, bar.open, bar.high, bar.low, bar.close)
            copy.volume, copy.quote_volume, copy.trade_count = bar.volume, bar.quote_volume, bar.trade_count
            copy.taker_volume, copy.taker_quote_volume = bar.taker_volume, bar.taker_quote_volume
            copy.first_trade_id, copy.last_trade_id = bar.first_trade_id, bar.last_trade_id
            longer.append(copy)
    return longer


def _kept(base: str) -> int:
    return BARS_KEPT.get(base, BARS_KEPT_OTHERWISE)


History = Callable[[str, int, int], list[Bar]]
"""(base interval, from µs, until µs, exclusive) -> bars of the time before the tape, oldest first."""


class BarSeries:
    """All bars of one symbol: history from before the tape, and what the tape has printed since."""

    def __init__(self, history: History, bases: Sequence[str], begins_at: int) -> None:
        self._history = history
        self._begins_at = begins_at  # µs: what is earlier is history
        self._length_us = {base: interval_us(base) for base in bases}
        self.longest = bases[-1]
        self._closed: dict[str, list[Bar]] = {base: [] for base in bases}
        self._open: dict[str, Bar] = {}

    def add_print(self, price: Decimal, quantity: Decimal, *, at: int, is_buyer_maker: bool, trade_id: int) -> None:
        """Fold one trade into the open bars; call `close_until` first so that none is overdue."""
        for base, duration in self._length_us.items():
            bar = self._open.get(base)
            opened_at = at - at % duration
            if bar is None or bar.opened_at < opened_at:
                self._open[base] = first_bar(
                    opened_at, price, quantity, is_buyer_maker=is_buyer_maker, trade_id=trade_id
                )
            else:
                bar.add(price, quantity, is_buyer_maker=is_buyer_maker, trade_id=trade_id)

    def close_until(self, at: int) -> list[tuple[str, Bar]]:
        """Bars that are over at `at`, flat ones included, in the order in which they end."""
        done: list[tuple[str, Bar]] = []
        for base, duration in self._length_us.items():
            bar = self._open.get(base)
            if bar is None or bar.opened_at + duration > at:
                continue
            done.append((base, self._completed(base, bar)))
            close = done[-1][1].close
            flat_from = max(bar.opened_at + duration, at - at % duration - _kept(base) * duration)
            done += [(base, flat_bar(opened_at, close)) for opened_at in range(flat_from, at - at % duration, duration)]
            self._open[base] = flat_bar(at - at % duration, close)
        done.sort(key=lambda pair: pair[1].opened_at + self._length_us[pair[0]])
        for base, bar in done:
            self._keep(base, bar)
        return done

    def add_closed(self, base: str, bar: Bar) -> None:
        """A bar that the tape tells as a whole."""
        self._keep(base, bar)

    def read(self, interval: str, start: int, end: int) -> list[Bar]:
        """Bars with `start <= opened_at < end` (µs), the open one included, oldest first."""
        if interval in self._closed:
            return self._read_base(interval, start, end)
        if interval_us(interval) % self._length_us[self.longest]:
            return []  # shorter than what the tape tells
        first = interval_start(start, interval)
        until = interval_end(interval_start(end - 1, interval), interval)
        bars = merged(self._read_base(self.longest, first, until), interval)
        return [bar for bar in bars if start <= bar.opened_at < end]

    def open_bar(self, interval: str, at: int) -> Bar | None:
        """The bar of `interval` that contains `at`, as far as it has come."""
        start = interval_start(at, interval)
        found = self.read(interval, start, interval_end(start, interval))
        return found[-1] if found else None

    def before_the_tape(self) -> Bar | None:
        """The last bar of history, where there is one."""
        ends_at = self._begins_at - self._begins_at % self._length_us[self.longest]
        found = self._history(self.longest, ends_at - self._length_us[self.longest], ends_at)
        return found[-1] if found else None

    def average(self, minutes: int, at: int) -> tuple[Decimal, Decimal]:
        """Base and quote volume of the last so many minutes, the open one included."""
        bars = self._read_base(self.longest, at - minutes * 60 * SECOND_US, at + 1)
        return sum((b.volume for b in bars), ZERO), sum((b.quote_volume for b in bars), ZERO)

    def _completed(self, base: str, bar: Bar) -> Bar:
        # The tape may have begun inside this bar: where history knows the whole of it, the whole wins over our part.
        if self._closed[base]:
            return bar
        known = self._history(base, bar.opened_at, bar.opened_at + 1)
        return known[0] if known else bar

    def _keep(self, base: str, bar: Bar) -> None:
        closed = self._closed[base]
        closed.append(bar)
        if len(closed) > _kept(base) * 5 // 4:
            del closed[: len(closed) - _kept(base)]

    def _read_base(self, base: str, start: int, end: int) -> list[Bar]:
        closed = self._closed[base]
        opened = self._open.get(base)
        ours = closed[:1] or ([opened] if opened is not None else [])
        ours_from = ours[0].opened_at if ours else self._begins_at - self._begins_at % self._length_us[base]
        found = self._history(base, start, min(end, ours_from)) if start < ours_from else []
        first = bisect_left(closed, start, key=lambda bar: bar.opened_at)
        last = bisect_right(closed, end - 1, key=lambda bar: bar.opened_at)
        found = found + closed[first:last]
        if opened is not None and start <= opened.opened_at < end:
            found.append(opened)
        return found


def _civil_month(days: int) -> tuple[int, int]:
    """Year and month of a day counted from 1970-01-01."""
    day = _EPOCH + timedelta(days=days)
    return day.year, day.month


def _days_before(year: int, month: int) -> int:
    return (date(year, month, 1) - _EPOCH).days
