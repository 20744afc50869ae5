"""What a lost connection, a second writer or a full turn of the lock does to a commit."""

import asyncio
import sqlite3
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine

from tests.waiting import eventually
from tidegate.domain.errors import Unavailable
from tidegate.kit.db import CommitUnknown, FencedOut, SqliteStore, WriteSet, event_heads, events, leases
from tidegate.kit.db.postgres_store import PostgresStore

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def prepared_url(postgres_url: str) -> str:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    for table in (events, event_heads, leases):
        table.create(engine)
    engine.dispose()
    return postgres_url


def a_set(fence: int | None) -> WriteSet:
    write_set = WriteSet()
    write_set.insert(event_heads, account_id="ada", sequence=1)
    write_set.fences[0] = fence or 0
    return write_set


def test_a_backend_killed_during_a_commit_leaves_an_unknown_outcome_and_a_store_that_reconnects(
    prepared_url: str,
) -> None:
    async def story() -> None:
        store = PostgresStore(prepared_url)
        fence = await store.acquire_lease("shard:0", "a", 0, 10)
        with psycopg.connect(prepared_url) as blocker, psycopg.connect(prepared_url, autocommit=True) as admin:
            blocker.execute("INSERT INTO event_heads VALUES ('ada', 7)")
            commit = asyncio.create_task(store.commit(a_set(fence)))
            await eventually(lambda: bool(admin.execute(WAITING).fetchall()), what="the commit waits for a lock")
            admin.execute(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting")
            with pytest.raises(CommitUnknown):
                await commit
            blocker.rollback()
        assert await store.load(event_heads) == []
        await store.commit(a_set(fence))
        assert len(await store.load(event_heads)) == 1
        await store.close()

    asyncio.run(story())


def test_a_lease_taken_while_the_commit_is_under_way_fences_it_out(prepared_url: str) -> None:
    async def story() -> None:
        store = PostgresStore(prepared_url)
        fence = await store.acquire_lease("shard:0", "a", 0, 10)
        with psycopg.connect(prepared_url) as taker, psycopg.connect(prepared_url, autocommit=True) as admin:
            taker.execute("UPDATE leases SET holder = 'b', fence = fence + 1")
            commit = asyncio.create_task(store.commit(a_set(fence)))
            await eventually(lambda: bool(admin.execute(WAITING).fetchall()), what="the commit waits for a lock")
            taker.commit()
            with pytest.raises(FencedOut):
                await commit
        assert await store.load(event_heads) == []
        await store.close()

    asyncio.run(story())


def test_a_commit_that_is_given_up_leaves_nothing_for_the_next_one(prepared_url: str) -> None:
    async def story() -> None:
        store = PostgresStore(prepared_url)
        fence = await store.acquire_lease("shard:0", "a", 0, 10)
        with psycopg.connect(prepared_url) as blocker, psycopg.connect(prepared_url, autocommit=True) as admin:
            blocker.execute("INSERT INTO event_heads VALUES ('ada', 7)")
            commit = asyncio.create_task(store.commit(a_set(fence)))
            await eventually(lambda: bool(admin.execute(WAITING).fetchall()), what="the commit waits for a lock")
            commit.cancel()
            with pytest.raises(asyncio.CancelledError):
                await commit
            blocker.rollback()
        await store.commit(a_set(fence))
        assert len(await store.load(event_heads)) == 1
        await store.close()

    asyncio.run(story())


def test_the_store_commits_durably_even_where_the_database_is_told_not_to(prepared_url: str) -> None:
    with psycopg.connect(prepared_url, autocommit=True) as admin:
        name = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))

    async def story() -> None:
        store = PostgresStore(prepared_url)
        assert "synchronous_commit=on" in await store.durability()
        await store.close()

    asyncio.run(story())


def test_a_server_that_is_not_there_is_unavailable() -> None:
    async def story() -> None:
        with pytest.raises(Unavailable, match="cannot be reached") as refusal:
            await PostgresStore("postgresql://tidegate@127.0.0.1:1/none").load(events)
        assert refusal.value.code == "db.unavailable"

    asyncio.run(story())


def test_a_second_writer_makes_sqlite_busy_and_nothing_is_written(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/t.db")
    event_heads.create(engine)
    engine.dispose()

    async def story() -> None:
        store = SqliteStore(tmp_path / "t.db", busy_timeout_ms=1)
        other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        write_set = WriteSet()
        write_set.insert(event_heads, account_id="ada", sequence=1)
        with pytest.raises(Unavailable) as refusal:
            await store.commit(write_set)
        assert refusal.value.code == "db.busy"
        other.rollback()
        other.close()
        await store.commit(write_set)
        assert len(await store.load(event_heads)) == 1
        await store.close()

    asyncio.run(story())


def test_a_file_that_cannot_be_durable_is_refused() -> None:
    with pytest.raises(Unavailable, match="synchronous=FULL") as refusal:
        SqliteStore(":memory:")
    assert refusal.value.code == "db.not_durable"


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_text("no database" * 1_000)
    with pytest.raises(Unavailable, match=r"t\.db cannot be used: file is not a database"):
        SqliteStore(tmp_path / "t.db")
