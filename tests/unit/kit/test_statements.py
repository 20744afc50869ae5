from sqlalchemy.dialects import postgresql, sqlite

from tidegate.kit.db import event_cursors
from tidegate.kit.db.statements import Statements


def test_postgres_sorts_text_by_its_bytes_whatever_the_language_of_the_server() -> None:
    statements = Statements(postgresql.dialect(), "%s")  # type: ignore[no-untyped-call]
    query, _ = statements.query(event_cursors, {})
    assert query.statement.sql.endswith('ORDER BY consumer COLLATE "C", account_id COLLATE "C"')


def test_a_statement_is_made_once() -> None:
    statements = Statements(sqlite.dialect(), "?")
    first, _ = statements.query(event_cursors, {"consumer": "relay"})
    second, parameters = statements.query(event_cursors, {"consumer": "alerts"})
    assert first is second
    assert parameters == ["alerts"]
