"""The database for users, pages and jobs: SQLAlchemy, asynchronous, the same statements on SQLite and PostgreSQL."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import URL, Connection, Executable, RowMapping, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, OperationalError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from tidegate.domain.errors import Invalid, Unavailable
from tidegate.kit.connections import inside_transaction
from tidegate.kit.db.sqlite_store import PRAGMAS
from tidegate.kit.db.store import CommitUnknown

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
CONNECT_TIMEOUT_S = 5


def database_url(text: str) -> URL:
    """The URL with the driver we use, from `sqlite:///path` or `postgresql://…`; `Invalid` for any other database."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in _DRIVERS:
        raise Invalid(
            "The database URL must begin with sqlite:/// and a path, or with postgresql://.", code="db.url_invalid"
        )
    if url.get_backend_name() == "sqlite" and not url.database:
        raise Invalid("The database URL sqlite:/// must name a file.", code="db.url_invalid")
    return url.set(drivername=_DRIVERS[url.get_backend_name()])


class Database:
    """A bounded pool of connections; nothing outside it commits."""

    def __init__(self, url: str, *, connections_max: int = 5, wait_s: float = 5.0) -> None:
        target = database_url(url)
        is_sqlite = target.get_backend_name() == "sqlite"
        self._engine: AsyncEngine = create_async_engine(
            target,
            pool_size=connections_max,
            max_overflow=0,
            pool_timeout=wait_s,
            connect_args={} if is_sqlite else {"connect_timeout": CONNECT_TIMEOUT_S},
        )
        if is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", begin_sqlite)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Commits at the end, rolls back on an exception; network calls inside are refused."""
        token = inside_transaction.set(True)
        try:
            async with self._connected(writes=True) as connection:
                yield connection
                try:
                    await connection.commit()
                except OperationalError as error:
                    raise CommitUnknown(f"The database did not confirm a commit: {error.orig}.") from error
        finally:
            inside_transaction.reset(token)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view on SQLite, one connection on PostgreSQL; whatever is written is rolled back."""
        async with self._connected(writes=False) as connection:
            yield connection

    async def fetch(self, select: Executable) -> Sequence[RowMapping]:
        """All rows of one SELECT."""
        async with self.reading() as connection:
            return (await connection.execute(select)).mappings().all()

    async def close(self) -> None:
        """Gives all connections back."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _connected(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        with _named_errors():
            async with self._engine.connect() as connection:
                yield await connection.execution_options(writes=writes)


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver must not begin transactions: `begin_sqlite` does
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_sqlite(connection: Connection) -> None:
    """Begins as a writer where `writes` is set: SQLite lets no reader wait for its turn to write."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise Unavailable("All database connections are in use; try again.", code="db.busy") from error
    except OperationalError as error:
        if "database is locked" in str(error.orig):
            raise Unavailable("The database is locked by another writer; try again.", code="db.busy") from error
        raise Unavailable(f"The database cannot be used: {error.orig}.", code="db.unavailable") from error
