"""A file is a resource: found without registration, guarded unless listed, refused when two answer alike."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.app.api import RouteClash, create_app, discover

ENDPOINTS = """
from fastapi import APIRouter
router = APIRouter()

@router.get("{path}")
async def show() -> str:
    return "here"
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of its own, empty."""
    root = tmp_path / "house"
    root.mkdir()
    (root / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield root
    for name in [name for name in sys.modules if name.partition(".")[0] == "house"]:
        del sys.modules[name]


def write(root: Path, file: str, path: str = "") -> None:
    place = root / file
    place.parent.mkdir(parents=True, exist_ok=True)
    for folder in place.relative_to(root).parents:
        (root / folder / "__init__.py").touch()
    place.write_text(ENDPOINTS.format(path=path))


@pytest.mark.parametrize(
    ("file", "served"),
    [
        ("cellar/endpoints.py", "/api/v1/cellar"),
        ("cellar/endpoints/wine_racks.py", "/api/v1/wine-racks"),
        ("venues/market_hall/endpoints.py", "/api/v1/market-hall"),
        ("cellar/coal_chute/endpoints.py", "/api/v1/coal-chute"),
    ],
)
def test_a_new_file_is_served_under_its_noun(house: Path, file: str, served: str) -> None:
    write(house, file)
    app = create_app({}, package="house")
    assert list(app.openapi()["paths"]) == [served]


def test_two_files_that_answer_one_request_stop_the_start_by_their_names(house: Path) -> None:
    write(house, "cellar/endpoints/wine.py", "/{bottle_id}")
    write(house, "attic/endpoints/wine.py", "/{id}")
    with pytest.raises(RouteClash, match=r"house\.attic\.endpoints\.wine and by house\.cellar\.endpoints\.wine"):
        create_app({}, package="house")


def test_everything_of_the_product_is_found() -> None:
    nouns = {resource.noun for resource in discover()}
    assert nouns >= {"orders", "fills", "trades", "positions", "bots", "risk", "kill-switch", "ledger", "candles"}
    assert nouns >= {"setup", "sessions", "tokens", "api-keys", "accounts", "signals", "portfolio", "tickers"}


def test_the_contract_is_openapi_3_1_with_problems_for_every_error() -> None:
    contract = create_app({}).openapi()
    assert contract["openapi"].startswith("3.1")
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            assert {"4XX", "5XX"} <= set(operation["responses"]), (method, path)
