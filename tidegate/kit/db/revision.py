"""Whether a database is at this version's schema: a look of one row, for every role at its start."""

import sqlite3
import zlib
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Column, MetaData, String, Table

from tidegate.domain.errors import Unavailable
from tidegate.kit.db.database import database_url
from tidegate.kit.db.store import Store

SCRIPTS = Path(__file__).parents[3] / "migrations"
SCHEMA_QUERY = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
# The migration tool's own table; it is not ours, so it stands on a metadata of its own.
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


class WrongRevision(Unavailable):
    """The schema is older or newer than this version."""

    code = "db.not_migrated"


def newest_revision() -> str:
    """The number that the newest migration's file name begins with."""
    return max(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))


def is_newest(url: str) -> bool:
    """Whether a SQLite file needs no upgrade, told without the migration tool, which takes long to load.

    Its tables must be those that the last upgrade left: a dropped or changed one is found here too.
    """
    target = database_url(url)
    if target.get_backend_name() != "sqlite":
        return False
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{target.database}?mode=ro", uri=True)) as connection:
        revision = connection.execute(f"SELECT version_num FROM {_VERSION.name}").fetchall()
        declared = connection.execute(SCHEMA_QUERY).fetchall()
        kept = connection.execute("PRAGMA user_version").fetchone()[0]
        return revision == [(newest_revision(),)] and kept == fingerprint(str(row[0]) for row in declared)
    return False


def fingerprint(declarations: Iterable[str]) -> int:
    """A number that SQLite keeps in the file, of all its declarations; any change of one changes it."""
    return zlib.crc32("\n".join(sorted(declarations)).encode()) & 0x7FFF_FFFF


async def refuse_other_revision(store: Store) -> None:
    """`WrongRevision` unless the database is at this version's revision; differences within it are `check`'s matter."""
    newest = newest_revision()
    try:
        rows = await store.load(_VERSION)
    except Unavailable:
        rows = []  # the table is not there, and so nothing else is
    if not rows:
        raise WrongRevision("The database is empty: run `tidegate db upgrade`.")
    if rows[0]["version_num"] != newest:
        raise WrongRevision(
            f"The database is at revision {rows[0]['version_num']} and this version needs {newest}:"
            " run `tidegate db upgrade`, or install the version that made it."
        )
