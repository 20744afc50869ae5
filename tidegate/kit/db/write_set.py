"""All that one stimulus changes, committed in one call or not at all."""

from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Table

from tidegate.domain.ids import AccountId
from tidegate.domain.messages import Message, encode, wire_name
from tidegate.kit.db.schema import events


class Verb(Enum):
    """What to do with a row that may already be there."""

    INSERT = "insert"  # a duplicate key fails the commit
    INSERT_ONCE = "insert_once"  # a duplicate key leaves the old row
    UPSERT = "upsert"  # the primary key decides


class Write(NamedTuple):
    """One row to be written."""

    verb: Verb
    table: Table
    values: dict[str, Any]


class Head(NamedTuple):
    """The events of one account in this set: `before` is the last sequence that must already stand."""

    before: int
    last: int


class WriteSet:
    """Rows and events in the order in which they are written, and the fences that must still hold."""

    def __init__(self) -> None:
        self.fences: dict[int, int] = {}  # shard -> the fence of its lease
        self.writes: list[Write] = []
        self.heads: dict[AccountId, Head] = {}

    def insert(self, table: Table, **values: Any) -> None:
        """A new row; if its key is taken, the whole commit fails with `DuplicateKey`. Columns left out are NULL."""
        self.writes.append(Write(Verb.INSERT, table, values))

    def insert_once(self, table: Table, **values: Any) -> None:
        """A new row, or nothing where any unique key is taken."""
        self.writes.append(Write(Verb.INSERT_ONCE, table, values))

    def upsert(self, table: Table, **values: Any) -> None:
        """The row with this primary key, new or with all given columns replaced; every NOT NULL column is given."""
        self.writes.append(Write(Verb.UPSERT, table, values))

    def append(self, account_id: AccountId, sequence: int, message: Message) -> None:
        """The account's next event; sequences start at 1, and a gap raises ValueError or fails the commit."""
        head = self.heads.get(account_id)
        if head and sequence != head.last + 1:
            raise ValueError(f"event {sequence} of account {account_id} follows {head.last}: there must be no gap")
        self.heads[account_id] = Head(head.before if head else sequence - 1, sequence)
        self.insert(
            events,
            account_id=account_id,
            sequence=sequence,
            name=wire_name(message),
            payload=encode(message),
            occurred_at=message.occurred_at,
            trace_id=message.trace_id,
        )

    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not self.writes
