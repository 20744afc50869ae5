"""Candle files: feather, Parquet or CSV (gzipped or not) with one symbol each, read and checked as a whole."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.domain.candles import duration_us
from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import from_stream_symbol
from tidegate.venues.simulator.bars import Bar

if TYPE_CHECKING:
    import polars

TIME_COLUMNS = ("date", "timestamp", "ts", "time", "open_time")
PRICE_COLUMNS = ("open", "high", "low", "close")
SUFFIXES = (".feather", ".arrow", ".parquet", ".csv", ".csv.gz")
_NAME = re.compile(r"(?P<base>[A-Za-z0-9]+?)[-_/]?(?P<quote>USDT|USDC|BUSD|FDUSD|USD|EUR|BTC|ETH|BNB)(?=[-_.])")
_NAMES = {60: "m", 3_600: "h", 86_400: "d"}


class CandleFile:
    """The candles of one file in time order; `Bar`s are made when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.symbol = symbol_of(path)
        frame = _checked(path, _read(path))
        self._opened_at = array("q", frame["at"].to_list())
        self._columns = [frame[name].to_list() for name in (*PRICE_COLUMNS, "volume")]
        self.timeframe = _timeframe(path, self._opened_at)
        self.duration_us = duration_us(self.timeframe)

    @property
    def times(self) -> Sequence[int]:
        """Open times, µs, rising."""
        return self._opened_at

    def bar(self, index: int) -> Bar:
        """The candle at an index; files tell no quote volume, so it is the close times the volume."""
        open_, high, low, close, volume = (Decimal(f"{column[index]:.8f}") for column in self._columns)
        bar = Bar(self._opened_at[index], open_, high, low, close, volume, close * volume)
        bar.trade_count = 1 if volume else 0
        return bar

    def bars(self, start: int, end: int) -> list[Bar]:
        """Candles with `start <= opened_at < end`."""
        first, last = bisect_left(self._opened_at, start), bisect_left(self._opened_at, end)
        return [self.bar(index) for index in range(first, last)]


def is_candle_file(path: Path) -> bool:
    """Whether the name is that of a candle file."""
    return path.name.endswith(SUFFIXES)


def symbol_of(path: Path) -> str:
    """BTC/USDT from names such as BTCUSDT-1m-2024.feather or BTC_USDT-1m.csv.gz."""
    found = _NAME.match(path.name)
    if found is None:
        raise Invalid(
            f"{path.name} does not begin with a symbol: rename it to something like BTCUSDT-1m.feather.",
            code="simulator.replay_unnamed",
        )
    return from_stream_symbol(found["base"].upper() + found["quote"])


def _read(path: Path) -> "polars.DataFrame":
    import polars

    try:
        if path.name.endswith((".feather", ".arrow")):
            return polars.read_ipc(path)
        if path.name.endswith(".parquet"):
            return polars.read_parquet(path)
        return polars.read_csv(path)
    except (OSError, polars.exceptions.PolarsError) as problem:
        reason = str(problem).splitlines()[0]
        raise Invalid(
            f"{path} cannot be read ({reason}): copy it again or convert it to CSV.",
            code="simulator.replay_unreadable",
        ) from None


def _checked(path: Path, frame: "polars.DataFrame") -> "polars.DataFrame":
    """Columns `at` (µs), prices and volume as numbers; `Invalid` names file, row, column and fix."""
    import polars

    time = next((name for name in TIME_COLUMNS if name in frame.columns), None)
    if time is None:
        raise _corrupt(path, f"has no time column: name it one of {', '.join(TIME_COLUMNS)}")
    for name in (*PRICE_COLUMNS, "volume"):
        if name not in frame.columns:
            raise _corrupt(path, f"has no column {name}: add it")
    try:
        numbers = [polars.col(name).cast(polars.Float64) for name in (*PRICE_COLUMNS, "volume")]
        checked = frame.select(_time_us(frame, time).alias("at"), *numbers)
    except polars.exceptions.PolarsError as problem:
        raise _corrupt(path, f"has a value that is no number ({str(problem).splitlines()[0]}): correct it") from None
    prices = [polars.col(name) for name in PRICE_COLUMNS]
    rules = {
        time: polars.col("at").is_not_null() & (polars.col("at").diff().fill_null(1) > 0),
        **{name: polars.col(name).is_finite().fill_null(False) & (polars.col(name) > 0) for name in PRICE_COLUMNS},
        "volume": polars.col("volume").is_finite().fill_null(False) & (polars.col("volume") >= 0),
        "high": polars.col("high") >= polars.max_horizontal(prices),
        "low": polars.col("low") <= polars.min_horizontal(prices),
    }
    for name, rule in rules.items():
        wrong = checked.select((~rule.fill_null(False)).arg_true()).to_series()
        if len(wrong):
            value = frame[name][wrong[0]]
            raise _corrupt(
                path,
                f"row {wrong[0] + 1}, column {name} is {value!r}, which no candle can have: correct or remove the row",
            )
    if checked.height < 2:
        raise _corrupt(path, "holds fewer than two candles: choose a longer one")
    return checked


def _time_us(frame: "polars.DataFrame", name: str) -> "polars.Expr":
    import polars

    kind = frame.schema[name]
    if kind.is_temporal():
        return polars.col(name).dt.epoch("us")
    if kind == polars.String:
        return polars.col(name).str.to_datetime(time_zone="UTC").dt.epoch("us")
    # Whole numbers: seconds, ms or µs, told by their magnitude.
    first = int(frame[name][0]) if frame.height else 0
    factor = 1_000_000 if first < 10**11 else 1_000 if first < 10**14 else 1
    return polars.col(name).cast(polars.Int64) * factor


def _timeframe(path: Path, times: Sequence[int]) -> str:
    step_s = min(later - earlier for earlier, later in pairwise(times)) // 1_000_000
    if step_s < 1 or step_s >= 604_800:
        raise _corrupt(path, f"has candles {step_s} s apart: choose one from 1s to 1d")
    for seconds, letter in reversed(_NAMES.items()):
        if step_s % seconds == 0:
            return f"{step_s // seconds}{letter}"
    return f"{step_s}s"


def _corrupt(path: Path, detail: str) -> Invalid:
    return Invalid(f"{path} {detail}.", code="simulator.replay_corrupt")
