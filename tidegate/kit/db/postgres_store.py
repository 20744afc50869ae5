"""The engine's PostgreSQL: one connection, and BEGIN to COMMIT in one pipelined round trip."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from psycopg import AsyncConnection, AsyncCursor, Error, OperationalError
from psycopg.errors import DivisionByZero, NotNullViolation, UniqueViolation
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from tidegate.domain.errors import TidegateError, Unavailable
from tidegate.kit.db.database import CONNECT_TIMEOUT_S, database_url
from tidegate.kit.db.statements import Row, Statements
from tidegate.kit.db.store import CommitUnknown, duplicate_key, fenced_out, lease_of, sequence_gap
from tidegate.kit.db.write_set import WriteSet

# Divides by zero unless the lease still has this fence, and lets nobody take it before the commit is through.
_CHECK_FENCE = "SELECT 1 / count(*) FROM (SELECT 1 FROM leases WHERE name = %s AND fence = %s FOR SHARE) AS held"
_SILENCE_MS_MAX = 10_000  # unacknowledged bytes older than this break the connection


class PostgresStore:
    """Connects on first use and again after a loss; calls wait for each other, for a pipeline cannot be shared."""

    def __init__(self, url: str) -> None:
        self._url = database_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._statements = Statements(postgresql.dialect(), "%s")  # type: ignore[no-untyped-call]
        self._turn = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._durability = ""

    async def durability(self) -> str:
        async with self._connected():
            return self._durability

    async def commit(self, write_set: WriteSet) -> None:
        if write_set.is_empty():
            return
        commands = self._commands(write_set)
        async with self._connected() as connection:
            try:
                async with connection.pipeline():
                    for sql, parameters in commands:
                        await connection.execute(sql, parameters, prepare=True)
            except Error as error:
                if connection.closed:
                    raise CommitUnknown(f"The connection was lost during a commit: {error}.") from error
                with suppress(OperationalError):
                    await connection.rollback()
                raise _refusal(error, write_set) from error
            except asyncio.CancelledError:
                await connection.close()  # half a conversation must not leak into the next commit
                raise

    async def load(self, table: Table, **equals: object) -> list[Row]:
        query, parameters = self._statements.query(table, equals)
        async with self._asking(query.statement.sql, parameters) as cursor:
            return query.rows(await cursor.fetchall())

    async def acquire_lease(self, name: str, holder: str, now_us: int, ttl_us: int) -> int | None:
        parameters = (name, holder, now_us + ttl_us, now_us)
        async with self._asking(self._statements.acquire_lease, parameters) as cursor:
            found = await cursor.fetchone()
            return found[0] if found else None

    async def renew_lease(self, name: str, holder: str, fence: int, now_us: int, ttl_us: int) -> bool:
        async with self._asking(self._statements.renew_lease, (now_us + ttl_us, name, holder, fence)) as cursor:
            return cursor.rowcount == 1

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    def _commands(self, write_set: WriteSet) -> list[tuple[str, Any]]:
        commands: list[tuple[str, Any]] = [("BEGIN", None)]
        commands += [(_CHECK_FENCE, (lease_of(shard), fence)) for shard, fence in write_set.fences.items()]
        for sql, rows in self._statements.commands(write_set.writes):
            commands += [(sql, row) for row in rows]
        for account_id, head in write_set.heads.items():
            commands.append((self._statements.head, (account_id, head.before, head.last, account_id)))
        return [*commands, ("COMMIT", None)]

    @asynccontextmanager
    async def _asking(self, sql: str, parameters: Any) -> AsyncIterator[AsyncCursor]:
        async with self._connected() as connection:
            try:
                yield await connection.execute(sql, parameters, prepare=True)
            except OperationalError as error:
                raise Unavailable(f"The database cannot be used: {error}.", code="db.unavailable") from error

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        async with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = await self._connect()
            yield self._connection

    async def _connect(self) -> AsyncConnection:
        try:
            connection = await AsyncConnection.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                tcp_user_timeout=_SILENCE_MS_MAX,
            )
            # One width for all integers: a statement is prepared once, not once for each mixture of widths.
            connection.adapters.register_dumper(int, Int8Dumper)
            await connection.execute("SET synchronous_commit = on")
            shown = await (await connection.execute("SHOW synchronous_commit")).fetchone()
            fsync = await (await connection.execute("SHOW fsync")).fetchone()
        except OperationalError as error:
            raise Unavailable(f"The database cannot be reached: {error}.", code="db.unavailable") from error
        if shown != ("on",) or fsync is None:
            await connection.close()
            raise Unavailable("The database does not confirm synchronous_commit=on.", code="db.not_durable")
        self._durability = f"postgresql synchronous_commit=on fsync={fsync[0]}"
        return connection


def _refusal(error: Error, write_set: WriteSet) -> TidegateError | Error:
    table = error.diag.table_name or "a table"
    if isinstance(error, UniqueViolation):
        return duplicate_key(table)
    if isinstance(error, DivisionByZero):
        return fenced_out(write_set)
    if isinstance(error, NotNullViolation) and table == "event_heads":
        return sequence_gap(write_set)
    if isinstance(error, OperationalError):
        return Unavailable(f"The database refused a commit: {error}.", code="db.unavailable")
    return error
