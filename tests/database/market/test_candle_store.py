"""Candles that are kept: today in the database, closed days in files, longer ones merged on reading."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy

from tests.unit.market.stage import BTC, DAY, ETH, MINUTE, candle, closed, numbers
from tidegate.domain.candles import Candle, CandleSource, merge
from tidegate.domain.errors import Invalid
from tidegate.kit.db.database import Database, database_url
from tidegate.market.archive import DayArchive
from tidegate.market.jobs import CandleRecorder
from tidegate.market.model import Series
from tidegate.market.repository import CandleStore
from tidegate.market.tables import market_candles

MIDNIGHT = 20_000 * DAY // MINUTE  # minutes since the epoch
EVENING = [candle(MIDNIGHT - 10 + number, str(number + 1)) for number in range(30)]  # ten of a day, twenty of the next


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        found = request.getfixturevalue("postgres_url")
    synchronous = database_url(found)
    if request.param == "sqlite":
        synchronous = synchronous.set(drivername="sqlite")
    engine = sqlalchemy.create_engine(synchronous)
    market_candles.create(engine)
    engine.dispose()
    yield found


class Kept:
    """A store for one test; `run` gives it a database of its own loop."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder / "candles"

    def run(self, story: Callable[[CandleStore], Awaitable[None]]) -> None:
        async def whole() -> None:
            database = Database(self.url)
            await story(CandleStore(database, DayArchive(self.folder), venue="sim"))
            await database.close()

        asyncio.run(whole())

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def kept(url: str, tmp_path: Path) -> Kept:
    return Kept(url, tmp_path)


async def read(store: CandleStore, timeframe: str = "1m", symbol: str = BTC) -> list[Candle]:
    return await store.read(symbol, timeframe, 0, 2 * MIDNIGHT * MINUTE)


def test_what_is_kept_is_read_back_exactly(kept: Kept) -> None:
    bar = candle(
        MIDNIGHT,
        "61837.63",
        volume=Decimal("0.123456789012345678"),
        source=CandleSource.TRADES,
        trade_count=7,
        revision=2,
    )

    async def story(store: CandleStore) -> None:
        await store.keep([bar])
        assert await read(store) == [bar]
        await store.close_days((MIDNIGHT + 1_440) * MINUTE)
        assert await read(store) == [bar]

    kept.run(story)


def test_a_higher_revision_replaces_and_a_lower_one_never_does(kept: Kept) -> None:
    async def story(store: CandleStore) -> None:
        await store.keep([candle(MIDNIGHT, "1")])
        await store.keep([candle(MIDNIGHT, "2", revision=1)])
        await store.keep([candle(MIDNIGHT, "1", revision=0)])
        assert await read(store) == [candle(MIDNIGHT, "2", revision=1)]

    kept.run(story)


def test_closed_days_move_into_files_and_reading_does_not_notice(kept: Kept) -> None:
    async def story(store: CandleStore) -> None:
        await store.keep(EVENING)
        assert await store.close_days(MIDNIGHT * MINUTE) == 1
        assert kept.files() == ["sim/BTC-USDT/1m/2024-10-03.parquet"]
        assert await read(store) == EVENING
        assert await store.read(BTC, "1m", EVENING[5].opened_at, EVENING[15].opened_at) == EVENING[5:15]
        assert await store.close_days(MIDNIGHT * MINUTE) == 0

    kept.run(story)


def test_a_crash_between_file_and_rows_changes_nothing(kept: Kept) -> None:
    async def story(store: CandleStore) -> None:
        await store.keep(EVENING)
        await store.close_days(MIDNIGHT * MINUTE)
        before = (kept.folder / kept.files()[0]).stat().st_ino
        await store.keep(EVENING[:10])  # the rows as if they had not been deleted
        assert await read(store) == EVENING
        await store.close_days(MIDNIGHT * MINUTE)
        assert (kept.folder / kept.files()[0]).stat().st_ino == before, "a file without news is not written again"

    kept.run(story)


def test_a_correction_of_a_closed_day_replaces_its_file_with_the_next_revision(kept: Kept) -> None:
    async def story(store: CandleStore) -> None:
        await store.keep(EVENING)
        await store.close_days(MIDNIGHT * MINUTE)
        await store.keep([replace(EVENING[3], volume=Decimal(99))])
        await store.close_days(MIDNIGHT * MINUTE)
        assert (await read(store))[3] == replace(EVENING[3], volume=Decimal(99), revision=1)
        assert len(await read(store)) == 30

    kept.run(story)


