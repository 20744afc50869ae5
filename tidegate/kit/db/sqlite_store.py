"""The engine's SQLite: the standard library's driver on the caller's own thread, one transaction a commit."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite

from tidegate.domain.errors import TidegateError, Unavailable
from tidegate.kit.db.statements import Row, Statements
from tidegate.kit.db.store import CommitUnknown, duplicate_key, fenced_out, lease_of, sequence_gap
from tidegate.kit.db.write_set import WriteSet

# FULL syncs the log at each commit: an intent survives a power cut before its order leaves.
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000")
_SYNCHRONOUS_FULL = 2
_DUPLICATE = {
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
}
_BUSY_PAUSE_S = 0.002
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SqliteStore:
    """One connection; its calls do not yield to the loop, for a hop to a thread costs more than the commit."""

    def __init__(self, path: Path | str, *, busy_timeout_ms: int = 5_000) -> None:
        self._statements = Statements(sqlite.dialect(), "?")
        with _named_errors(str(path)):
            self._connection = sqlite3.connect(path, isolation_level=None, cached_statements=512)
            for pragma in PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute("PRAGMA busy_timeout=0")  # `_begin` waits instead, and lets the loop go on
        self._busy_timeout_s = busy_timeout_ms / 1_000
        self._durability = _asserted_durability(self._connection, str(path))

    async def durability(self) -> str:
        return self._durability

    async def commit(self, write_set: WriteSet) -> None:
        if write_set.is_empty():
            return
        connection = self._connection
        try:
            with _named_errors("the database"):
                await self._begin()
                self._check_fences(write_set)
                self._write(write_set)
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise CommitUnknown(f"The database did not confirm a commit: {error}.") from error
        except sqlite3.IntegrityError as error:
            raise _refusal(error, write_set) from error
        finally:
            if connection.in_transaction:
                connection.rollback()

    async def load(self, table: Table, **equals: object) -> list[Row]:
        query, parameters = self._statements.query(table, equals)
        with _named_errors("the database"):
            return query.rows(self._connection.execute(query.statement.sql, parameters))

    async def acquire_lease(self, name: str, holder: str, now_us: int, ttl_us: int) -> int | None:
        sql = self._statements.acquire_lease
        found = await self._alone(sql, (name, holder, now_us + ttl_us, now_us))
        return found[0][0] if found else None

    async def renew_lease(self, name: str, holder: str, fence: int, now_us: int, ttl_us: int) -> bool:
        sql = self._statements.renew_lease + " RETURNING fence"
        return bool(await self._alone(sql, (now_us + ttl_us, name, holder, fence)))

    async def close(self) -> None:
        self._connection.close()

    async def _begin(self) -> None:
        """Become the writer; waiting must not hold up the loop, for the writer waited for may be a task of it."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._busy_timeout_s
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if (error.sqlite_errorcode & 0xFF) not in _BUSY or loop.time() > ends:
                    raise
            await asyncio.sleep(_BUSY_PAUSE_S)

    async def _alone(self, sql: str, parameters: tuple[object, ...]) -> list[tuple[int]]:
        """One writing statement as a transaction of its own."""
        try:
            with _named_errors("the database"):
                await self._begin()
                found: list[tuple[int]] = self._connection.execute(sql, parameters).fetchall()
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.rollback()
        return found

    def _check_fences(self, write_set: WriteSet) -> None:
        for shard, fence in write_set.fences.items():
            found = self._connection.execute("SELECT fence FROM leases WHERE name = ?", (lease_of(shard),)).fetchone()
            if found != (fence,):
                raise fenced_out(write_set)

    def _write(self, write_set: WriteSet) -> None:
        for sql, rows in self._statements.commands(write_set.writes):
            self._connection.executemany(sql, rows)
        for account_id, head in write_set.heads.items():
            self._connection.execute(self._statements.head, (account_id, head.before, head.last, account_id))


def _asserted_durability(connection: sqlite3.Connection, path: str) -> str:
    journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    if journal != "wal" or synchronous != _SYNCHRONOUS_FULL:
        raise Unavailable(
            f"{path} cannot be opened with journal_mode=WAL and synchronous=FULL; keep it on a local disk.",
            code="db.not_durable",
        )
    return "sqlite journal_mode=wal synchronous=FULL"


@contextmanager
def _named_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.DatabaseError as error:
        if (error.sqlite_errorcode & 0xFF) in _BUSY:
            raise Unavailable(f"{what} is locked by another writer; try again.", code="db.busy") from error
        raise Unavailable(f"{what} cannot be used: {error}.", code="db.unavailable") from error


def _refusal(error: sqlite3.IntegrityError, write_set: WriteSet) -> TidegateError | sqlite3.IntegrityError:
    if error.sqlite_errorcode in _DUPLICATE:
        return duplicate_key(str(error).rpartition(": ")[2].partition(".")[0])
    if str(error).endswith("event_heads.sequence"):
        return sequence_gap(write_set)
    return error
