"""Candles from trades, longer candles from shorter ones, and what is missing, late, doubled or corrected among them."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from tidegate.domain.candles import Candle, CandleSource, duration_us, floor_time, merge
from tidegate.domain.ids import TraceId
from tidegate.domain.messages import QuoteChanged, TradePrinted
from tidegate.domain.money import ZERO

BASES = ("1m", "1s")  # what is asked of a venue and kept; every other timeframe is merged from one of them
DAY_US = duration_us("1d")


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """The candles of one symbol in one timeframe."""

    symbol: str
    timeframe: str

    @property
    def base(self) -> "Series":
        """The series that this one is merged from, or itself: 1m where it divides the timeframe, else 1s."""
        return Series(self.symbol, base_of(self.timeframe))


def base_of(timeframe: str) -> str:
    """1m for every timeframe of whole minutes, 1s for the others."""
    return "1m" if duration_us(timeframe) % duration_us("1m") == 0 else "1s"


def candle_trace_id(venue: str, series: Series, opened_at: int) -> TraceId:
    """The story that a bar begins: 32 hex digits of what it is, so that a page finds it again without a table.

    A correction keeps the id, because it is a correction of the same story.
    """
    content = f"{venue}|{series.symbol}|{series.timeframe}|{opened_at}"
    return TraceId(hashlib.blake2b(content.encode(), digest_size=16).hexdigest())


class CandleSeries:
    """The newest candles of one series, each open time once, in its highest revision."""

    def __init__(self, *, timeframe: str, keep: int) -> None:
        self._duration = duration_us(timeframe)
        self.keep = keep  # may be changed; takes effect with the next candle
        self._candles: dict[int, Candle] = {}
        self._newest = -1

    def __len__(self) -> int:
        return len(self._candles)

    def accept(self, candle: Candle) -> Candle | None:
        """The candle as it is now known, or None where it tells nothing new.

        Other numbers for a known open time are a correction and get the next revision; a candle older than everything
        kept is ignored, because nobody can say any more whether it is new.
        """
        known = self._candles.get(candle.opened_at)
        if known is not None:
            if known.has_same_numbers(candle):
                return None
            candle = replace(candle, revision=max(known.revision + 1, candle.revision))
        elif candle.opened_at <= self._newest - self.keep * self._duration:
            return None
        self._candles[candle.opened_at] = candle
        self._newest = max(self._newest, candle.opened_at)
        if len(self._candles) > self.keep + self.keep // 4 + 1:
            self._forget()
        return candle

    def between(self, start: int, end: int) -> list[Candle] | None:
        """All candles with `start <= opened_at < end` in time order; None where one is missing."""
        found: list[Candle] = []
        for opened_at in range(start, end, self._duration):
            candle = self._candles.get(opened_at)
            if candle is None:
                return None
            found.append(candle)
        return found

    def newest(self, count: int) -> list[Candle]:
        """The newest `count` candles, oldest first."""
        return [self._candles[opened_at] for opened_at in sorted(self._candles)[-count:]]

    def _forget(self) -> None:
        oldest = self._newest - self.keep * self._duration
        self._candles = {at: candle for at, candle in self._candles.items() if at > oldest}


class Merger:
    """One longer timeframe over a series: gives a candle only when every part of it is there."""

    def __init__(self, *, base: str, timeframe: str, keep: int) -> None:
        self._timeframe = timeframe
        self._part = duration_us(base)
        self._duration = duration_us(timeframe)
        self.merged = CandleSeries(timeframe=timeframe, keep=keep)

    def on_candle(self, candle: Candle, parts: CandleSeries) -> Candle | None:
        """The longer candle that `candle`, which `parts` has accepted, completes or corrects."""
        start = floor_time(candle.opened_at, self._timeframe)
        end = start + self._duration
        if parts.between(end - self._part, end) is None:
            return None  # still open: by far the most frequent answer, found without looking at the other parts
        found = parts.between(start, end)
        return self.merged.accept(merge(found, self._timeframe)) if found else None


class Track:
    """One base series, and every longer timeframe that is merged from it."""

    def __init__(self, series: Series, *, keep: int) -> None:
        self.series = series
        self.candles = CandleSeries(timeframe=series.timeframe, keep=keep)
        self.gaps = GapDetector(timeframe=series.timeframe, keep=keep)
        self._duration = duration_us(series.timeframe)
        self._keep = keep
        self._mergers: dict[str, Merger] = {}  # the shortest timeframe first

    @property
    def timeframes(self) -> list[str]:
        """The base first, then what is merged, the shortest first."""
        return [self.series.timeframe, *self._mergers]

    def accept(self, candle: Candle) -> list[Candle]:
        """The candle as it is now known, then every longer one that it completes or corrects; nothing if known."""
        accepted = self.candles.accept(candle)
        return [] if accepted is None else [accepted, *self._merged(accepted)]

    def widen(self, timeframes: Iterable[str], history: Iterable[Candle]) -> list[Candle]:
        """Merge these timeframes too; all that `history` adds to what was known, in the order of closing."""
        for timeframe in {*timeframes} - {*self.timeframes}:
            keep = max(2, self._keep * self._duration // duration_us(timeframe))
            self._mergers[timeframe] = Merger(base=self.series.timeframe, timeframe=timeframe, keep=keep)
        self._mergers = {timeframe: self._mergers[timeframe] for timeframe in sorted(self._mergers, key=duration_us)}
        candles = list(history)
        self.candles.keep += len(candles)
        added = [accepted for candle in candles if (accepted := self.candles.accept(candle))]
        known = self.candles.newest(len(self.candles))
        merged = [longer for candle in known for longer in self._merged(candle)]
        if known:
            self.gaps.skip_to(known[-1].opened_at)
        longest = max(duration_us(timeframe) for timeframe in self.timeframes)
        self.candles.keep = max(self._keep, 2 * longest // self._duration)  # its last two bars stay correctable
        return sorted(added + merged, key=lambda candle: (candle.closes_at, -candle.opened_at))

    def _merged(self, candle: Candle) -> list[Candle]:
        found = (merger.on_candle(candle, self.candles) for merger in self._mergers.values())
        return [merged for merged in found if merged is not None]


class GapDetector:
    """The open times that a series should have by now and has not."""

    _ATTEMPTS_MAX = 5

    def __init__(self, *, timeframe: str, keep: int) -> None:
        self._duration = duration_us(timeframe)
        self._keep = keep
        self._newest: int | None = None
        self._attempts: dict[int, int] = {}  # by missing open time

    def __bool__(self) -> bool:
        return bool(self._attempts)

    def observe(self, opened_at: int) -> None:
        """A candle is here: it is missing no longer, those between the newest before it and itself are."""
        self._attempts.pop(opened_at, None)
        if self._newest is not None and opened_at > self._newest:
            self._expect(self._newest + self._duration, opened_at)
        self._newest = max(self._newest or 0, opened_at)

    def skip_to(self, opened_at: int) -> None:
        """Nothing before the bar after this one is expected any more."""
        self._newest = max(self._newest or 0, opened_at)

    def overdue(self, at: int, *, grace_us: int) -> bool:
        """Whether candles are missing that closed longer than `grace_us` before the market time `at`."""
        if self._newest is None or at < self._newest + 2 * self._duration + grace_us:
            return False
        last = (at - grace_us) // self._duration * self._duration
        self._expect(self._newest + self._duration, last)
        self._newest = last - self._duration
        return True

    def doubt(self, opened_at: int) -> None:
        """What is known of this candle may be incomplete: it must be asked for again."""
        self._attempts.setdefault(opened_at, 0)

    def ranges(self) -> list[tuple[int, int]]:
        """What is missing as ranges (start, end), oldest first."""
        found: list[tuple[int, int]] = []
        for opened_at in sorted(self._attempts):
            if found and found[-1][1] == opened_at:
                found[-1] = (found[-1][0], opened_at + self._duration)
            else:
                found.append((opened_at, opened_at + self._duration))
        return found

    def asked(self, start: int, end: int, found: Iterable[int]) -> int:
        """Note an answer for a range; how many of its candles are given up now, because the venue never had them."""
        for opened_at in found:
            self._attempts.pop(opened_at, None)
        given_up = 0
        for opened_at in [at for at in self._attempts if start <= at < end]:
            self._attempts[opened_at] += 1
            if self._attempts[opened_at] >= self._ATTEMPTS_MAX:
                del self._attempts[opened_at]
                given_up += 1
        return given_up

    def _expect(self, start: int, end: int) -> None:
        for opened_at in range(max(start, end - self._keep * self._duration), end, self._duration):
            self._attempts.setdefault(opened_at, 0)


class CandleBuilder:
    """Candles of one symbol from every single trade; trade ids count up by one, as on Binance.

    A candle is closed by the first trade after it, or by market time once `grace_us` have passed. Bars without a trade
    are flat at the last price. The bar in which the first trade is met is not whole and never given; a bar around a
    missing trade id is doubtful: it is not given but named by `take_doubts`.
    """

    def __init__(self, symbol: str, timeframe: str, *, grace_us: int) -> None:
        self._symbol = symbol
        self._timeframe = timeframe
        self._duration = duration_us(timeframe)
        self._grace_us = grace_us
        self._trade_id: int | None = None
        self._traded_at = 0
        self._opened_at = 0
        self._is_whole = False
        self._open = self._high = self._low = self._close = ZERO
        self._volume = self._quote_volume = ZERO
        self._trade_count = 0
        self._doubts: list[int] = []

    def add(self, trade: TradePrinted) -> list[Candle]:
        """The candles that this trade closes, oldest first."""
        trade_id, at = int(trade.venue_trade_id), trade.occurred_at
        if self._trade_id is None:
            self._opened_at = floor_time(at, self._timeframe)
        elif trade_id <= self._trade_id:
            return []  # a duplicate; had it been missing before, its bar is doubtful already
        elif trade_id != self._trade_id + 1:
            self._skip_to(at)
        self._trade_id, self._traded_at = trade_id, at
        if at < self._opened_at:
            self._doubts.append(floor_time(at, self._timeframe))  # its bar was closed by time
            return []
        closed = list(self._close_before(at)) if at >= self._opened_at + self._duration else []
        self._count(trade.price, trade.quantity)
        return closed

    def advance(self, at: int) -> list[Candle]:
        """The candles that are closed because market time has come to `at`, oldest first."""
        if self._trade_id is None or at - self._grace_us < self._opened_at + self._duration:
            return []
        return list(self._close_before(at - self._grace_us))

    def take_doubts(self) -> list[int]:
        """The open times of bars that must be asked for, all older than the next candle that is given."""
        doubts, self._doubts = self._doubts, []
        return doubts

    def _count(self, price: Decimal, quantity: Decimal) -> None:
        if self._trade_count == 0:
            self._open = self._high = self._low = price
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price
        self._volume += quantity
        self._quote_volume += price * quantity
        self._trade_count += 1

    def _close_before(self, at: int) -> Iterator[Candle]:
        """Close every bar that ends at or before `at`."""
        while at >= self._opened_at + self._duration:
            if self._is_whole:
                yield self._candle()
            else:
                self._doubts.append(self._opened_at)
            self._begin(self._opened_at + self._duration)

    def _skip_to(self, at: int) -> None:
        """Trades are missing between the last one and `at`: every bar from that one's to this one's is doubtful."""
        first = floor_time(self._traded_at, self._timeframe)
        while at >= self._opened_at + self._duration:
            self._begin(self._opened_at + self._duration)
        self._doubts.extend(range(first, self._opened_at, self._duration))
        self._is_whole = False

    def _begin(self, opened_at: int) -> None:
        self._opened_at = opened_at
        self._is_whole = True
        self._open = self._high = self._low = self._close
        self._volume = self._quote_volume = ZERO
        self._trade_count = 0

    def _candle(self) -> Candle:
        return Candle(
            symbol=self._symbol,
            timeframe=self._timeframe,
            opened_at=self._opened_at,
            open=self._open,
            high=self._high,
            low=self._low,
            close=self._close,
            volume=self._volume,
            quote_volume=self._quote_volume,
            trade_count=self._trade_count,
            source=CandleSource.TRADES,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """Where a symbol stands now and what its last 24 hours were; None where nothing is known yet."""

    symbol: str
    last_price: Decimal | None
    bid_price: Decimal | None
    ask_price: Decimal | None
    open_price: Decimal | None  # 24 hours ago, as the following
    high_price: Decimal | None
    low_price: Decimal | None
    volume: Decimal  # base
    quote_volume: Decimal
    change: Decimal | None  # fraction of the price 24 hours ago
    changed_at: int  # µs, market time of the newest thing known


@dataclass(frozen=True, slots=True)
class _Day:
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO


class SymbolState:
    """The latest of one symbol, for pages: quote, prints, and the 1m candles of the last 24 hours."""

    _PRINTS_MAX = 500

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._quote: QuoteChanged | None = None
        self._minutes = CandleSeries(timeframe="1m", keep=DAY_US // duration_us("1m"))
        self._day: _Day | None = _Day()  # None: to be summed up anew
        self._changed_at = 0
        self.prints: deque[TradePrinted] = deque(maxlen=self._PRINTS_MAX)

    def on_quote(self, quote: QuoteChanged) -> None:
        """Keeps the newest."""
        self._quote = quote
        self._changed_at = max(self._changed_at, quote.occurred_at)

    def on_trade(self, trade: TradePrinted) -> None:
        """Keeps the newest 500."""
        self.prints.append(trade)
        self._changed_at = max(self._changed_at, trade.occurred_at)

    def on_minute(self, candle: Candle) -> None:
        """Takes a closed 1m candle or its correction."""
        if self._minutes.accept(candle):
            self._day = None
            self._changed_at = max(self._changed_at, candle.closes_at)

    def ticker(self) -> Ticker:
        """The 24 hours end with the newest closed minute, the prices with the newest message."""
        if self._day is None:
            self._day = _sum_up(self._minutes.newest(DAY_US // duration_us("1m")))
        day = self._day
        last_price = self.prints[-1].price if self.prints else day.close
        return Ticker(
            symbol=self._symbol,
            last_price=last_price,
            bid_price=self._quote.bid_price if self._quote else None,
            ask_price=self._quote.ask_price if self._quote else None,
            open_price=day.open,
            high_price=day.high,
            low_price=day.low,
            volume=day.volume,
            quote_volume=day.quote_volume,
            change=last_price / day.open - 1 if last_price is not None and day.open else None,
            changed_at=self._changed_at,
        )


def _sum_up(minutes: list[Candle]) -> _Day:
    day = [candle for candle in minutes if candle.opened_at > minutes[-1].opened_at - DAY_US]
    return _Day(
        open=day[0].open,
        high=max(candle.high for candle in day),
        low=min(candle.low for candle in day),
        close=day[-1].close,
        volume=sum((candle.volume for candle in day), ZERO),
        quote_volume=sum((candle.quote_volume for candle in day), ZERO),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSummary:
    """What is stored of one series."""

    venue: str
    series: Series
    first_opened_at: int  # µs
    last_opened_at: int
    candle_count: int
