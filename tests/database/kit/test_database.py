"""The users' side of the database, the same on SQLite and PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Column, MetaData, Table, Text, create_engine, insert, select, text, union_all
from sqlalchemy.exc import IntegrityError

from tests.waiting import eventually
from tidegate.domain.errors import Invalid, Unavailable
from tidegate.kit.connections import NetworkInsideTransaction, guard
from tidegate.kit.db import CommitUnknown, Database, Document, Exact, Minor, Unstorable, database_url

toys = MetaData()
toy = Table(
    "toy",
    toys,
    Column("id", Text, primary_key=True),
    Column("price", Exact),
    Column("units", Minor),
    Column("terms", Document),
)

Story = Callable[[Database], Awaitable[None]]
Tell = Callable[[Story], None]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/toys.db"
    driver = "sqlite"
    if request.param == "postgres":
        url, driver = request.getfixturevalue("postgres_url"), "postgresql+psycopg"
    engine = create_engine(database_url(url).set(drivername=driver))
    toys.create_all(engine)
    engine.dispose()
    return url


@pytest.fixture
def tell(url: str) -> Tell:
    async def run(story: Story) -> None:
        database = Database(url, connections_max=2, wait_s=0.02)
        try:
            await story(database)
        finally:
            await database.close()

    return lambda story: asyncio.run(run(story))


async def add(database: Database, **values: object) -> None:
    async with database.transaction() as connection:
        await connection.execute(insert(toy).values(**values))


def test_a_transaction_is_committed_at_its_end(tell: Tell) -> None:
    async def story(database: Database) -> None:
        await add(database, id="1", price=Decimal("12345678901.123456789012345678"), units=5, terms=b"{}")
        assert [dict(row) for row in await database.fetch(select(toy))] == [
            {"id": "1", "price": Decimal("12345678901.123456789012345678"), "units": 5, "terms": "{}"}
        ]

    tell(story)


def test_an_exception_inside_a_transaction_leaves_nothing_of_it(tell: Tell) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(KeyError):
            async with database.transaction() as connection:
                await connection.execute(insert(toy).values(id="1"))
                raise KeyError("a bug")
        assert await database.fetch(select(toy)) == []

    tell(story)


def test_what_is_written_while_reading_is_rolled_back(tell: Tell) -> None:
    async def story(database: Database) -> None:
        async with database.reading() as connection:
            await connection.execute(insert(toy).values(id="1"))
        assert await database.fetch(union_all(select(toy), select(toy))) == []

    tell(story)


def test_a_broken_key_is_the_repositorys_to_explain(tell: Tell) -> None:
    async def story(database: Database) -> None:
        await add(database, id="1")
        with pytest.raises(IntegrityError):
            await add(database, id="1")

    tell(story)


def test_a_value_that_cannot_be_stored_exactly_is_refused_in_our_words(tell: Tell) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(Unstorable):
            await add(database, id="1", price=Decimal("1e-30"))

    tell(story)


def test_a_network_call_inside_a_transaction_is_refused_and_outside_it_is_not(tell: Tell) -> None:
    async def story(database: Database) -> None:
        async with database.transaction():
            with pytest.raises(NetworkInsideTransaction):
                guard()
            with pytest.raises(NetworkInsideTransaction):
                await asyncio.create_task(call_the_network())
        guard()
        async with database.reading():
            guard()

    async def call_the_network() -> None:
        guard()

    tell(story)


def test_the_flag_is_taken_down_when_a_transaction_fails(tell: Tell) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(KeyError):
            async with database.transaction():
                raise KeyError("a bug")
        guard()

    tell(story)


def test_an_exhausted_pool_says_busy_and_soon(tell: Tell) -> None:
    async def story(database: Database) -> None:
        async with database.reading(), database.reading():
            with pytest.raises(Unavailable, match="in use") as refusal:
                await database.fetch(select(toy))
        assert refusal.value.code == "db.busy"
        assert await database.fetch(select(toy)) == []

    tell(story)


def test_two_transactions_that_read_before_they_write_both_get_their_turn(tell: Tell) -> None:
    async def story(database: Database) -> None:
        both_have_read = asyncio.Event()
        readers: list[str] = []

        async def read_and_write(id_: str) -> None:
            async with database.transaction() as connection:
                await connection.execute(select(toy))
                readers.append(id_)
                if len(readers) == 2:
                    both_have_read.set()
                with suppress(TimeoutError):  # on SQLite the second cannot begin before the first has ended
                    await asyncio.wait_for(both_have_read.wait(), 0.1)
                await connection.execute(insert(toy).values(id=id_))

        async with asyncio.timeout(5):
            await asyncio.gather(read_and_write("1"), read_and_write("2"))
        assert len(await database.fetch(select(toy))) == 2

    tell(story)


def test_every_sqlite_connection_is_durable_and_checks_foreign_keys(tmp_path: Path) -> None:
    async def story() -> None:
        database = Database(f"sqlite:///{tmp_path}/t.db")
        async with database.reading() as connection:
            found = [
                (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        assert found == ["wal", 2, 1, 5_000]
        await database.close()

    asyncio.run(story())


def test_a_reader_does_not_wait_for_a_writer_on_sqlite(tmp_path: Path) -> None:
    async def story() -> None:
        database = Database(f"sqlite:///{tmp_path}/t.db")
        async with database.transaction() as connection:
            await connection.run_sync(toys.create_all)
        other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(1):
            assert await database.fetch(select(toy)) == []
        other.rollback()
        other.close()
        await database.close()

    asyncio.run(story())


def test_a_connection_lost_before_the_commit_is_confirmed_leaves_an_unknown_outcome(postgres_url: str) -> None:
    async def story() -> None:
        database = Database(postgres_url)
        async with database.transaction() as connection:
            await connection.run_sync(toys.create_all)
        with pytest.raises(CommitUnknown):
            async with database.transaction() as connection:
                await connection.execute(insert(toy).values(id="1"))
                own = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                with psycopg.connect(postgres_url, autocommit=True) as admin:
                    admin.execute("SELECT pg_terminate_backend(%s)", (own,))
                    alive = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
                    await eventually(lambda: not admin.execute(alive, (own,)).fetchall(), what="the backend is gone")
        assert await database.fetch(select(toy)) == []
        await database.close()

    asyncio.run(story())


def test_a_server_that_is_not_there_is_unavailable() -> None:
    async def story() -> None:
        database = Database("postgresql://tidegate:canary@127.0.0.1:1/none")
        with pytest.raises(Unavailable) as refusal:
            await database.fetch(select(toy))
        assert refusal.value.code == "db.unavailable"
        assert "canary" not in str(refusal.value)
        await database.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("given", "drivername", "name"),
    [
        ("sqlite:///a/b.db", "sqlite+aiosqlite", "a/b.db"),
        ("sqlite:////a/b.db", "sqlite+aiosqlite", "/a/b.db"),
        ("postgresql://u:p@h/d", "postgresql+psycopg", "d"),
        ("postgres://u:p@h/d", "postgresql+psycopg", "d"),
    ],
)
def test_plain_urls_are_understood(given: str, drivername: str, name: str) -> None:
    url = database_url(given)
    assert (url.drivername, url.database) == (drivername, name)


@pytest.mark.parametrize("given", ["", "tidegate.db", "mysql://h/d", "sqlite://", "oracle://x"])
def test_other_urls_are_refused(given: str) -> None:
    with pytest.raises(Invalid, match="The database URL") as refusal:
        database_url(given)
    assert refusal.value.code == "db.url_invalid"
