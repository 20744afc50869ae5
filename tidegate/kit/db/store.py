"""What the engine knows of a database: commit one write set, load rows by equality, hold leases."""

from typing import Protocol

from sqlalchemy import Table

from tidegate.domain.errors import Conflict, Unavailable
from tidegate.kit.db.statements import Row
from tidegate.kit.db.write_set import WriteSet


class FencedOut(Conflict):
    """Somebody else holds the lease now; nothing was written, and this holder must stop acting."""

    code = "db.fenced_out"


class DuplicateKey(Conflict):
    """A row with this key is there already (the sentence names the table); nothing was written."""

    code = "db.duplicate_key"


class SequenceGap(Conflict):
    """The log of an account does not end where this set begins; nothing was written."""

    code = "db.sequence_gap"


class CommitUnknown(Unavailable):
    """The connection was lost during a commit: read back by key what became of it before deciding anything."""

    code = "db.commit_unknown"


class Store(Protocol):
    """SQLite, PostgreSQL and memory keep the same promises; an exception other than CommitUnknown wrote nothing."""

    async def durability(self) -> str:
        """What a finished commit survives: asserted when the connection is made, printed by benchmarks."""
        ...

    async def commit(self, write_set: WriteSet) -> None:
        """Write all of it in one transaction, if every fence still holds; an empty set touches nothing."""
        ...

    async def load(self, table: Table, **equals: object) -> list[Row]:
        """All columns of the rows with these values (None matches NULL), in the order of the primary key."""
        ...

    async def acquire_lease(self, name: str, holder: str, now_us: int, ttl_us: int) -> int | None:
        """The fence, or None while another holder's lease runs; the fence rises with each change of holder."""
        ...

    async def renew_lease(self, name: str, holder: str, fence: int, now_us: int, ttl_us: int) -> bool:
        """Whether the lease is still this holder's and now runs `ttl_us` longer; a `ttl_us` of 0 gives it back."""
        ...

    async def close(self) -> None:
        """Nothing may be called afterwards."""
        ...


def lease_of(shard: int) -> str:
    """The name of the lease whose fence guards a shard's writes."""
    return f"shard:{shard}"


def fenced_out(write_set: WriteSet) -> FencedOut:
    """The refusal of a commit whose lease is gone."""
    held = ", ".join(f"{lease_of(shard)} (fence {fence})" for shard, fence in write_set.fences.items())
    return FencedOut(f"The lease {held} belongs to another holder now; this one must stop.")


def duplicate_key(table: str) -> DuplicateKey:
    """The refusal of a row whose key is taken."""
    return DuplicateKey(f"A row with this key is already in {table}.")


def sequence_gap(write_set: WriteSet) -> SequenceGap:
    """The refusal of events that do not continue an account's log."""
    begins = ", ".join(f"{account_id} after {head.before}" for account_id, head in write_set.heads.items())
    return SequenceGap(f"The log of an account does not end where its new events begin: {begins}.")
