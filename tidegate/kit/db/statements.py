"""SQL text and value converters of a table, made once from its declaration; SQLite and PostgreSQL share the text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Column, Dialect, String, Table

from tidegate.kit.db.types import Converter, Unstorable, binder, reader
from tidegate.kit.db.write_set import Verb, Write

Row = dict[str, Any]

# A head is the last sequence of an account; NULL, which the column refuses, where the log does not end at `before`.
_HEAD = """
INSERT INTO event_heads (account_id, sequence)
SELECT ?, CASE WHEN COALESCE(MAX(sequence), 0) = ? THEN ? END FROM event_heads WHERE account_id = ?
ON CONFLICT (account_id) DO UPDATE SET sequence = excluded.sequence
"""
_ACQUIRE = """
INSERT INTO leases (name, holder, fence, expires_at) VALUES (?, ?, 1, ?)
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder,
    fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END,
    expires_at = excluded.expires_at
WHERE leases.holder = excluded.holder OR leases.expires_at <= ?
RETURNING fence
"""
_RENEW = "UPDATE leases SET expires_at = ? WHERE name = ? AND holder = ? AND fence = ?"


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL text with the converters of its parameters, in order."""

    sql: str
    table: str
    binders: tuple[tuple[str, Converter | None], ...]

    def parameters(self, values: Row) -> list[Any]:
        """The driver's values; `Unstorable` names table and column."""
        parameters = []
        for name, bind in self.binders:
            value = values[name]
            if bind is not None and value is not None:
                try:
                    value = bind(value)
                except Unstorable as refusal:
                    raise Unstorable(f"{self.table}.{name} {refusal}") from None
            parameters.append(value)
        return parameters


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT of all columns by equality, and how its rows become Python's."""

    statement: Statement
    readers: tuple[tuple[str, Converter | None], ...]

    def rows(self, found: Iterable[Sequence[Any]]) -> list[Row]:
        """One dict a row, keyed by column."""
        return [
            {
                name: value if read is None or value is None else read(value)
                for (name, read), value in zip(self.readers, row, strict=True)
            }
            for row in found
        ]


class Statements:
    """The statements of one dialect, cached by table and columns."""

    def __init__(self, dialect: Dialect, placeholder: str) -> None:
        self._dialect = dialect
        self._placeholder = placeholder
        self._quote = dialect.identifier_preparer.quote
        self._writes: dict[tuple[Verb, Table, tuple[str, ...]], Statement] = {}
        self._queries: dict[tuple[Table, tuple[str, ...]], Query] = {}
        self.head = _HEAD.replace("?", placeholder)
        self.acquire_lease = _ACQUIRE.replace("?", placeholder)
        self.renew_lease = _RENEW.replace("?", placeholder)

    def write(self, verb: Verb, table: Table, columns: tuple[str, ...]) -> Statement:
        """The INSERT for exactly these columns."""
        key = (verb, table, columns)
        statement = self._writes.get(key)
        if statement is None:
            statement = self._writes[key] = self._make_write(verb, table, columns)
        return statement

    def commands(self, writes: Iterable[Write]) -> Iterator[tuple[str, list[list[Any]]]]:
        """SQL and rows of parameters, consecutive writes of one kind together."""
        for (verb, table, columns), group in groupby(writes, _kind):
            statement = self.write(verb, table, columns)
            yield statement.sql, [statement.parameters(write.values) for write in group]

    def query(self, table: Table, equals: Row) -> tuple[Query, list[Any]]:
        """The SELECT, in the order of the primary key, with its parameters; a value of None means IS NULL."""
        present = {name: value for name, value in equals.items() if value is not None}
        key = (table, tuple((name if name in present else f"{name} is null") for name in equals))
        query = self._queries.get(key)
        if query is None:
            query = self._queries[key] = self._make_query(table, equals)
        return query, query.statement.parameters(present)

    def _make_write(self, verb: Verb, table: Table, columns: tuple[str, ...]) -> Statement:
        names = ", ".join(self._quote(name) for name in columns)
        values = ", ".join([self._placeholder] * len(columns))
        sql = f"INSERT INTO {self._quote(table.name)} ({names}) VALUES ({values})"
        if verb is not Verb.INSERT:
            sql += self._on_conflict(table, columns if verb is Verb.UPSERT else ())
        return Statement(sql, table.name, self._binders(table, columns))

    def _on_conflict(self, table: Table, replaced: tuple[str, ...]) -> str:
        key = [column.name for column in table.primary_key]
        changes = [f"{self._quote(name)} = excluded.{self._quote(name)}" for name in replaced if name not in key]
        if not changes:
            return " ON CONFLICT DO NOTHING"
        return f" ON CONFLICT ({', '.join(map(self._quote, key))}) DO UPDATE SET {', '.join(changes)}"

    def _make_query(self, table: Table, equals: Row) -> Query:
        columns = ", ".join(self._quote(column.name) for column in table.columns)
        sql = f"SELECT {columns} FROM {self._quote(table.name)}"
        if equals:
            tests = [
                f"{self._quote(name)} IS NULL" if value is None else f"{self._quote(name)} = {self._placeholder}"
                for name, value in equals.items()
            ]
            sql += f" WHERE {' AND '.join(tests)}"
        sql += f" ORDER BY {', '.join(map(self._sorted, table.primary_key))}"
        bound = tuple(name for name, value in equals.items() if value is not None)
        readers = tuple((column.name, reader(column.type, self._dialect)) for column in table.columns)
        return Query(Statement(sql, table.name, self._binders(table, bound)), readers)

    def _sorted(self, column: Column[Any]) -> str:
        # Text in the order of its bytes, as SQLite and Python sort it, whatever the locale of the server.
        is_text = self._dialect.name == "postgresql" and isinstance(column.type, String)
        return self._quote(column.name) + (' COLLATE "C"' if is_text else "")

    def _binders(self, table: Table, columns: tuple[str, ...]) -> tuple[tuple[str, Converter | None], ...]:
        unknown = [name for name in columns if name not in table.columns]
        if unknown:
            raise ValueError(f"table {table.name} has no column {unknown[0]!r}")
        return tuple((name, binder(table.columns[name].type, self._dialect)) for name in columns)


def _kind(write: Write) -> tuple[Verb, Table, tuple[str, ...]]:
    return write.verb, write.table, tuple(write.values)
