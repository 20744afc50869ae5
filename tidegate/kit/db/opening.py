"""From a database URL to the engine's store; a driver is loaded only where it is used."""

from tidegate.kit.db.database import database_url
from tidegate.kit.db.sqlite_store import SqliteStore
from tidegate.kit.db.store import Store


def open_store(url: str) -> Store:
    """The store for `sqlite:///path` or `postgresql://…`; its schema must stand already."""
    target = database_url(url)
    if target.get_backend_name() == "sqlite":
        return SqliteStore(str(target.database))
    from tidegate.kit.db.postgres_store import PostgresStore

    return PostgresStore(url)