@pytest.mark.parametrize("timeframe", ["2m", "5m", "10m"])
def test_longer_candles_are_merged_over_files_and_database_where_they_are_whole(kept: Kept, timeframe: str) -> None:
    parts = int(timeframe[:-1])

    async def story(store: CandleStore) -> None:
        await store.keep([*EVENING[:7], *EVENING[8:]])  # the eighth is missing
        await store.close_days(MIDNIGHT * MINUTE)
        groups = [EVENING[start : start + parts] for start in range(0, 30, parts)]
        expected = [merge(group, timeframe) for group in groups if EVENING[7] not in group]
        assert [numbers(bar) for bar in await read(store, timeframe)] == [numbers(bar) for bar in expected]
        assert {bar.source for bar in await read(store, timeframe)} == {CandleSource.MERGED}

    kept.run(story)


def test_the_recorder_keeps_base_candles_and_closes_a_day_after_ten_minutes_of_the_next(kept: Kept) -> None:
    async def story(store: CandleStore) -> None:
        recorder = CandleRecorder(store)
        for bar in [*EVENING[:19], candle(MIDNIGHT // 2, timeframe="2m")]:
            recorder.take(closed(bar))
        await recorder.flush()
        assert kept.files() == []
        recorder.take(closed(EVENING[19]))
        await recorder.flush()
        assert kept.files() == ["sim/BTC-USDT/1m/2024-10-03.parquet"]
        assert await read(store) == EVENING[:20]
        assert [summary.candle_count for summary in await store.list_series()] == [20]

    kept.run(story)


CSV = "date,open,high,low,close,volume\n" + "\n".join(
    f"{(MIDNIGHT - 10 + number) * 60},{number + 1},{number + 1},{number + 1},{number + 1},1" for number in range(30)
)


def test_an_imported_file_is_stored_by_days_and_importing_it_again_adds_nothing(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text(CSV, encoding="utf-8")

    async def story(store: CandleStore) -> None:
        imported = await store.import_file(path)
        assert (imported.series, imported.candle_count, imported.added) == (Series(BTC, "1m"), 30, 30)
        assert kept.files() == [f"sim/BTC-USDT/1m/2024-10-0{day}.parquet" for day in (3, 4)]
        assert [numbers(bar) for bar in await read(store)] == [numbers(bar) for bar in EVENING]
        assert (await store.import_file(path)).added == 0

    kept.run(story)


def test_of_a_corrupt_file_nothing_is_imported(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text(CSV.replace(",30,1", ",x,1"), encoding="utf-8")

    async def story(store: CandleStore) -> None:
        with pytest.raises(Invalid, match="row 30, column close"):
            await store.import_file(path)
        assert await read(store) == []

    kept.run(story)
    assert not kept.folder.exists()


def test_series_are_listed_over_files_and_database(kept: Kept) -> None:
    async def story(store: CandleStore) -> None:
        await store.keep([*EVENING, candle(MIDNIGHT, symbol=ETH)])
        await store.close_days(MIDNIGHT * MINUTE)
        found = [
            (each.series, each.candle_count, each.first_opened_at, each.last_opened_at)
            for each in await store.list_series()
        ]
        assert found == [
            (Series(BTC, "1m"), 30, EVENING[0].opened_at, EVENING[-1].opened_at),
            (Series(ETH, "1m"), 1, MIDNIGHT * MINUTE, MIDNIGHT * MINUTE),
        ]

    kept.run(story)


def test_the_newest_candle_is_found_in_files_and_database(kept: Kept) -> None:
    async def story(store: CandleStore) -> None:
        assert await store.newest(Series(BTC, "1m"), 10**17) is None
        await store.keep(EVENING)
        await store.close_days(MIDNIGHT * MINUTE)
        assert await store.newest(Series(BTC, "1m"), 10**17) == EVENING[-1].opened_at
        assert await store.newest(Series(BTC, "1m"), EVENING[6].opened_at) == EVENING[5].opened_at
        assert await store.newest(Series(BTC, "5m"), EVENING[5].opened_at) == EVENING[0].opened_at
        assert await store.newest(Series(BTC, "1m"), EVENING[0].opened_at) is None

    kept.run(story)
