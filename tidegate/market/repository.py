"""Candles that were kept: today's in the database, closed days in files, and every timeframe merged from them."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import RowMapping, and_, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from tidegate.domain.candles import Candle, CandleSource, duration_us, floor_time
from tidegate.kit.db.database import Database
from tidegate.market.archive import DayArchive, candles_of, corrected, frame_of, frame_schema, merged_frame
from tidegate.market.imports import read_candle_file
from tidegate.market.model import BASES, Series, SeriesSummary
from tidegate.market.tables import market_candles

if TYPE_CHECKING:
    import polars as pl

_ROWS_MAX = 500  # of one transaction: the order path writes to the same SQLite file
_KEY = ("venue", "symbol", "timeframe", "opened_at")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought: `added` counts candles that are new or correct a known one."""

    series: Series
    first_opened_at: int  # µs
    last_opened_at: int
    candle_count: int
    added: int


class CandleStore:
    """All that is kept of one venue's candles."""

    def __init__(self, database: Database, archive: DayArchive, *, venue: str) -> None:
        self._database = database
        self._archive = archive
        self._venue = venue

    async def read(self, symbol: str, timeframe: str, start: int, end: int) -> list[Candle]:
        """Candles with `start <= opened_at < end` (µs), oldest first; longer ones merged where every part is kept."""
        frame = await self.frame(Series(symbol, timeframe), start, end)
        return candles_of(frame, Series(symbol, timeframe))

    async def frame(self, series: Series, start: int, end: int) -> "pl.DataFrame":
        """The same as a frame with the columns of `archive.frame_schema`; the longest kept timeframe goes first."""
        duration = duration_us(series.timeframe)
        first = floor_time(start + duration - 1, series.timeframe)
        last = floor_time(end + duration - 1, series.timeframe)
        whole = frame_schema().to_frame()
        for timeframe in await self._sources(series):
            if len(whole) >= (last - first) // duration:
                break
            kept = await self._kept(Series(series.symbol, timeframe), first, last)
            if timeframe != series.timeframe:
                kept = merged_frame(kept, base=timeframe, timeframe=series.timeframe)
            whole = whole.vstack(kept.join(whole, on="opened_at", how="anti"))
        return whole.sort("opened_at")

    async def newest(self, series: Series, before: int) -> int | None:
        """The open time (µs) of the newest candle of this series that may be kept and opened before this time."""
        last = before + duration_us(series.timeframe) - 1
        newest = select(func.max(market_candles.c.opened_at)).where(
            self._is_of(series.base), market_candles.c.opened_at < floor_time(last, series.timeframe)
        )
        async with self._database.reading() as connection:
            found = [(await connection.execute(newest)).scalar()]
        for timeframe in await self._sources(series):
            each = Series(series.symbol, timeframe)
            found.append(await asyncio.to_thread(self._archive.newest, self._venue, each, before))
        kept = max((opened_at for opened_at in found if opened_at is not None), default=None)
        return None if kept is None else floor_time(kept, series.timeframe)

    async def keep(self, candles: Sequence[Candle]) -> None:
        """Write candles of today; a lower revision never replaces a higher one."""
        for batch in _batches(candles):
            rows = [{"venue": self._venue, **_row_of(candle)} for candle in batch]
            async with self._database.transaction() as connection:
                await _upsert(connection, rows)

    async def close_days(self, before: int) -> int:
        """Move candles that opened before this time (µs, a midnight) from the database to files; how many days' series.

        Files first, then rows: a crash in between leaves both, and the next call finds nothing new to write.
        """
        c = market_candles.c
        which = select(c.symbol, c.timeframe).where(c.venue == self._venue, c.opened_at < before).distinct()
        moved = 0
        async with self._database.reading() as connection:
            found = [Series(*row) for row in await connection.execute(which)]
        for series in sorted(found):
            candles = await self._rows(series, 0, before)
            await asyncio.to_thread(self._archive.write, self._venue, series, frame_of(candles))
            await self._forget(candles)
            moved += 1
        return moved

    async def import_file(self, path: Path, *, symbol: str | None = None, timeframe: str | None = None) -> Imported:
        """All candles of a feather, Parquet or CSV file, or none: `Invalid` then names file, row, column and fix."""
        file = await asyncio.to_thread(read_candle_file, path, symbol=symbol, timeframe=timeframe)
        added = await asyncio.to_thread(self._archive.write, self._venue, file.series, file.frame)
        return Imported(
            series=file.series,
            first_opened_at=file.frame["opened_at"][0],
            last_opened_at=file.frame["opened_at"][-1],
            candle_count=len(file.frame),
            added=added,
        )

    async def list_series(self) -> list[SeriesSummary]:
        """Every series kept, of files and database together, by symbol and timeframe."""
        c = market_candles.c
        today = (
            select(c.symbol, c.timeframe, func.min(c.opened_at), func.max(c.opened_at), func.count())
            .where(c.venue == self._venue)
            .group_by(c.symbol, c.timeframe)
        )
        in_files = await asyncio.to_thread(self._archive.list_series)
        found = {summary.series: summary for summary in in_files if summary.venue == self._venue}
        async with self._database.reading() as connection:
            rows = (await connection.execute(today)).all()
        for symbol, timeframe, first, last, count in rows:
            series = Series(symbol, timeframe)
            old = found.get(series)
            found[series] = SeriesSummary(
                venue=self._venue,
                series=series,
                first_opened_at=min(first, old.first_opened_at) if old else first,
                last_opened_at=max(last, old.last_opened_at) if old else last,
                candle_count=count + (old.candle_count if old else 0),
            )
        return [found[series] for series in sorted(found)]

    async def _sources(self, series: Series) -> list[str]:
        """Kept timeframes that divide the wanted one, the longest first."""
        duration = duration_us(series.timeframe)
        in_files = await asyncio.to_thread(self._archive.timeframes, self._venue, series.symbol)
        dividing = [timeframe for timeframe in {*in_files, *BASES} if duration % duration_us(timeframe) == 0]
        return sorted(dividing, key=duration_us, reverse=True)

    async def _kept(self, series: Series, start: int, end: int) -> "pl.DataFrame":
        closed = await asyncio.to_thread(self._archive.frame, self._venue, series, start, end)
        if series.timeframe not in BASES:
            return closed
        today = await self._rows(series, start, end)
        return corrected(closed, frame_of(today)) if today else closed

    async def _rows(self, series: Series, start: int, end: int) -> list[Candle]:
        c = market_candles.c
        rows = select(market_candles).where(self._is_of(series), c.opened_at >= start, c.opened_at < end)
        found = await self._database.fetch(rows.order_by(c.opened_at))
        return [_candle_of(row) for row in found]

    async def _forget(self, candles: Sequence[Candle]) -> None:
        same = [market_candles.c[name] == bindparam(f"the_{name}") for name in (*_KEY, "revision")]
        statement = delete(market_candles).where(*same)
        for batch in _batches(candles):
            rows = [{"venue": self._venue, **_row_of(candle)} for candle in batch]
            keys = [{f"the_{name}": row[name] for name in (*_KEY, "revision")} for row in rows]
            async with self._database.transaction() as connection:
                await connection.execute(statement, keys)

    def _is_of(self, series: Series) -> ColumnElement[bool]:
        c = market_candles.c
        return and_(c.venue == self._venue, c.symbol == series.symbol, c.timeframe == series.timeframe)


async def _upsert(connection: AsyncConnection, rows: list[dict[str, object]]) -> None:
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(market_candles)
    changes = {column.name: statement.excluded[column.name] for column in market_candles.c if column.name not in _KEY}
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(_KEY),
            set_=changes,
            where=market_candles.c.revision <= statement.excluded.revision,
        ),
        rows,
    )


def _row_of(candle: Candle) -> dict[str, object]:
    columns = (column.name for column in market_candles.c if column.name != "venue")
    return {name: getattr(candle, name) for name in columns} | {"source": candle.source.value}


def _candle_of(row: RowMapping) -> Candle:
    values = {name: value for name, value in row.items() if name != "venue"}
    return Candle(**values | {"source": CandleSource(values["source"])})


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _ROWS_MAX):
        yield items[start : start + _ROWS_MAX]
