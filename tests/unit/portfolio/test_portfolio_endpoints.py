"""The portfolio over HTTP: unknown is null, never zero."""

import asyncio
from decimal import Decimal
from typing import Any

from fastapi import FastAPI, Request
from httpx import ASGITransport, AsyncClient

from tidegate.domain.ids import AccountId, TenantId, UserId
from tidegate.domain.money import Money
from tidegate.domain.orders import BalanceReport, Direction, Side
from tidegate.kit.http import Caller, Callers, add_manners
from tidegate.measures.pnl import Execution
from tidegate.portfolio.endpoints import router
from tidegate.portfolio.ports import Mark, OpenPosition
from tidegate.portfolio.service import PortfolioReader

ACCOUNT = AccountId("a1")


class World:
    """One tenant with one account that holds something nobody has a price for."""

    async def caller_of(self, request: Request) -> Caller:
        return Caller(UserId("u1"), TenantId("t1"), "owner")

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        return frozenset({ACCOUNT})

    async def holdings(self, account_id: AccountId) -> list[BalanceReport]:
        return [BalanceReport(asset=asset, free=Decimal("1.50"), held=Decimal(0)) for asset in ("BTC", "USDT", "XYZ")]

    async def open_positions(self, account_id: AccountId) -> list[OpenPosition]:
        return [
            OpenPosition(
                bot_id=None,
                symbol="XYZ/USDT",
                direction=Direction.LONG,
                quantity=Decimal(1),
                entry_price=Decimal(7),
                realized_pnl=Decimal(0),
            )
        ]

    async def executions(self, account_id: AccountId) -> list[Execution]:
        return [
            Execution(
                base="BTC",
                quote="USDT",
                side=Side.SELL,
                quantity=Decimal(1),
                price=Decimal(100),
                fee=Money(Decimal("0.01"), "BNB"),
                filled_at=0,
            )
        ]

    async def mark(self, symbol: str) -> Mark | None:
        return Mark(Decimal(100), 12) if symbol == "BTC/USDT" else None


def answers(*paths: str) -> list[Any]:
    async def ask() -> list[Any]:
        world = World()
        app = FastAPI()
        add_manners(app)
        reader = PortfolioReader(accounts=world, holdings=world, trading=world, marks=world)
        app.state.provided = {Callers: world, PortfolioReader: reader}
        app.include_router(router, prefix="/portfolio")
        async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
            return [(await client.get(path)).json() for path in paths]

    return asyncio.run(ask())


def test_what_is_unknown_is_null_and_the_totals_say_that_they_are_partial() -> None:
    (page,) = answers("/portfolio")
    (shown,) = page["items"]
    assert (shown["equity"], shown["is_partial"], shown["unpriced_assets"]) == ("151.5", True, ["XYZ"])
    assert [holding["value"] for holding in shown["holdings"]] == ["150", "1.5", None]
    assert shown["positions"][0]["unrealized_pnl"] is None
    assert shown["missing_basis"] == [{"quantity": "1", "asset": "BTC"}]
    assert shown["unpriced_fees"] == [{"quantity": "0.01", "asset": "BNB"}]


def test_one_account_is_found_by_its_id_and_in_another_currency() -> None:
    mine, foreign, wrong = answers("/portfolio/a1?currency=EUR", "/portfolio/a2", "/portfolio?currency=e$")
    assert (mine["account_id"], mine["equity"], mine["unvalued_quotes"]) == ("a1", None, ["USDT"])
    assert foreign["code"] == "portfolio.account_not_found"
    assert wrong["errors"][0]["field"] == "currency"
