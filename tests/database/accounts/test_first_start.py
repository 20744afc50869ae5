"""A first start makes one tenant, one account and one key; every later start finds them."""

import asyncio
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.database.ledger.places import DURABLE, make_place
from tidegate.accounts.repository import load_accounts
from tidegate.accounts.service import ApiKeys
from tidegate.accounts.tables import accounts, api_keys, sessions, setup, tenants, users
from tidegate.app.first_start import CLI_KEY_FILE, make_ready, read_cli_key
from tidegate.domain.ids import Environment
from tidegate.kit.clock import SystemClock
from tidegate.kit.db import Database, open_store

CLOCK = SystemClock()


@pytest.fixture(params=DURABLE)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return make_place(request, tmp_path, [tenants, accounts, users, sessions, api_keys, setup])


def with_database(place: str, act: Callable[[Database], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        database = Database(place)
        try:
            await act(database)
        finally:
            await database.close()

    asyncio.run(run())


def test_two_starts_leave_one_account_at_the_simulator_and_one_key(place: str, tmp_path: Path) -> None:
    async def act(database: Database) -> None:
        first = await make_ready(database, tmp_path, CLOCK)
        key = read_cli_key(tmp_path)
        second = await make_ready(database, tmp_path, CLOCK)
        assert read_cli_key(tmp_path) == key
        assert first.setup_token != second.setup_token
        store = open_store(place)
        (account,) = await load_accounts(store)
        await store.close()
        assert (account.name, account.venue, account.environment) == ("paper", "simulator", Environment.SIMULATION)

    with_database(place, act)


def test_the_key_of_the_command_line_is_its_users_alone_and_made_anew_when_it_is_lost(
    place: str, tmp_path: Path
) -> None:
    async def act(database: Database) -> None:
        await make_ready(database, tmp_path, CLOCK)
        file = tmp_path / CLI_KEY_FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.unlink()
        assert read_cli_key(tmp_path) is None
        await make_ready(database, tmp_path, CLOCK)
        assert await ApiKeys(database, clock=CLOCK).is_valid(read_cli_key(tmp_path) or "")

    with_database(place, act)
