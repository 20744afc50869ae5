"""A position is the sum of its fills, and a round trip what it won."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import ACCOUNT, BOT, NOON, TRACE, an_instrument, an_order
from tidegate.domain.ids import FillId, TradeId, VenueOrderId
from tidegate.domain.messages import OrderFilled, PositionChanged, TradeClosed
from tidegate.domain.money import Money
from tidegate.domain.orders import Direction, OrderPurpose, OrderStatus, Side
from tidegate.execution.model import Order
from tidegate.execution.protection import Positions

BTC = an_instrument()


def a_fill(order: Order, quantity: str, price: str, fee: str = "0", fee_asset: str = "USDT") -> OrderFilled:
    return OrderFilled(
        trace_id=TRACE,
        occurred_at=NOON,
        account_id=ACCOUNT,
        client_order_id=order.client_order_id,
        symbol="BTC/USDT",
        fill_id=FillId("f"),
        venue_order_id=VenueOrderId("1"),
        intent_key=order.intent.key,
        bot_id=order.intent.bot_id,
        side=order.intent.side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Money(Decimal(fee), fee_asset),
        is_maker=False,
        status=OrderStatus.FILLED,
    )


def a_buy() -> Order:
    return an_order(stop_loss_price=Decimal(90), take_profit_price=Decimal(120))


def a_sale(purpose: OrderPurpose = OrderPurpose.EXIT) -> Order:
    return an_order(client_order_id="s-sale", side=Side.SELL, purpose=purpose)


def test_an_entry_opens_a_round_trip_and_brings_its_protection() -> None:
    positions, buy = Positions(ACCOUNT), a_buy()
    (changed,) = positions.book(a_fill(buy, "1", "100", "0.001", "BTC"), buy, BTC)
    assert isinstance(changed, PositionChanged)
    assert (changed.direction, changed.quantity, changed.entry_price) == (
        Direction.LONG,
        Decimal("0.999"),
        Decimal(100),
    )
    position = positions.get((BOT, "BTC/USDT"))
    assert (position.trade_id, position.stop_loss_price) == (TradeId(f"{buy.intent.key}:f"), Decimal(90))


def test_the_last_sale_closes_the_round_trip_and_dust_is_no_position() -> None:
    positions, buy, sale = Positions(ACCOUNT), a_buy(), a_sale(OrderPurpose.TAKE_PROFIT)
    positions.book(a_fill(buy, "1", "100", "0.000005", "BTC"), buy, BTC)
    _, closed = positions.book(a_fill(sale, "0.99999", "110", "0.1"), sale, BTC)
    assert isinstance(closed, TradeClosed)
    assert (closed.exit_reason, closed.exit_price) == ("take_profit", Decimal(110))
    # 109.9989 received, 0.1 of fee, and of the cost of 100 the share of what was sold.
    cost = Decimal(100) * Decimal("0.99999") / Decimal("0.999995")
    assert abs(closed.realized_pnl - (Decimal("109.9989") - Decimal("0.1") - cost)) < Decimal("1e-9")
    assert positions.get((BOT, "BTC/USDT")).trade_id is None
    assert positions.running() == []


def test_two_bots_hold_one_symbol_apart() -> None:
    positions, by_bot, by_hand = Positions(ACCOUNT), a_buy(), an_order(client_order_id="s-hand", bot_id=None)
    positions.book(a_fill(by_bot, "1", "100"), by_bot, BTC)
    positions.book(a_fill(by_hand, "2", "100"), by_hand, BTC)
    assert [position.quantity for position in positions.running()] == [Decimal(1), Decimal(2)]


def test_selling_what_no_entry_bought_is_no_position() -> None:
    positions, sale = Positions(ACCOUNT), a_sale()
    positions.book(a_fill(sale, "1", "100"), sale, BTC)
    assert positions.running() == []


def test_a_refused_stop_is_tried_once_more_and_then_the_position_is_closed() -> None:
    positions, buy = Positions(ACCOUNT), a_buy()
    positions.book(a_fill(buy, "1", "100"), buy, BTC)
    position = positions.get((BOT, "BTC/USDT"))
    positions.refused(position, "no", NOON, is_protective=True)
    assert (position.exit_reason, position.retry_at > NOON) == ("", True)
    positions.refused(position, "no", NOON, is_protective=True)
    assert position.exit_reason == "protection refused: no"


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(50, 150)), min_size=1, max_size=6),
    st.lists(st.integers(50, 150), min_size=1, max_size=4),
)
def test_what_a_round_trip_won_is_what_came_in_less_what_went_out(
    buys: list[tuple[int, int]], exits: list[int]
) -> None:
    positions, buy, sale = Positions(ACCOUNT), a_buy(), a_sale()
    spent = Decimal(0)
    for lots, price in buys:
        positions.book(a_fill(buy, str(lots), str(price)), buy, BTC)
        spent += lots * price
    left, received = sum(lots for lots, _ in buys), Decimal(0)
    closed: list[object] = []
    for number, price in enumerate(exits, start=1):
        quantity = left if number == len(exits) else left // 2
        if quantity:
            closed += positions.book(a_fill(sale, str(quantity), str(price)), sale, BTC)
            left -= quantity
            received += quantity * price
    (trade,) = [fact for fact in closed if isinstance(fact, TradeClosed)]
    assert abs(trade.realized_pnl - (received - spent)) < Decimal("1e-9")
