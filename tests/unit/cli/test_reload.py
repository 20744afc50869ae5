"""Which parts an edit starts anew."""

import pytest

from tidegate.app.cli.up import parts_of

PARTS = ["valkey", "simulator", "engine", "api"]


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        (["accounts/endpoints/setup.py", "app/templates/page.html"], ["api"]),
        (["risk/model.py", "risk/endpoints.py"], ["api", "engine"]),
        (["exchange/filters.py"], ["api", "engine", "simulator"]),
    ],
)
def test_an_edit_starts_anew_what_it_changes_and_the_page_first(files: list[str], parts: list[str]) -> None:
    assert parts_of(files, PARTS) == parts
