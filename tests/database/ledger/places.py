"""Where rows can live in a test: an empty schema on SQLite or PostgreSQL, or memory."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy

from tidegate.kit.db import MemoryStore, Store, database_url, event_heads, events, leases, metadata, open_store

DURABLE = ("sqlite", "postgresql")
EVERYWHERE = ("memory", *DURABLE)


def make_place(request: pytest.FixtureRequest, folder: Path, tables: Sequence[sqlalchemy.Table]) -> str:
    """The URL of a database with these tables (and those of every commit), or "memory"; `request.param` says where."""
    if request.param == "memory":
        return "memory"
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{folder / 'books.db'}" if is_sqlite else str(request.getfixturevalue("postgres_url"))
    driver = "sqlite" if is_sqlite else "postgresql+psycopg"
    engine = sqlalchemy.create_engine(database_url(url).set(drivername=driver))
    metadata.create_all(engine, tables=[*tables, leases, events, event_heads])
    engine.dispose()
    return url


def store_at(place: str) -> Store:
    """A new connection to the place; memory begins empty."""
    return MemoryStore() if place == "memory" else open_store(place)
