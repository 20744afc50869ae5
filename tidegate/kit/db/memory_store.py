"""The database of backtests and unit tests: dicts with the same promises, foreign keys and durability left out."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table, UniqueConstraint
from sqlalchemy.engine.default import DefaultDialect

from tidegate.kit.db.schema import event_heads, leases
from tidegate.kit.db.statements import Row, Statements
from tidegate.kit.db.store import duplicate_key, fenced_out, lease_of, sequence_gap
from tidegate.kit.db.write_set import Verb, Write, WriteSet

_Key = tuple[Any, ...]
_Undo = list[Callable[[], object]]


class MemoryStore:
    """A failed commit is undone, so that nothing of it remains."""

    def __init__(self) -> None:
        self._statements = Statements(DefaultDialect(), "?")
        self._tables: dict[Table, _Rows] = {}

    async def durability(self) -> str:
        return "memory: nothing survives"

    async def commit(self, write_set: WriteSet) -> None:
        if write_set.is_empty():
            return
        held = self._rows(leases)
        for shard, fence in write_set.fences.items():
            lease = held.by_key.get((lease_of(shard),))
            if lease is None or lease["fence"] != fence:
                raise fenced_out(write_set)
        undo: _Undo = []
        is_complete = False
        try:
            for write in write_set.writes:
                self._write(write, undo)
            self._move_heads(write_set, undo)
            is_complete = True
        finally:
            if not is_complete:
                for step in reversed(undo):
                    step()

    async def load(self, table: Table, **equals: object) -> list[Row]:
        query, parameters = self._statements.query(table, equals)
        wanted: Row = dict.fromkeys(equals)
        wanted |= {name: value for (name, _), value in zip(query.statement.binders, parameters, strict=True)}
        rows = self._rows(table).by_key
        found = (rows[key] for key in sorted(rows))
        return query.rows(
            tuple(row.values()) for row in found if all(row[name] == value for name, value in wanted.items())
        )

    async def acquire_lease(self, name: str, holder: str, now_us: int, ttl_us: int) -> int | None:
        held = self._rows(leases)
        old = held.by_key.get((name,))
        if old and old["holder"] != holder and old["expires_at"] > now_us:
            return None
        fence: int = 1 if old is None else old["fence"] + (old["holder"] != holder)
        held.put({"name": name, "holder": holder, "fence": fence, "expires_at": now_us + ttl_us}, [])
        return fence

    async def renew_lease(self, name: str, holder: str, fence: int, now_us: int, ttl_us: int) -> bool:
        held = self._rows(leases)
        old = held.by_key.get((name,))
        if old is None or (old["holder"], old["fence"]) != (holder, fence):
            return False
        held.put(old | {"expires_at": now_us + ttl_us}, [])
        return True

    async def close(self) -> None:
        """Nothing to give back; what was stored can still be read by the test that made it."""

    def _rows(self, table: Table) -> "_Rows":
        rows = self._tables.get(table)
        if rows is None:
            rows = self._tables[table] = _Rows(table)
        return rows

    def _write(self, write: Write, undo: _Undo) -> None:
        verb, table, values = write
        rows = self._rows(table)
        statement = self._statements.write(verb, table, tuple(values))
        given = dict(zip(values, statement.parameters(values), strict=True))
        row = rows.complete(given)
        old = rows.by_key.get(rows.key_of(row))
        if verb is Verb.UPSERT and old is not None:
            row = old | given
        elif old is not None or rows.clashes(row, None):
            if verb is Verb.INSERT_ONCE:
                return
            raise duplicate_key(table.name)
        if rows.clashes(row, old):
            raise duplicate_key(table.name)
        rows.put(row, undo)

    def _move_heads(self, write_set: WriteSet, undo: _Undo) -> None:
        heads = self._rows(event_heads)
        for account_id, head in write_set.heads.items():
            old = heads.by_key.get((account_id,))
            if (old["sequence"] if old else 0) != head.before:
                raise sequence_gap(write_set)
            heads.put({"account_id": account_id, "sequence": head.last}, undo)


class _Rows:
    """One table: rows by primary key, and an index for every other unique key."""

    def __init__(self, table: Table) -> None:
        self.by_key: dict[_Key, Row] = {}
        self._table = table
        self._key = [column.name for column in table.primary_key]
        constraints = [c.columns for c in table.constraints if isinstance(c, UniqueConstraint)]
        indexes = [index.columns for index in table.indexes if index.unique]
        self._unique: list[tuple[list[str], dict[_Key, Row]]] = [
            ([column.name for column in columns], {}) for columns in (*constraints, *indexes)
        ]

    def key_of(self, row: Row) -> _Key:
        return tuple(row[name] for name in self._key)

    def complete(self, given: Row) -> Row:
        """All columns in their order, those not given NULL."""
        row = {column.name: given.get(column.name) for column in self._table.columns}
        for column in self._table.columns:
            if row[column.name] is None and not column.nullable:
                raise ValueError(f"{self._table.name}.{column.name} must not be NULL")
        return row

    def clashes(self, row: Row, old: Row | None) -> bool:
        """Whether another row than `old` has a unique key of `row`; NULL is equal to nothing."""
        for names, index in self._unique:
            holder = index.get(tuple(row[name] for name in names))
            if holder is not None and holder is not old and all(row[name] is not None for name in names):
                return True
        return False

    def put(self, row: Row, undo: _Undo) -> None:
        """Set the row of this primary key; `undo` learns how to take it back."""
        key = self.key_of(row)
        old = self.by_key.get(key)
        self._replace(key, old, row)
        undo.append(lambda: self._replace(key, row, old))

    def _replace(self, key: _Key, old: Row | None, new: Row | None) -> None:
        for names, index in self._unique:
            if old is not None:
                index.pop(tuple(old[name] for name in names), None)
            if new is not None:
                index[tuple(new[name] for name in names)] = new
        if new is None:
            del self.by_key[key]
        else:
            self.by_key[key] = new
