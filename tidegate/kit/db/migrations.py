"""Brings a database to this version's schema, all or nothing, with a copy of the SQLite file made before."""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, event, inspect, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from tidegate.domain.errors import Conflict, Unavailable
from tidegate.kit.clock import Clock, SystemClock, rfc3339
from tidegate.kit.db.database import begin_sqlite, database_url
from tidegate.kit.db.revision import SCHEMA_QUERY, SCRIPTS, fingerprint

_ONE_UPGRADE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7416043)")  # any number, the same in every version
_UPGRADE = "run `tidegate db upgrade`"


class NotMigrated(Conflict):
    """The schema is not this version's, and no upgrade makes it so; nothing was changed."""

    code = "db.not_migrated"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did; equal revisions mean nothing."""

    before: str | None
    after: str | None
    backup: Path | None = None  # the SQLite file as it was


def upgrade(
    url: str, *, scripts: Path = SCRIPTS, metadata: MetaData | None = None, clock: Clock | None = None
) -> Upgrade:
    """Run every missing migration in one transaction; `NotMigrated` for a newer or half-migrated database."""
    with _schema(url, scripts, metadata, writes=True) as schema:
        obstacle = schema.obstacle()
        if obstacle:
            raise NotMigrated(obstacle)
        before, after = schema.revision(), schema.newest()
        if before == after:
            return Upgrade(before, after)
        backup = _back_up(url, before, clock or SystemClock()) if before else None
        command.upgrade(schema.config, "head")
        schema.keep_fingerprint()
        return Upgrade(before, after, backup)


def check(url: str, *, scripts: Path = SCRIPTS, metadata: MetaData | None = None) -> list[str]:
    """What keeps this version from using the database, a sentence each; nothing if it is as it should be."""
    if _sqlite_file(url) and not _is_there(url):
        return [f"The database is empty: {_UPGRADE}."]
    with _schema(url, scripts, metadata, writes=False) as schema:
        obstacle = schema.obstacle()
        if obstacle:
            return [obstacle]
        before, after = schema.revision(), schema.newest()
        if before is None and after:
            return [f"The database is empty: {_UPGRADE}."]
        if before != after:
            return [f"The database is at revision {before} and this version needs {after}: {_UPGRADE}."]
        return schema.differences()


def draft(message: str, revision: str, *, scripts: Path = SCRIPTS, metadata: MetaData | None = None) -> None:
    """Write the migration from the newest one to the tables as declared now; read it before you commit it."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/draft.db"
        with _schema(url, scripts, metadata, writes=True) as schema:
            command.upgrade(schema.config, "head")
            command.revision(schema.config, message, autogenerate=True, rev_id=revision)


@dataclass(frozen=True, slots=True)
class _Schema:
    """One open transaction on the database beside the migrations of this version."""

    connection: Connection
    config: Config
    scripts: ScriptDirectory

    def revision(self) -> str | None:
        heads = MigrationContext.configure(self.connection).get_current_heads()
        return heads[0] if heads else None

    def newest(self) -> str | None:
        return self.scripts.get_current_head()

    def obstacle(self) -> str | None:
        known = {script.revision for script in self.scripts.walk_revisions()}
        revision = self.revision()
        if revision is not None and revision not in known:
            return (
                f"The database is at revision {revision}, which this version does not know: a newer Tidegate made it;"
                " install that version again or restore the backup made before its upgrade."
            )
        tables = sorted(set(inspect(self.connection).get_table_names()) - {"alembic_version"})
        if revision is None and tables:
            return (
                f"The database holds tables ({tables[0]}) but no revision: a migration was broken off, or it belongs to"
                " another program; restore the backup or name an empty database."
            )
        return None

    def keep_fingerprint(self) -> None:
        """So that the next start sees at once whether the file is as this upgrade left it."""
        if self.connection.dialect.name == "sqlite":
            declared = self.connection.execute(text(SCHEMA_QUERY)).scalars()
            self.connection.execute(text(f"PRAGMA user_version = {fingerprint(declared)}"))

    def differences(self) -> list[str]:
        found: list[Any] = []

        def compare(_: Any, context: MigrationContext) -> list[Any]:
            found.extend(compare_metadata(context, context.opts["target_metadata"]))
            return []

        with EnvironmentContext(self.config, self.scripts, fn=compare):
            self.scripts.run_env()
        return [
            f"The database is half-migrated: {_sentence(difference)}; restore the backup or name an empty database."
            for group in found
            for difference in (group if isinstance(group, list) else [group])
        ]


@contextmanager
def _schema(url: str, scripts: Path, metadata: MetaData | None, *, writes: bool) -> Iterator[_Schema]:
    target = database_url(url)
    driver = "sqlite" if target.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(target.set(drivername=driver), poolclass=NullPool)
    if driver == "sqlite":
        event.listen(engine, "connect", _leave_begin_to_us)
        event.listen(engine, "begin", begin_sqlite)
    config = Config()
    config.set_main_option("script_location", str(scripts))
    try:
        with engine.connect().execution_options(writes=writes) as connection, connection.begin():
            if writes and driver != "sqlite":
                connection.execute(_ONE_UPGRADE_AT_A_TIME)
            config.attributes.update(connection=connection, metadata=metadata)
            yield _Schema(connection, config, ScriptDirectory.from_config(config))
    except DatabaseError as error:
        raise Unavailable(f"The database cannot be used: {error.orig}.", code="db.unavailable") from error


def _leave_begin_to_us(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None


def _sqlite_file(url: str) -> Path | None:
    target = database_url(url)
    return Path(target.database) if target.get_backend_name() == "sqlite" and target.database else None


def _is_there(url: str) -> bool:
    file = _sqlite_file(url)
    return file is not None and file.exists() and file.stat().st_size > 0


def _back_up(url: str, revision: str, clock: Clock) -> Path | None:
    """A consistent copy beside the file, also while others read and write it."""
    file = _sqlite_file(url)
    if file is None:
        return None
    moment = rfc3339(clock.now_us()).replace(":", "").replace(".", "")
    backup = file.with_name(f"{file.name}.{revision}.{moment}.backup")
    unfinished = backup.with_suffix(".unfinished")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(unfinished)) as copy:
        shutil.copymode(file, unfinished)
        source.backup(copy)
    unfinished.rename(backup)
    return backup


def _sentence(difference: Sequence[Any]) -> str:
    match tuple(difference):
        case ("add_table", table):
            return f"table {table.name} is missing"
        case ("remove_table", table):
            return f"table {table.name} is not known"
        case ("add_column", _, table, column):
            return f"column {table}.{column.name} is missing"
        case ("remove_column", _, table, column):
            return f"column {table}.{column.name} is not known"
        case (("modify_type" | "modify_nullable" | "modify_default") as what, _, table, column, *_):
            return f"column {table}.{column} has another {what.removeprefix('modify_')}"
        case (what, item, *_):
            verb, _, kind = str(what).partition("_")
            return f"{kind} {item.name} of table {item.table.name} is {'missing' if verb == 'add' else 'not known'}"
        case _:
            return f"it differs ({difference})"
