"""Limits and switches survive, and pages show what is in force."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from httpx import ASGITransport, AsyncClient

from tests.database.ledger.places import DURABLE, EVERYWHERE, make_place, store_at
from tidegate.domain.ids import AccountId, BotId, TenantId, UserId
from tidegate.kit.db import Database, Store, WriteSet
from tidegate.kit.http import Caller, Callers, add_manners
from tidegate.risk.endpoints import router
from tidegate.risk.model import Limits, Switch
from tidegate.risk.ports import Exposure
from tidegate.risk.repository import Level, RiskReader, load_limits, load_switch, write_limits, write_switch
from tidegate.risk.tables import limits, switches

AT = 1_700_000_000_000_000
ACCOUNT = AccountId("a1")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return make_place(request, tmp_path, [limits, switches])


everywhere = pytest.mark.parametrize("place", EVERYWHERE, indirect=True)


def with_store(place: str, act: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        store = store_at(place)
        try:
            await act(store)
        finally:
            await store.close()

    asyncio.run(run())


async def set_limits(store: Store, level: Level, key: str, value: Limits) -> None:
    write_set = WriteSet()
    write_limits(write_set, level, key, value, at=AT)
    await store.commit(write_set)


async def set_switch(store: Store, switch: Switch) -> None:
    write_set = WriteSet()
    write_switch(write_set, ACCOUNT, switch)
    await store.commit(write_set)


@everywhere
def test_the_tightest_level_is_in_force_after_a_restart(place: str) -> None:
    async def act(store: Store) -> None:
        await set_limits(store, Level.PLATFORM, "", Limits(order_notional_max=Decimal("1000.5"), open_orders_max=9))
        await set_limits(store, Level.ACCOUNT, "a1", Limits(order_notional_max=Decimal(700)))
        await set_limits(store, Level.BOT, "b1", Limits(data_age_ms_max=500))
        book = await load_limits(store)
        assert book.in_force(AccountId("a2")) == Limits(order_notional_max=Decimal("1000.5"), open_orders_max=9)
        assert book.in_force(ACCOUNT, BotId("b1")) == Limits(
            order_notional_max=Decimal(700), open_orders_max=9, data_age_ms_max=500
        )

    with_store(place, act)


@everywhere
def test_limits_that_are_set_again_replace_the_old_ones(place: str) -> None:
    async def act(store: Store) -> None:
        await set_limits(store, Level.PLATFORM, "", Limits(order_notional_max=Decimal(1)))
        await set_limits(store, Level.PLATFORM, "", Limits(open_orders_max=2))
        assert (await load_limits(store)).in_force(ACCOUNT) == Limits(open_orders_max=2)

    with_store(place, act)


@everywhere
def test_a_kill_switch_stays_as_it_was_set_and_begins_off(place: str) -> None:
    async def act(store: Store) -> None:
        assert not (await load_switch(store, ACCOUNT)).is_on
        for switch in (Switch(is_on=True, reason="too fast", set_at=AT), Switch(is_on=False, reason="", set_at=AT + 1)):
            await set_switch(store, switch)
            assert await load_switch(store, ACCOUNT) == switch
        assert (await load_switch(store, AccountId("a2"))).set_at is None

    with_store(place, act)


class World:
    """One tenant, one account, two open orders, a daily result that nobody knows."""

    async def caller_of(self, request: Request) -> Caller:
        return Caller(UserId("u1"), TenantId("t1"), "owner")

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        return frozenset({ACCOUNT})

    async def exposure(self, account_id: AccountId) -> Exposure:
        return Exposure(open_orders=2, position_notional=Decimal(50))


@pytest.mark.parametrize("place", DURABLE, indirect=True)
def test_the_api_shows_limits_their_use_and_the_switch(place: str) -> None:
    async def fill(store: Store) -> None:
        wanted = Limits(open_orders_max=8, daily_loss_max=Decimal("50.50"))
        await set_limits(store, Level.ACCOUNT, "a1", wanted)
        await set_switch(store, Switch(is_on=True, reason="night", set_at=AT))

    async def ask() -> dict[str, Any]:
        world, database = World(), Database(place)
        app = FastAPI()
        add_manners(app)
        app.state.provided = {Callers: world, RiskReader: RiskReader(database, world, world)}
        app.include_router(router, prefix="/risk")
        async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
            (shown,) = (await client.get("/risk")).json()["items"]
            assert shown == (await client.get("/risk/a1")).json()
            assert (await client.get("/risk/a2")).json()["code"] == "risk.account_not_found"
        await database.close()
        return dict(shown)

    with_store(place, fill)
    shown = asyncio.run(ask())
    assert shown["switch"] == {"is_on": True, "reason": "night", "set_at": "2023-11-14T22:13:20.000Z"}
    assert (shown["limits"]["open_orders_max"], shown["limits"]["order_notional_max"]) == (8, None)
    assert shown["usage"] == [
        {"limit": "open_orders_max", "used": "2", "bound": "8", "share": "0.25"},
        {"limit": "daily_loss_max", "used": None, "bound": "50.5", "share": None},
    ]
