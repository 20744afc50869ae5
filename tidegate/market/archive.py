"""Closed days of candles, one Parquet file each: `<folder>/<venue>/<BTC-USDT>/<1m>/<2024-08-08>.parquet`.

A file is written whole and renamed into place, so that a reader or a crash never meets half of one. It is replaced
only when candles come that it lacks or that correct it. Frames have `opened_at` in µs and exact decimals.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.domain.candles import Candle, CandleSource, duration_us, floor_time
from tidegate.domain.instruments import parse_symbol
from tidegate.kit.ids import new_id
from tidegate.market.model import DAY_US, Series, SeriesSummary

if TYPE_CHECKING:
    import polars as pl

NUMBERS = ("open", "high", "low", "close", "volume")
_EXACT = (*NUMBERS, "quote_volume")


@cache
def frame_schema() -> "pl.Schema":
    """The columns of every frame of candles, in order."""
    import polars as pl

    exact = pl.Decimal(38, 18)
    return pl.Schema(
        {
            "opened_at": pl.Int64(),
            **dict.fromkeys(_EXACT, exact),
            "trade_count": pl.Int64(),
            "source": pl.String(),
            "revision": pl.Int64(),
        }
    )


def frame_of(candles: Sequence[Candle]) -> "pl.DataFrame":
    """One row a candle, in the order given."""
    import polars as pl

    schema = frame_schema()
    columns = {name: [getattr(candle, name) for candle in candles] for name in schema}
    columns["source"] = [candle.source.value for candle in candles]
    return pl.DataFrame(columns, schema=schema)


def candles_of(frame: "pl.DataFrame", series: Series) -> list[Candle]:
    """One candle a row; numbers without the zeros that the column type adds."""
    import polars as pl

    trimmed = pl.col(_EXACT).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    return [
        Candle(
            symbol=series.symbol,
            timeframe=series.timeframe,
            opened_at=row["opened_at"],
            **{name: Decimal(row[name]) for name in _EXACT},
            trade_count=row["trade_count"],
            source=CandleSource(row["source"]),
            revision=row["revision"],
        )
        for row in frame.with_columns(trimmed).iter_rows(named=True)
    ]


def corrected(known: "pl.DataFrame", news: "pl.DataFrame") -> "pl.DataFrame":
    """Both in time order, each open time once; other numbers for a known candle get the next revision."""
    import polars as pl

    before = known.select("opened_at", pl.struct(NUMBERS).alias("known"), pl.col("revision").alias("known_revision"))
    joined = news.join(before, on="opened_at", how="left")
    is_new = pl.col("known_revision").is_null()
    is_other = pl.struct(NUMBERS) != pl.col("known")
    changes = joined.filter(is_new | is_other).with_columns(
        pl.max_horizontal("revision", pl.col("known_revision") + 1).alias("revision")
    )
    changes = changes.select(frame_schema().names())
    rest = known.join(changes, on="opened_at", how="anti")
    return pl.concat([rest, changes]).sort("opened_at")


def merged_frame(frame: "pl.DataFrame", *, base: str, timeframe: str) -> "pl.DataFrame":
    """Complete longer candles only; `frame` is in time order."""
    import polars as pl

    duration = duration_us(timeframe)
    offset = floor_time(0, timeframe) % duration
    return (
        frame.group_by(
            ((pl.col("opened_at") - offset) // duration * duration + offset).alias("opened_at"), maintain_order=True
        )
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume", "quote_volume", "trade_count").sum(),
            pl.lit(CandleSource.MERGED.value).alias("source"),
            pl.col("revision").max(),
            pl.len().alias("parts"),
        )
        .filter(pl.col("parts") == duration // duration_us(base))
        .select(frame_schema().names())
        .cast(frame_schema())
    )


class DayArchive:
    """The files of all venues; every call reads or writes disk and belongs in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def frame(self, venue: str, series: Series, start: int, end: int) -> "pl.DataFrame":
        """Candles with `start <= opened_at < end` in time order."""
        import polars as pl

        first, last = _day_name(start), _day_name(max(start, end - 1))
        paths = [path for path in self._days(venue, series) if first <= path.stem <= last]
        if not paths:
            return frame_schema().to_frame()
        found = pl.scan_parquet(paths).filter(pl.col("opened_at").is_between(start, end, closed="left"))
        return found.collect().sort("opened_at")

    def write(self, venue: str, series: Series, frame: "pl.DataFrame") -> int:
        """Add candles to the files of their days, each file at once or not at all; how many were news."""
        import polars as pl

        added = 0
        for (day,), news in frame.group_by(pl.col("opened_at") // DAY_US, maintain_order=True):
            path = self._series_folder(venue, series) / f"{_day_name(int(str(day)) * DAY_US)}.parquet"
            known = pl.read_parquet(path) if path.exists() else frame_schema().to_frame()
            whole = corrected(known, news)
            if not whole.equals(known):
                added += len(whole.join(known, on=["opened_at", "revision"], how="anti"))
                _replace(path, whole)
        if added:
            _sync(self._series_folder(venue, series))
        return added

    def timeframes(self, venue: str, symbol: str) -> list[str]:
        """Those of which a symbol has files."""
        folder = self._symbol_folder(venue, symbol)
        return [path.name for path in sorted(folder.iterdir())] if folder.is_dir() else []

    def newest(self, venue: str, series: Series, before: int) -> int | None:
        """The open time of the newest candle in a file that opened before this time (µs)."""
        import polars as pl

        for path in reversed(self._days(venue, series)):
            if path.stem <= _day_name(before):
                times = pl.read_parquet(path, columns=["opened_at"])["opened_at"]
                older = times.filter(times < before)
                if len(older):
                    return int(older[-1])
        return None

    def list_series(self) -> list[SeriesSummary]:
        """Every series that has files, by venue, symbol and timeframe."""
        import polars as pl

        found = []
        for folder in sorted(self._folder.glob("*/*/*/")):
            series = Series(parse_symbol(folder.parent.name), folder.name)
            venue = folder.parent.parent.name
            days = self._days(venue, series)
            if days:
                times = pl.scan_parquet(days).select(
                    pl.col("opened_at").min().alias("first"),
                    pl.col("opened_at").max().alias("last"),
                    pl.len().alias("count"),
                )
                row = times.collect().row(0, named=True)
                found.append(
                    SeriesSummary(
                        venue=venue,
                        series=series,
                        first_opened_at=row["first"],
                        last_opened_at=row["last"],
                        candle_count=row["count"],
                    )
                )
        return found

    def _days(self, venue: str, series: Series) -> list[Path]:
        return sorted(self._series_folder(venue, series).glob("*.parquet"))

    def _series_folder(self, venue: str, series: Series) -> Path:
        return self._symbol_folder(venue, series.symbol) / series.timeframe

    def _symbol_folder(self, venue: str, symbol: str) -> Path:
        return self._folder / venue / symbol.replace("/", "-")


def _day_name(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%d}"


def _replace(path: Path, frame: "pl.DataFrame") -> None:
    """The file gets its name only when all of it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{new_id()}")
    try:
        with temporary.open("wb") as file:
            frame.write_parquet(file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """The new names are on disk too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
