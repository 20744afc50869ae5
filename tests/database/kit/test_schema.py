"""The migrations and the tables that the stages declare, held against each other on both databases."""

from pathlib import Path

import pytest

from tidegate.kit.db.migrations import check, upgrade


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/t.db"


def test_the_migrations_make_exactly_the_tables_as_they_are_declared(url: str) -> None:
    upgrade(url)
    assert check(url) == []
