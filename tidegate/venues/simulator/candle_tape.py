"""A tape from candle files: each candle is told whole at its close, with one trade and a small book at its price."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

from tidegate.domain.errors import Invalid
from tidegate.venues.simulator.bars import Bar
from tidegate.venues.simulator.book import changes
from tidegate.venues.simulator.candle_files import CandleFile
from tidegate.venues.simulator.symbols import Grid, grid_of
from tidegate.venues.simulator.tape import BarDone, BookChange, Item, Part, Print, Step

LEVELS = 20
_UPDATES_PER_STEP = 100
_QUANTITY_LOTS = 1_000


@dataclass(slots=True)
class _Shown:
    """The book that was shown last."""

    bids: dict[Decimal, Decimal] = field(default_factory=dict)
    asks: dict[Decimal, Decimal] = field(default_factory=dict)
    update_id: int = 0


class CandleTape:
    """Several files of one timeframe; a step holds the candles that open at one instant."""

    fill_model = "candle"
    lateness_us = 0

    def __init__(self, files: Sequence[CandleFile]) -> None:
        by_symbol = {file.symbol: file for file in files}
        if len(by_symbol) < len(files):
            raise Invalid("Two candle files of one symbol: replay one of them.", code="simulator.replay_twice")
        timeframes = sorted({file.timeframe for file in files})
        if len(timeframes) > 1:
            raise Invalid(
                f"Candle files of {' and '.join(timeframes)} cannot be replayed together: choose one timeframe.",
                code="simulator.replay_mixed",
            )
        self._files = {symbol: by_symbol[symbol] for symbol in sorted(by_symbol)}
        self.symbols = tuple(self._files)
        self._timeframe = timeframes[0]
        self._duration_us = files[0].duration_us
        self.bases = (self._timeframe,)
        self.starts_at = min(file.times[0] for file in files)
        self._times = [at for at, _ in groupby(heapq.merge(*(file.times for file in files)))]
        self._shown = {symbol: _Shown() for symbol in self.symbols}
        self._grids = {symbol: grid_of(symbol, self.price_of(symbol)) for symbol in self.symbols}

    def price_of(self, symbol: str) -> float:
        """Its first open."""
        return float(self._files[symbol].bar(0).open)

    def steps(self, after: int) -> Iterator[Step]:
        """Step n holds the n-th open time that any file has."""
        indices = dict.fromkeys(self.symbols, 0)
        for number, at in enumerate(self._times, start=1):
            items: list[Item] = []
            for symbol, file in self._files.items():
                index = indices[symbol]
                if index < len(file.times) and file.times[index] == at:
                    indices[symbol] = index + 1
                    if number > after:
                        items += self._items(symbol, number, file.bar(index))
            if number > after:
                yield Step(number, [Part(at + self._duration_us, items)])

    def past(self, position: int) -> Iterator[Step]:
        """The last candle; earlier ones are history."""
        for step in self.steps(position - 1):
            if 0 < step.position <= position:
                yield step
            return

    def history(self, symbol: str, base: str, start: int, end: int) -> list[Bar]:
        """Candles that were over before those that the tape has told."""
        return self._files[symbol].bars(start, end) if base == self._timeframe else []

    def _items(self, symbol: str, number: int, bar: Bar) -> list[Item]:
        closes_at = bar.opened_at + self._duration_us
        items: list[Item] = [BarDone(symbol, self._timeframe, bar)]
        if bar.volume:
            items.append(Print(symbol, number, bar.close, bar.volume, False, closes_at - 1_000))
        shown, grid = self._shown[symbol], self._grids[symbol]
        bids, asks = _book(bar.close, grid)
        update_id = number * _UPDATES_PER_STEP
        items.append(
            BookChange(
                symbol,
                shown.update_id + 1,
                update_id,
                changes(shown.bids, bids),
                changes(shown.asks, asks),
                closes_at - 1_000,
                is_snapshot=not shown.update_id,
            )
        )
        shown.bids, shown.asks, shown.update_id = bids, asks, update_id
        return items


def _book(close: Decimal, grid: Grid) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    ranks = range(1, LEVELS + 1)
    quantity = _QUANTITY_LOTS * grid.lot_size
    bids = {close - rank * grid.tick_size: rank * quantity for rank in ranks if close > rank * grid.tick_size}
    asks = {close + rank * grid.tick_size: rank * quantity for rank in ranks}
    return bids, asks
