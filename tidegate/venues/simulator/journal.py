"""The exchange's memory on disk: every event, and how far the tape has come, in one SQLite file."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidegate.domain.errors import Conflict, Unavailable
from tidegate.domain.messages import from_json, to_json
from tidegate.exchange.model import EVENT_NAMES, EVENT_TYPES, Event

FILE_NAME = "simulator.db"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, name TEXT NOT NULL, payload BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)


class Journal:
    """Append-only; `append` returns when the events are on disk."""

    def __init__(self, directory: Path | None) -> None:
        if directory is None:
            self._database = sqlite3.connect(":memory:", isolation_level=None)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(directory / FILE_NAME, isolation_level=None, timeout=0.2)
        self._directory = directory
        self._has_failed = False
        try:
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            for statement in _SCHEMA:
                self._database.execute(statement)
        except sqlite3.OperationalError:
            self._database.close()
            raise Conflict(
                f"The simulator's directory {directory} is in use by another process: stop it or choose another.",
                code="simulator.directory_busy",
            ) from None
        except sqlite3.DatabaseError:
            self._database.close()
            raise Conflict(
                f"{directory}/{FILE_NAME} is no journal of a simulator: run `tidegate simulator reset` to begin anew.",
                code="simulator.journal_corrupt",
            ) from None
        row = self._database.execute("SELECT max(sequence) FROM events").fetchone()
        self.sequence: int = row[0] or 0

    def events(self) -> Iterator[Event]:
        """Everything that ever happened, in order."""
        for name, payload in self._database.execute("SELECT name, payload FROM events ORDER BY sequence"):
            yield from_json(payload, EVENT_TYPES[name])

    def append(self, events: Sequence[Event], facts: dict[str, int] | None = None) -> None:
        """One commit, on disk when this returns; `facts` are set along with it. After one failure all others fail."""
        rows = [
            (self.sequence + offset, EVENT_NAMES[type(event)], to_json(event))
            for offset, event in enumerate(events, start=1)
        ]
        try:
            if self._has_failed:
                raise sqlite3.OperationalError("an earlier commit failed")
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
            self._database.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", [(name, str(n)) for name, n in (facts or {}).items()]
            )
            self._database.execute("COMMIT")
        except sqlite3.Error as problem:
            # Memory is now ahead of the disk: nothing may be built on it, the next start reads the disk.
            self._has_failed = True
            raise Unavailable(
                f"The journal in {self._directory} cannot be written ({problem}): make room and start again.",
                code="simulator.journal_failed",
            ) from None
        self.sequence += len(rows)

    def durability(self) -> int:
        """SQLite's synchronous level: 2 (FULL) waits for the disk at each commit."""
        row = self._database.execute("PRAGMA synchronous").fetchone()
        return int(row[0])

    def number(self, name: str, default: int) -> int:
        """A counter that `append` has set."""
        row = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return default if row is None else int(row[0])

    def settle_world(self, described: dict[str, object]) -> None:
        """Write down what this world is made of, or refuse when the journal belongs to another one."""
        text = json.dumps(described, sort_keys=True)
        row = self._database.execute("SELECT value FROM facts WHERE name = 'world'").fetchone()
        if row is None:
            self._database.execute("INSERT INTO facts VALUES ('world', ?)", (text,))
        elif row[0] != text:
            before = json.loads(row[0])
            changed = ", ".join(
                f"{name} {before.get(name)!r}, not {value!r}"
                for name, value in described.items()
                if before.get(name) != value
            )
            raise Conflict(
                f"The world in {self._directory} has {changed}: start it as before, or run `tidegate simulator reset`.",
                code="simulator.other_world",
            )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def reset(directory: Path) -> None:
    """Forget the world in a directory; the next start begins a new one. `Conflict` while a simulator uses it."""
    if (directory / FILE_NAME).exists():
        try:
            Journal(directory).close()  # holds the lock for a moment: nobody else does
        except Conflict as problem:
            if problem.code == "simulator.directory_busy":
                raise
    for suffix in ("", "-wal", "-shm"):
        (directory / f"{FILE_NAME}{suffix}").unlink(missing_ok=True)
