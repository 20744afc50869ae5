"""Products on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.database.api.product import Product, a_product


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tidegate.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tidegate.db'}"


@pytest.fixture
async def product(anyio_backend: str, url: str, tmp_path: Path) -> AsyncIterator[Product]:
    async with a_product(url, tmp_path) as found:
        yield found


@pytest.fixture
async def lone(anyio_backend: str, sqlite_url: str, tmp_path: Path) -> AsyncIterator[Product]:
    """On one database, for rules that no database has a part in."""
    async with a_product(sqlite_url, tmp_path, decision_s=0.05) as found:
        yield found
