"""Upgrades and their checks, with two toy migrations of the test's own."""

import shutil
import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text

from tidegate.domain.errors import Unavailable
from tidegate.kit.clock import ManualClock
from tidegate.kit.db import Document, Exact, Minor
from tidegate.kit.db.migrations import NotMigrated, Upgrade, check, draft, upgrade
from tidegate.kit.db.revision import SCRIPTS


def first_schema() -> MetaData:
    toys = MetaData()
    columns = (Column("price", Exact), Column("units", Minor), Column("terms", Document))
    Table("toy", toys, Column("id", Text, primary_key=True), *columns, Column("label", Text, index=True))
    return toys


def second_schema() -> MetaData:
    toys = first_schema()
    toys.tables["toy"].append_column(Column("age", Integer))
    Table("box", toys, Column("id", Text, primary_key=True))
    return toys


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A folder of migrations with revision 0001."""
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        shutil.copy(SCRIPTS / name, scripts)
    draft("toys", "0001", scripts=scripts, metadata=first_schema())
    return scripts


@pytest.fixture
def second(first: Path, tmp_path: Path) -> Path:
    """The same folder one version later."""
    scripts = tmp_path / "later"
    shutil.copytree(first, scripts)
    draft("boxes", "0002", scripts=scripts, metadata=second_schema())
    return scripts


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/t.db"


def execute(url: str, statement: str) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute(statement)
        connection.close()
    else:
        with psycopg.connect(url) as server:
            server.execute(statement.encode())


def test_a_drafted_migration_makes_exactly_the_declared_tables(url: str, first: Path) -> None:
    assert upgrade(url, scripts=first, metadata=first_schema()) == Upgrade(None, "0001")
    assert check(url, scripts=first, metadata=first_schema()) == []
    assert upgrade(url, scripts=first, metadata=first_schema()) == Upgrade("0001", "0001")


def test_a_drafted_migration_names_our_types_and_imports_what_it_needs(first: Path) -> None:
    (script,) = (first / "versions").glob("*.py")
    source = script.read_text()
    for name in ("Document", "Exact", "Minor"):
        assert f"from tidegate.kit.db import {name}\n" in source
    assert "'price', Exact()" in source


def test_an_upgrade_goes_on_from_where_the_database_stands(url: str, first: Path, second: Path) -> None:
    upgrade(url, scripts=first, metadata=first_schema())
    done = upgrade(url, scripts=second, metadata=second_schema())
    assert (done.before, done.after) == ("0001", "0002")
    assert check(url, scripts=second, metadata=second_schema()) == []


def test_the_sqlite_file_is_copied_before_an_upgrade(first: Path, second: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    upgrade(url, scripts=first, metadata=first_schema())
    (tmp_path / "t.db").chmod(0o600)
    execute(url, "INSERT INTO toy (id, label) VALUES ('1', 'kept')")
    backup = upgrade(url, scripts=second, metadata=second_schema(), clock=ManualClock(0)).backup
    assert backup == tmp_path / "t.db.0001.1970-01-01T000000000Z.backup"
    assert backup.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(backup) as copy:
        assert copy.execute("SELECT id, label FROM toy").fetchall() == [("1", "kept")]
    copy.close()
    assert check(f"sqlite:///{backup}", scripts=first, metadata=first_schema()) == []


def test_a_migration_that_fails_changes_nothing(url: str, first: Path, second: Path) -> None:
    upgrade(url, scripts=first, metadata=first_schema())
    (script,) = (second / "versions").glob("0002*.py")
    script.write_text(script.read_text() + '\n    op.execute("INSERT INTO nowhere VALUES (1)")\n')
    with pytest.raises(Unavailable, match="nowhere"):
        upgrade(url, scripts=second, metadata=second_schema())
    assert check(url, scripts=first, metadata=first_schema()) == []


def test_an_empty_database_wants_an_upgrade_and_is_not_made_by_looking(url: str, first: Path, tmp_path: Path) -> None:
    assert check(url, scripts=first, metadata=first_schema()) == ["The database is empty: run `tidegate db upgrade`."]
    assert not (tmp_path / "t.db").exists()


def test_an_older_database_wants_an_upgrade(url: str, first: Path, second: Path) -> None:
    upgrade(url, scripts=first, metadata=first_schema())
    assert check(url, scripts=second, metadata=second_schema()) == [
        "The database is at revision 0001 and this version needs 0002: run `tidegate db upgrade`."
    ]


def test_a_newer_database_is_refused_and_left_alone(url: str, first: Path, second: Path) -> None:
    upgrade(url, scripts=second, metadata=second_schema())
    (sentence,) = check(url, scripts=first, metadata=first_schema())
    assert sentence.startswith("The database is at revision 0002, which this version does not know")
    with pytest.raises(NotMigrated, match="0002"):
        upgrade(url, scripts=first, metadata=first_schema())
    assert check(url, scripts=second, metadata=second_schema()) == []


def test_tables_without_a_revision_are_refused(url: str, first: Path) -> None:
    execute(url, "CREATE TABLE toy (id TEXT)")
    (sentence,) = check(url, scripts=first, metadata=first_schema())
    assert sentence.startswith("The database holds tables (toy) but no revision")
    with pytest.raises(NotMigrated):
        upgrade(url, scripts=first, metadata=first_schema())


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("DROP TABLE box", "table box is missing"),
        ("CREATE TABLE extra (id TEXT)", "table extra is not known"),
        ("ALTER TABLE toy DROP COLUMN age", "column toy.age is missing"),
        ("ALTER TABLE toy ADD COLUMN size TEXT", "column toy.size is not known"),
        ("DROP INDEX ix_toy_label", "index ix_toy_label of table toy is missing"),
    ],
)
def test_a_half_migrated_database_is_named(url: str, second: Path, damage: str, sentence: str) -> None:
    upgrade(url, scripts=second, metadata=second_schema())
    execute(url, damage)
    assert check(url, scripts=second, metadata=second_schema()) == [
        f"The database is half-migrated: {sentence}; restore the backup or name an empty database."
    ]


def test_a_file_that_is_no_database_is_one_sentence(first: Path, tmp_path: Path) -> None:
    (tmp_path / "t.db").write_text("no database" * 1_000)
    with pytest.raises(Unavailable, match="file is not a database"):
        check(f"sqlite:///{tmp_path}/t.db", scripts=first, metadata=first_schema())
