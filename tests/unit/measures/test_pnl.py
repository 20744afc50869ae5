"""Cost basis and results against the published vectors P1 to P3, and what cannot be known."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.money import ZERO, Money
from tidegate.domain.orders import Direction, Side
from tidegate.measures.lots import Lots
from tidegate.measures.pnl import Execution, Gains, unrealized_pnl


def execution(
    side: Side,
    quantity: str,
    price: str,
    fee: str = "0 USDT",
    *,
    base: str = "BTC",
    fee_price: str | None = None,
) -> Execution:
    paid, _, asset = fee.partition(" ")
    return Execution(
        base=base,
        quote="USDT",
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Money(Decimal(paid), asset),
        filled_at=0,
        fee_price=None if fee_price is None else Decimal(fee_price),
    )


def gains(*executions: Execution) -> Gains:
    folded = Gains("USDT")
    for each in executions:
        folded.add(each)
    return folded


def test_p1_the_oldest_lot_is_sold_first() -> None:
    folded = gains(
        execution(Side.BUY, "1", "20000", "20 USDT"),
        execution(Side.BUY, "1", "30000", "30 USDT"),
        execution(Side.SELL, "1.5", "40000", "60 USDT"),
    )
    assert folded.total_realized() == Decimal(24905)
    assert folded.unrealized("BTC", Decimal(42000)) == Decimal(5985)


def test_p2_a_fee_in_base_lowers_the_quantity_and_not_the_cost() -> None:
    lots = gains(execution(Side.BUY, "1", "20000", "0.001 BTC")).lots["BTC"]
    assert (lots.quantity, lots.cost) == (Decimal("0.999"), Decimal(20000))
    assert round(lots.cost / lots.quantity, 2) == Decimal("20020.02")


def test_p3_a_fee_in_a_third_asset_is_a_sale_of_it_and_part_of_the_cost() -> None:
    folded = gains(
        execution(Side.BUY, "1", "200", base="BNB"),
        execution(Side.BUY, "1", "2000", "0.005 BNB", base="ETH", fee_price="300"),
    )
    assert folded.lots["ETH"].cost == Decimal("2001.50")
    assert folded.realized == {"BNB": Decimal("0.5")}


def test_a_fee_in_base_of_a_sale_is_sold_too() -> None:
    folded = gains(execution(Side.BUY, "1", "100"), execution(Side.SELL, "0.9", "200", "0.1 BTC"))
    assert (folded.total_realized(), folded.lots["BTC"].quantity) == (Decimal(80), ZERO)


def test_a_rebate_lowers_the_cost() -> None:
    assert gains(execution(Side.BUY, "1", "100", "-0.5 USDT")).lots["BTC"].cost == Decimal("99.5")


def test_a_rebate_in_a_third_asset_is_a_purchase_of_it() -> None:
    folded = gains(execution(Side.BUY, "1", "100", "-0.01 BNB", fee_price="300"))
    assert (folded.lots["BTC"].cost, folded.lots["BNB"].cost) == (Decimal(97), Decimal(3))


def test_a_fee_whose_price_is_not_known_is_flagged_and_not_guessed() -> None:
    folded = gains(execution(Side.BUY, "1", "100", "0.01 BNB"))
    assert folded.unpriced_fees == [Money(Decimal("0.01"), "BNB")]
    assert folded.lots["BTC"].cost == Decimal(100)


def test_what_was_never_bought_has_a_basis_of_zero_and_is_flagged() -> None:
    folded = gains(execution(Side.BUY, "1", "100"), execution(Side.SELL, "3", "200"))
    assert folded.total_realized() == Decimal(500)
    assert folded.missing_basis == {"BTC": Decimal(2)}


def test_an_execution_in_another_quote_asset_is_refused() -> None:
    with pytest.raises(AssertionError):
        Gains("EUR").add(execution(Side.BUY, "1", "100"))


@pytest.mark.parametrize(
    ("direction", "expected"), [(Direction.LONG, "30"), (Direction.SHORT, "-30"), (Direction.FLAT, "0")]
)
def test_a_position_gains_with_its_direction(direction: Direction, expected: str) -> None:
    gained = unrealized_pnl(direction, Decimal(3), entry_price=Decimal(100), mark_price=Decimal(110))
    assert gained == Decimal(expected)


steps = st.lists(
    st.tuples(st.sampled_from(Side), st.decimals("0.0001", "10", places=4), st.decimals("0.01", "1000", places=2)),
    max_size=30,
)


@given(steps, st.decimals("0.01", "1000", places=2))
def test_realized_and_unrealized_together_are_money_in_hand_and_value_of_what_is_left(
    trades: list[tuple[Side, Decimal, Decimal]], mark: Decimal
) -> None:
    folded = gains(*(execution(side, str(quantity), str(price), "0.01 USDT") for side, quantity, price in trades))
    cash = sum(
        ((-1 if side is Side.BUY else 1) * quantity * price - Decimal("0.01") for side, quantity, price in trades), ZERO
    )
    left = folded.lots["BTC"].quantity if "BTC" in folded.lots else ZERO
    total = folded.total_realized() + folded.unrealized("BTC", mark)
    assert abs(total - (cash + left * mark)) < Decimal("1e-15")


@given(st.lists(st.decimals("0.0001", "5", places=4), min_size=1, max_size=20), st.decimals("0.0001", "200", places=4))
def test_lots_never_lose_or_invent_quantity_or_cost(bought: list[Decimal], sold: Decimal) -> None:
    lots = Lots()
    for at, quantity in enumerate(bought):
        lots.acquire(quantity, quantity * 7, at)
    disposal = lots.dispose(sold)
    assert lots.quantity == max(sum(bought) - sold, ZERO)
    assert disposal.missing_quantity == max(sold - sum(bought), ZERO)
    assert abs(lots.cost + disposal.cost - sum(bought) * 7) < Decimal("1e-15")
