"""The market side of one symbol: book, prints and bars as the tape tells them, and the streams they become."""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from tidegate.domain.candles import SECOND_US
from tidegate.domain.instruments import stream_symbol
from tidegate.domain.money import ZERO
from tidegate.venues.simulator import frames
from tidegate.venues.simulator.bars import INTERVALS, Bar, BarSeries, interval_end, interval_start, merged
from tidegate.venues.simulator.book import Book, Level
from tidegate.venues.simulator.streams import Streams
from tidegate.venues.simulator.tape import BarDone, BookChange, Item, Print, Quote, Tape

PRINTS_KEPT = 5_000
_DAY_US = 86_400 * SECOND_US
_NONE: Level = (ZERO, ZERO)


class Market:
    """One symbol; `tell` takes the tape's items and publishes what they become."""

    def __init__(self, symbol: str, tape: Tape, streams: Streams, begins_at: int) -> None:
        self.symbol = symbol
        self.wire_symbol = stream_symbol(symbol)
        self.book = Book()
        self.bars = BarSeries(lambda base, start, end: tape.history(symbol, base, start, end), tape.bases, begins_at)
        self.prints: deque[Print] = deque(maxlen=PRINTS_KEPT)
        self.best: tuple[Level, Level] = (_NONE, _NONE)
        self._prefix = self.wire_symbol.lower()
        self._streams = streams
        self._folds_prints = tape.fill_model == "book"  # candles of a candle replay come whole
        self._lateness_us = tape.lateness_us
        self._second = 0

    @property
    def last_price(self) -> Decimal | None:
        """Price of the latest trade; before the first one the close of the bar before the tape, or the best bid."""
        if self.prints:
            return self.prints[-1].price
        before = self.bars.before_the_tape()
        return before.close if before is not None else self.best[0][0] or None

    def tell(self, item: Item) -> None:
        """Take one item in and publish its streams."""
        match item:
            case Print():
                self._tell_print(item)
            case BookChange():
                self._tell_book(item)
            case Quote():
                self._tell_quote(item)
            case BarDone():
                self.bars.add_closed(item.timeframe, item.bar)
                self._publish_closed(item.timeframe, item.bar)

    def remember(self, items: Iterable[Item], at: int) -> None:
        """Take items of the past until `at` (µs) in without a word to anybody."""
        for item in items:
            match item:
                case Print():
                    self.bars.close_until(item.at)
                    self._fold(item)
                case BookChange():
                    self._change_book(item)
                    self._take_best()
                case Quote():
                    self.best = (item.bid, item.ask)
                case BarDone():
                    self.bars.add_closed(item.timeframe, item.bar)
        self.bars.close_until(at - self._lateness_us)

    def pass_time(self, at: int) -> None:
        """Close bars that are over at `at` (µs) and publish what goes out once a second."""
        for base, bar in self.bars.close_until(at - self._lateness_us):
            self._publish_closed(base, bar)
        if at // SECOND_US > self._second:
            self._second = at // SECOND_US
            self._publish_each_second(at)

    def average_price(self, minutes: int, at: int) -> Decimal | None:
        """Volume weighted price of the last so many minutes, or the last price when nobody traded."""
        volume, quote_volume = self.bars.average(minutes, at)
        return quote_volume / volume if volume else self.last_price

    def statistics(self, at: int) -> frames.Json:
        """One row of GET ticker/24hr."""
        start = at - _DAY_US
        bars = self.bars.read(self.bars.longest, start, at + 1)
        whole = _whole(bars)
        (bid_price, bid_quantity), (ask_price, ask_quantity) = self.best
        change = whole.close - whole.open
        percent = change / whole.open * 100 if whole.open else ZERO
        return {
            "symbol": self.wire_symbol,
            "priceChange": frames.number(change),
            "priceChangePercent": f"{percent:.3f}",
            "weightedAvgPrice": frames.number(whole.quote_volume / whole.volume if whole.volume else whole.close),
            "prevClosePrice": frames.number(whole.open),
            "lastPrice": frames.number(whole.close),
            "lastQty": frames.number(self.prints[-1].quantity if self.prints else ZERO),
            "bidPrice": frames.number(bid_price),
            "bidQty": frames.number(bid_quantity),
            "askPrice": frames.number(ask_price),
            "askQty": frames.number(ask_quantity),
            "openPrice": frames.number(whole.open),
            "highPrice": frames.number(whole.high),
            "lowPrice": frames.number(whole.low),
            "volume": frames.number(whole.volume),
            "quoteVolume": frames.number(whole.quote_volume),
            "openTime": frames.milliseconds(start),
            "closeTime": frames.milliseconds(at),
            "firstId": whole.first_trade_id,
            "lastId": whole.last_trade_id,
            "count": whole.trade_count,
        }

    def _tell_print(self, item: Print) -> None:
        for base, bar in self.bars.close_until(item.at):
            self._publish_closed(base, bar)
        self._fold(item)
        if self._wanted("trade"):
            self._publish("trade", item.frame or frames.trade(self.wire_symbol, item))
        if self._wanted("aggTrade"):
            self._publish("aggTrade", frames.aggregate_trade(self.wire_symbol, item))

    def _fold(self, item: Print) -> None:
        if self._folds_prints:
            self.bars.add_print(
                item.price, item.quantity, at=item.at, is_buyer_maker=item.is_buyer_maker, trade_id=item.trade_id
            )
        self.prints.append(item)

    def _change_book(self, item: BookChange) -> None:
        if item.is_snapshot:
            self.book.replace(item.bids, item.asks, item.update_id)
        elif item.update_id > self.book.update_id:  # a recording may begin with changes that its snapshot has seen
            self.book.change(item.bids, item.asks, item.update_id)

    def _take_best(self) -> bool:
        bids, asks = self.book.bids(1), self.book.asks(1)
        if not bids or not asks or (bids[0], asks[0]) == self.best:
            return False
        self.best = (bids[0], asks[0])
        return True

    def _tell_book(self, item: BookChange) -> None:
        self._change_book(item)
        for kind in ("depth@100ms", "depth"):
            if self._wanted(kind):
                ids = (item.first_update_id, item.update_id)
                self._publish(
                    kind, item.frame or frames.depth_update(self.wire_symbol, item.at, ids, item.bids, item.asks)
                )
        for depth in (5, 10, 20):
            for kind in (f"depth{depth}@100ms", f"depth{depth}"):
                if self._wanted(kind):
                    snapshot = frames.depth_snapshot(item.update_id, self.book.bids(depth), self.book.asks(depth))
                    self._publish(kind, snapshot)
        if item.frame is None and self._take_best():
            self._tell_quote(Quote(self.symbol, item.update_id, *self.best))

    def _tell_quote(self, item: Quote) -> None:
        self.best = (item.bid, item.ask)
        if self._wanted("bookTicker"):
            frame = item.frame or frames.book_ticker(self.wire_symbol, item.update_id, item.bid, item.ask)
            self._publish("bookTicker", frame)

    def _publish_closed(self, base: str, bar: Bar) -> None:
        ended_at = interval_end(bar.opened_at, base)
        if self._wanted(f"kline_{base}"):
            self._publish_kline(base, bar, ended_at, is_closed=True)
        if base != self.bars.longest:
            return
        for interval in INTERVALS:
            if interval == base or not self._wanted(f"kline_{interval}"):
                continue
            opened_at = interval_start(bar.opened_at, interval)
            longer = merged(self.bars.read(base, opened_at, ended_at), interval)
            if longer:
                is_closed = interval_end(opened_at, interval) == ended_at
                self._publish_kline(interval, longer[-1], ended_at, is_closed=is_closed)

    def _publish_each_second(self, at: int) -> None:
        for kind in self._streams.kinds_of(self._prefix):
            if kind.startswith("kline_"):
                interval = kind.removeprefix("kline_")
                bar = self.bars.open_bar(interval, at)
                if bar is not None and bar.trade_count:
                    self._publish_kline(interval, bar, at, is_closed=False)
            elif kind == "ticker":
                self._publish(kind, frames.stream_ticker(self.statistics(at), at))
            elif kind == "miniTicker":
                self._publish(kind, frames.stream_mini_ticker(self.statistics(at), at))
            elif kind == "avgPrice":
                self._publish_average(at)

    def _publish_average(self, at: int) -> None:
        average = self.average_price(5, at)
        if average is None:
            return
        self._publish(
            "avgPrice",
            {
                "e": "avgPrice",
                "E": frames.milliseconds(at),
                "s": self.wire_symbol,
                "i": "5m",
                "w": frames.number(average),
                "T": frames.milliseconds(self.prints[-1].at if self.prints else at),
            },
        )

    def _publish_kline(self, interval: str, bar: Bar, at: int, *, is_closed: bool) -> None:
        self._publish(f"kline_{interval}", frames.kline(self.wire_symbol, interval, bar, at=at, is_closed=is_closed))

    def _wanted(self, kind: str) -> bool:
        return self._streams.is_wanted(self._prefix, kind)

    def _publish(self, kind: str, payload: frames.Json | bytes) -> None:
        self._streams.publish(self._prefix, kind, payload)


def _whole(bars: list[Bar]) -> Bar:
    if not bars:
        return Bar(0, ZERO, ZERO, ZERO, ZERO)
    first = bars[0]
    whole = Bar(first.opened_at, first.open, first.high, first.low, first.close)
    for bar in bars:
        whole.extend(bar)
    return whole
