"""What an account is worth, and how a missing price shows."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from tidegate.domain.errors import NotFound
from tidegate.domain.ids import AccountId, BotId, TenantId
from tidegate.domain.money import ZERO, Money
from tidegate.domain.orders import BalanceReport, Direction, Side
from tidegate.measures.pnl import Execution
from tidegate.portfolio.model import Portfolio, valued
from tidegate.portfolio.ports import Mark, OpenPosition
from tidegate.portfolio.service import PortfolioReader

ACCOUNT = AccountId("a1")


def balance(asset: str, free: str, held: str = "0") -> BalanceReport:
    return BalanceReport(asset=asset, free=Decimal(free), held=Decimal(held))


def bought(quantity: str, price: str, base: str = "BTC", *, quote: str = "USDT", fee: str = "0 USDT") -> Execution:
    return traded(Side.BUY, quantity, price, base, quote=quote, fee=fee)


def sold(quantity: str, price: str, base: str = "BTC") -> Execution:
    return traded(Side.SELL, quantity, price, base, quote="USDT", fee="0 USDT")


def traded(side: Side, quantity: str, price: str, base: str, *, quote: str, fee: str) -> Execution:
    paid, _, asset = fee.partition(" ")
    return Execution(
        base=base,
        quote=quote,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Money(Decimal(paid), asset),
        filled_at=0,
    )


def position(direction: Direction = Direction.LONG, symbol: str = "BTC/USDT") -> OpenPosition:
    return OpenPosition(
        bot_id=BotId("b1"),
        symbol=symbol,
        direction=direction,
        quantity=Decimal(2),
        entry_price=Decimal(100),
        realized_pnl=ZERO,
    )


def portfolio(
    *balances: BalanceReport,
    executions: Sequence[Execution] = (),
    positions: Sequence[OpenPosition] = (),
    marks: Mapping[str, str] | None = None,
) -> Portfolio:
    prices = {symbol: Mark(Decimal(price), 40) for symbol, price in (marks or {}).items()}
    return valued(ACCOUNT, "USDT", balances=balances, executions=executions, positions=positions, marks=prices)


def test_equity_is_everything_at_its_mark_price_held_money_included() -> None:
    worth = portfolio(balance("USDT", "500", "100"), balance("BTC", "1", "1"), marks={"BTC/USDT": "150"})
    assert (worth.equity, worth.is_partial) == (Decimal(900), False)
    assert worth.holdings[1].mark_age_ms == 40


def test_a_missing_price_is_unknown_and_the_total_partial() -> None:
    worth = portfolio(balance("USDT", "500"), balance("XYZ", "7"))
    assert worth.holdings[1].value is None
    assert (worth.equity, worth.is_partial, worth.unpriced_assets) == (Decimal(500), True, ("XYZ",))


def test_an_account_of_which_nothing_has_a_price_has_no_equity() -> None:
    assert portfolio(balance("XYZ", "7")).equity is None


def test_an_empty_account_is_worth_nothing_and_that_is_known() -> None:
    worth = portfolio()
    assert (worth.equity, worth.unrealized_pnl, worth.is_partial) == (ZERO, ZERO, False)


def test_results_come_from_lots_with_fees() -> None:
    worth = portfolio(
        balance("BTC", "0.5"),
        executions=[bought("1", "20000", fee="20 USDT"), bought("1", "30000", fee="30 USDT"), sold("1.5", "40000")],
        marks={"BTC/USDT": "42000"},
    )
    assert (worth.realized_pnl, worth.unrealized_pnl) == (Decimal(24965), Decimal(5985))
    (held,) = worth.holdings
    assert (held.cost, held.unrealized_pnl, held.quantity_without_cost) == (Decimal(15015), Decimal(5985), ZERO)


def test_what_was_there_before_has_no_cost_and_no_result() -> None:
    (held,) = portfolio(balance("BTC", "3"), executions=[bought("1", "100")], marks={"BTC/USDT": "150"}).holdings
    assert (held.quantity_without_cost, held.cost, held.unrealized_pnl) == (Decimal(2), Decimal(100), Decimal(50))


def test_open_lots_without_a_price_leave_the_result_unknown() -> None:
    worth = portfolio(balance("BTC", "1"), executions=[bought("1", "100")])
    assert (worth.unrealized_pnl, worth.unpriced_assets) == (None, ("BTC",))


@pytest.mark.parametrize(
    ("executions", "flag"),
    [
        ([bought("1", "0.05", "ETH", quote="BTC")], "unvalued_quotes"),
        ([sold("1", "100")], "missing_basis"),
        ([bought("1", "100", fee="0.01 BNB"), sold("1", "100")], "unpriced_fees"),
    ],
)
def test_what_cannot_be_counted_is_flagged(executions: list[Execution], flag: str) -> None:
    worth = portfolio(executions=executions)
    assert worth.is_partial
    assert getattr(worth, flag)


@pytest.mark.parametrize(("direction", "gain"), [(Direction.LONG, "20"), (Direction.SHORT, "-20")])
def test_a_position_shows_what_closing_at_the_mark_would_add(direction: Direction, gain: str) -> None:
    (shown,) = portfolio(positions=[position(direction)], marks={"BTC/USDT": "110"}).positions
    assert (shown.unrealized_pnl, shown.mark_price, shown.mark_age_ms) == (Decimal(gain), Decimal(110), 40)


def test_a_position_without_a_mark_price_has_an_unknown_result() -> None:
    (shown,) = portfolio(positions=[position()]).positions
    assert (shown.unrealized_pnl, shown.mark_price, shown.mark_age_ms) == (None, None, None)


class OneAccount:
    """One tenant with one account, in memory."""

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        return frozenset({ACCOUNT}) if tenant_id == "t1" else frozenset()

    async def holdings(self, account_id: AccountId) -> list[BalanceReport]:
        return [balance("USDT", "10"), balance("BTC", "1")]

    async def open_positions(self, account_id: AccountId) -> list[OpenPosition]:
        return [position(symbol="ETH/USDT")]

    async def executions(self, account_id: AccountId) -> list[Execution]:
        return [bought("1", "100")]

    async def mark(self, symbol: str) -> Mark | None:
        return {"BTC/USDT": Mark(Decimal(120), 5), "ETH/USDT": Mark(Decimal(101), 9)}.get(symbol)


def reader() -> PortfolioReader:
    everything = OneAccount()
    return PortfolioReader(accounts=everything, holdings=everything, trading=everything, marks=everything)


def test_a_caller_sees_the_accounts_of_the_own_tenant() -> None:
    (worth,) = asyncio.run(reader().portfolios(TenantId("t1"), "USDT"))
    assert (worth.equity, worth.unrealized_pnl, worth.positions[0].unrealized_pnl) == (
        Decimal(130),
        Decimal(20),
        Decimal(2),
    )


def test_the_account_of_another_tenant_is_not_found() -> None:
    assert asyncio.run(reader().portfolios(TenantId("t2"), "USDT")) == []
    with pytest.raises(NotFound):
        asyncio.run(reader().portfolio(TenantId("t2"), ACCOUNT, "USDT"))
