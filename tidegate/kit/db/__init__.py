"""The database: tables on one `metadata`, `WriteSet` and stores for the engine, `Database` for users and pages."""

from tidegate.kit.db.database import Database, database_url
from tidegate.kit.db.memory_store import MemoryStore
from tidegate.kit.db.opening import open_store
from tidegate.kit.db.schema import event_cursors, event_heads, events, inbox, leases, metadata
from tidegate.kit.db.sqlite_store import SqliteStore
from tidegate.kit.db.statements import Row
from tidegate.kit.db.store import CommitUnknown, DuplicateKey, FencedOut, SequenceGap, Store, lease_of
from tidegate.kit.db.types import Document, Exact, Minor, Unstorable
from tidegate.kit.db.write_set import WriteSet

__all__ = [
    "CommitUnknown",
    "Database",
    "Document",
    "DuplicateKey",
    "Exact",
    "FencedOut",
    "MemoryStore",
    "Minor",
    "Row",
    "SequenceGap",
    "SqliteStore",
    "Store",
    "Unstorable",
    "WriteSet",
    "database_url",
    "event_cursors",
    "event_heads",
    "events",
    "inbox",
    "lease_of",
    "leases",
    "metadata",
    "open_store",
]
