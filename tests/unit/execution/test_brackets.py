"""What a position needs next, from what is seen alone."""

from decimal import Decimal

import pytest

from tests.builders import ACCOUNT, BOT, an_instrument, an_order
from tidegate.domain.ids import TradeId
from tidegate.domain.orders import OrderPurpose, OrderStatus, OrderType, Side
from tidegate.execution.brackets import Close, Protect, Withdraw, next_steps
from tidegate.execution.model import Order
from tidegate.execution.positions import Position

PRICE = Decimal(100)


def a_position(quantity: str = "1", **changes: object) -> Position:
    """A long position of one bot with a stop at 98 and a target at 104."""
    position = Position(
        ACCOUNT,
        BOT,
        "BTC/USDT",
        quantity=Decimal(quantity),
        trade_id=TradeId("t"),
        entered_quantity=Decimal(quantity),
        entered_notional=Decimal(quantity) * PRICE,
        stop_loss_price=Decimal(98),
        take_profit_price=Decimal(104),
    )
    for name, value in changes.items():
        setattr(position, name, value)
    return position


def a_stop(quantity: str = "1", **changes: object) -> Order:
    order = an_order(
        client_order_id="s-stop",
        side=Side.SELL,
        type=OrderType.STOP,
        purpose=OrderPurpose.STOP_LOSS,
        quantity=Decimal(quantity),
    )
    for name, value in changes.items():
        setattr(order, name, value)
    return order


def steps(position: Position, *live: Order) -> list[object]:
    return list(next_steps(position, live, an_instrument(), PRICE))


def test_a_naked_position_is_protected_in_whole_lots() -> None:
    assert steps(a_position("0.999999")) == [Protect(Decimal("0.99999"), Decimal(98), Decimal(104))]


def test_a_covered_position_needs_nothing() -> None:
    assert steps(a_position(), a_stop()) == []


def test_protection_of_another_quantity_is_withdrawn_first() -> None:
    assert [type(step) for step in steps(a_position("1"), a_stop("0.5"))] == [Withdraw]


@pytest.mark.parametrize("status", [OrderStatus.PENDING, OrderStatus.UNKNOWN])
def test_nothing_is_done_while_an_outcome_is_open(status: OrderStatus) -> None:
    assert steps(a_position(), a_stop("0.5", status=status)) == []


def test_nothing_is_done_while_a_cancel_is_under_way() -> None:
    assert steps(a_position(exit_reason="signal"), a_stop(is_cancel_requested=True)) == []


def test_a_position_on_its_way_out_first_loses_its_protection_then_is_sold() -> None:
    leaving = a_position(exit_reason="signal")
    assert [type(step) for step in steps(leaving, a_stop())] == [Withdraw]
    assert steps(leaving) == [Close(Decimal(1))]


def test_two_legs_of_a_list_are_withdrawn_by_one_cancel() -> None:
    target = an_order(
        client_order_id="s-target", side=Side.SELL, type=OrderType.LIMIT, purpose=OrderPurpose.TAKE_PROFIT
    )
    stop = a_stop()
    stop.list_id = target.list_id = "list"
    assert len(steps(a_position(exit_reason="signal"), stop, target)) == 1


def test_a_running_exit_is_not_doubled() -> None:
    leaving = an_order(client_order_id="s-exit", side=Side.SELL, purpose=OrderPurpose.EXIT)
    assert steps(a_position(exit_reason="signal"), leaving) == []


def test_dust_below_the_smallest_notional_is_left_alone() -> None:
    assert steps(a_position("0.0001", exit_reason="signal")) == []


def test_a_position_without_a_stop_price_is_not_protected() -> None:
    assert steps(a_position(stop_loss_price=None)) == []


def test_a_partly_filled_resting_entry_is_protected_at_once_a_market_entry_is_awaited() -> None:
    resting = an_order(client_order_id="s-e", type=OrderType.LIMIT, limit_price=PRICE)
    assert [type(step) for step in steps(a_position("0.5"), resting)] == [Protect]
    assert steps(a_position("0.5"), an_order(client_order_id="s-e")) == []
