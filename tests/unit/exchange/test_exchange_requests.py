"""What is refused, what is locked, what is paid."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.exchange.floor import (
    ANN,
    BTC,
    START,
    a_book_exchange,
    a_candle_exchange,
    a_request,
    a_symbol,
    an_exchange,
    an_oco,
    balance,
    bar,
    buy,
    find,
    of,
    play,
    sell,
)
from tidegate.domain.errors import Invalid
from tidegate.domain.ids import AccountId
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from tidegate.exchange import CandleModel, Exchange, OcoLeg, Refusal
from tidegate.exchange.filters import (
    LotSize,
    MarketLotSize,
    MaxNumAlgoOrders,
    MaxNumOrders,
    MaxPosition,
    MinNotional,
    Notional,
    PercentPriceBySide,
    PriceFilter,
    SymbolFilter,
)
from tidegate.exchange.model import (
    EVENT_NAMES,
    BalancesChanged,
    FeeOption,
    ListChanged,
    OrderAccepted,
    OrderEnded,
    RefusalCode,
    Traded,
)

D = Decimal


def refusal(exchange: Exchange, side: Side = Side.BUY, quantity: str | None = "1", **changes: Any) -> Refusal:
    """Why the order is refused; nothing else may have happened."""
    before = (balance(exchange, "USDT"), balance(exchange, "BTC"), dict(exchange.state.next_order_id))
    with pytest.raises(Refusal) as refused:
        (buy if side is Side.BUY else sell)(exchange, quantity, **changes)
    assert (balance(exchange, "USDT"), balance(exchange, "BTC"), dict(exchange.state.next_order_id)) == before
    return refused.value


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        (PriceFilter(D("0.01")), {"limit_price": "99.001"}, {"limit_price": "99.01"}),
        (PriceFilter(D("0.01"), price_min=D(50)), {"limit_price": "49.99"}, {"limit_price": "50"}),
        (PriceFilter(D("0.01"), price_max=D(99)), {"limit_price": "99.01"}, {"limit_price": "99"}),
        (
            PriceFilter(D("0.5")),
            {"type": OrderType.STOP, "stop_price": "101.1"},
            {"type": OrderType.STOP, "stop_price": "101.5"},
        ),
        (LotSize(D("0.1")), {"quantity": "0.15"}, {"quantity": "0.2"}),
        (LotSize(D("0.1"), quantity_min=D("0.3")), {"quantity": "0.2"}, {"quantity": "0.3"}),
        (LotSize(D("0.1"), quantity_max=D(2)), {"quantity": "2.1"}, {"quantity": "2"}),
        (MarketLotSize(quantity_max=D(2)), {"quantity": "3"}, {"quantity": "3", "limit_price": "99"}),
        (Notional(D(50)), {"quantity": "0.499"}, {"quantity": "0.5"}),
        (Notional(D(50)), {"quantity": None, "quote_quantity": "49"}, {"quantity": None, "quote_quantity": "50"}),
        (Notional(notional_max=D(90)), {"limit_price": "90.01"}, {"quantity": "2"}),
        (MinNotional(D(50)), {"quantity": "0.5", "limit_price": "99"}, {"quantity": "0.51", "limit_price": "99"}),
        (
            PercentPriceBySide(D("1.1"), D("0.9"), D("1.1"), D("0.9")),
            {"limit_price": "89.99"},
            {"limit_price": "90"},
        ),
        (MaxPosition(D(11)), {"quantity": "1.001"}, {"quantity": "1"}),
    ],
)
def test_a_filter_allows_its_bound_and_refuses_what_is_beyond(
    rule: SymbolFilter, bad: dict[str, Any], good: dict[str, Any]
) -> None:
    exchange = a_candle_exchange(filters=(rule,))
    found = refusal(exchange, **bad)
    assert (found.code, found.filter_name) == (RefusalCode.FILTER, rule.name)
    assert of(buy(exchange, **good), OrderAccepted)


def test_a_sale_does_not_meet_the_position_limit() -> None:
    assert sell(a_candle_exchange(filters=(MaxPosition(D(1)),)))


def test_the_position_limit_counts_open_purchases_and_a_list_once() -> None:
    exchange = a_candle_exchange(filters=(MaxPosition(D(13)),))
    exchange.place_oco(an_oco("95", "105", side=Side.BUY, quantity="2"), START)
    assert refusal(exchange, quantity="1.001").filter_name == "MAX_POSITION"
    buy(exchange, "1")


def test_the_number_of_open_orders_is_limited_and_a_list_counts_twice() -> None:
    exchange = a_candle_exchange(filters=(MaxNumOrders(3),))
    buy(exchange, id_="one", limit_price="90")
    buy(exchange, id_="two", limit_price="90")
    with pytest.raises(Refusal, match="MAX_NUM_ORDERS"):
        exchange.place_oco(an_oco("104", "95"), START)
    buy(exchange, id_="three", limit_price="90")
    assert refusal(exchange, id_="four", limit_price="90").filter_name == "MAX_NUM_ORDERS"


def test_the_number_of_stops_is_limited_apart() -> None:
    exchange = a_candle_exchange(filters=(MaxNumAlgoOrders(1),))
    sell(exchange, id_="one", type=OrderType.STOP, stop_price="90")
    found = refusal(exchange, Side.SELL, id_="two", type=OrderType.STOP, stop_price="90")
    assert found.filter_name == "MAX_NUM_ALGO_ORDERS"
    sell(exchange, id_="two", limit_price="110")


def test_a_list_of_two_triggers_counts_as_two_stops() -> None:
    exchange = a_candle_exchange(filters=(MaxNumAlgoOrders(1),))
    request = an_oco("104", "95")
    target = OcoLeg(client_order_id="target", type=OrderType.TAKE_PROFIT, stop_price=D(104))
    with pytest.raises(Refusal, match="MAX_NUM_ALGO_ORDERS"):
        exchange.place_oco(replace(request, above=target), START)
    exchange.place_oco(request, START)


def test_two_ids_that_disagree_name_no_order() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="90")
    assert exchange.state.find(ANN, BTC, order_id=1, client_order_id="two") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": None},
        {"quote_quantity": "10"},
        {"quantity": "0"},
        {"quantity": "-1"},
        {"type": OrderType.LIMIT},
        {"type": OrderType.MARKET, "limit_price": "99"},
        {"type": OrderType.STOP},
        {"type": OrderType.STOP_LIMIT, "stop_price": "105"},
        {"quantity": None, "quote_quantity": "10", "limit_price": "99"},
        {"post_only": True},
        {"time_in_force": TimeInForce.IOC},
    ],
)
def test_fields_that_do_not_belong_together_are_refused(changes: dict[str, Any]) -> None:
    assert refusal(a_candle_exchange(), **changes).code is RefusalCode.BAD_REQUEST


def test_what_the_account_cannot_pay_is_refused() -> None:
    exchange = a_candle_exchange()
    assert refusal(exchange, quantity="100.001", limit_price="100").code is RefusalCode.INSUFFICIENT_BALANCE
    assert refusal(exchange, Side.SELL, quantity="10.001").code is RefusalCode.INSUFFICIENT_BALANCE
    buy(exchange, "100", id_="all", limit_price="100")
    assert balance(exchange, "USDT") == (D(0), D(10_000))


def test_a_client_id_is_refused_while_its_order_is_open_and_free_again_after() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="90")
    assert refusal(exchange, limit_price="90").code is RefusalCode.DUPLICATE_ORDER
    exchange.cancel(ANN, BTC, client_order_id="one", at=START)
    buy(exchange, limit_price="91")
    assert (find(exchange).order_id, find(exchange).limit_price) == (2, D(91))


@pytest.mark.parametrize(
    ("side", "kind", "bad", "good"),
    [
        (Side.SELL, OrderType.STOP, "100", "99.99"),
        (Side.BUY, OrderType.STOP, "100", "100.01"),
        (Side.SELL, OrderType.TAKE_PROFIT, "100", "100.01"),
        (Side.BUY, OrderType.TAKE_PROFIT, "100", "99.99"),
    ],
)
def test_a_trigger_on_the_wrong_side_is_refused(side: Side, kind: OrderType, bad: str, good: str) -> None:
    exchange = a_candle_exchange()
    assert refusal(exchange, side, type=kind, stop_price=bad).code is RefusalCode.WOULD_TRIGGER
    (buy if side is Side.BUY else sell)(exchange, type=kind, stop_price=good)


def test_before_the_first_price_nothing_is_accepted() -> None:
    exchange = an_exchange(CandleModel())
    assert refusal(exchange, type=OrderType.STOP, stop_price="99").code is RefusalCode.NO_PRICE


def test_an_unknown_symbol_is_refused() -> None:
    assert refusal(a_candle_exchange(), symbol="ETH/USDT").code is RefusalCode.UNKNOWN_SYMBOL


@pytest.mark.parametrize(
    ("status", "may_cancel"),
    [(InstrumentStatus.CANCEL_ONLY, True), (InstrumentStatus.HALTED, False)],
)
def test_a_closed_symbol_takes_no_orders_and_cancel_only_still_cancels(
    status: InstrumentStatus, may_cancel: bool
) -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="90")
    exchange.change_status(BTC, status, START)
    assert refusal(exchange, id_="two").code is RefusalCode.MARKET_CLOSED
    if may_cancel:
        assert exchange.cancel_all(ANN, BTC, at=START)
    else:
        with pytest.raises(Refusal, match="halted"):
            exchange.cancel_all(ANN, BTC, at=START)


def test_a_cancel_gives_the_lock_back_and_names_itself() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="90")
    (ended,) = of(exchange.cancel(ANN, BTC, order_id=1, cancel_client_id="undo", at=START), OrderEnded)
    assert (ended.order.status, ended.order.cancel_client_id) == (OrderStatus.CANCELLED, "undo")
    assert balance(exchange, "USDT") == (D(10_000), D(0))


@pytest.mark.parametrize("named", [{"order_id": 9}, {"client_order_id": "nine"}, {"order_id": 1}])
def test_what_is_not_open_cannot_be_cancelled(named: dict[str, Any]) -> None:
    exchange = a_candle_exchange()
    buy(exchange)
    play(exchange, bar(0, 100, 100, 100, 100))
    with pytest.raises(Refusal) as refused:
        exchange.cancel(ANN, BTC, **named, at=START)
    assert refused.value.code is RefusalCode.UNKNOWN_ORDER


def test_nobody_cancels_the_order_of_another_account() -> None:
    bob = AccountId("bob")
    exchange = a_candle_exchange(accounts=(ANN, bob))
    buy(exchange, limit_price="90")
    with pytest.raises(Refusal):
        exchange.cancel(bob, BTC, order_id=1, at=START)
    with pytest.raises(Refusal):
        exchange.cancel_all(bob, BTC, at=START)


def test_cancel_all_ends_orders_and_lists_and_is_refused_when_there_are_none() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="90")
    exchange.place_oco(an_oco("104", "95"), START)
    assert len(of(exchange.cancel_all(ANN, BTC, at=START), OrderEnded)) == 3
    with pytest.raises(Refusal):
        exchange.cancel_all(ANN, BTC, at=START)


def test_a_list_starts_with_both_legs_and_ends_with_them() -> None:
    exchange = a_candle_exchange()
    started = exchange.place_oco(an_oco("104", "95"), START)
    assert [EVENT_NAMES[type(event)] for event in started] == [
        "list_changed",
        "order_accepted",
        "balances_changed",
        "order_accepted",
    ]
    ended = exchange.cancel_list(ANN, BTC, list_id=1, at=START)
    assert [change.order_list.is_done for change in of(ended, ListChanged)] == [True]
    assert len(of(ended, OrderEnded)) == 2
    with pytest.raises(Refusal):
        exchange.cancel_list(ANN, BTC, list_id=1, at=START)


@pytest.mark.parametrize(
    ("target", "stop"), [("100", "95"), ("104", "100"), ("99", "95"), ("104", "101"), ("95", "104")]
)
def test_the_last_price_must_lie_between_the_legs(target: str, stop: str) -> None:
    exchange = a_candle_exchange()
    with pytest.raises(Refusal) as refused:
        exchange.place_oco(an_oco(target, stop), START)
    assert refused.value.code is RefusalCode.OCO_PRICES
    assert not exchange.state.lists


def test_a_list_with_its_stop_on_the_good_side_is_refused() -> None:
    exchange = a_candle_exchange()
    request = an_oco("104", "95")
    with pytest.raises(Refusal) as refused:
        exchange.place_oco(replace(request, side=Side.BUY), START)
    assert refused.value.code is RefusalCode.OCO_PRICES


def test_a_list_that_buys_locks_the_dearer_leg() -> None:
    exchange = a_candle_exchange()
    exchange.place_oco(an_oco("95", "105", side=Side.BUY), START)
    assert balance(exchange, "USDT") == (D(9_895), D(105))
    play(exchange, bar(0, 100, 101, 95, 96))
    assert balance(exchange, "USDT") == (D(9_905), D(0))


def test_the_taker_pays_from_what_it_receives_cut_to_the_decimals() -> None:
    exchange = a_book_exchange(asks="101:1", taker_fee_rate=D("0.001"), base_scale=5)
    (traded,) = of(buy(exchange, "0.333"), Traded)
    assert (traded.trade.fee, traded.trade.fee_asset) == (D("0.00033"), "BTC")
    assert balance(exchange, "BTC")[0] == D("10.33267")


@pytest.mark.parametrize(("owned", "fee_asset"), [("0.0002", "BNB"), ("0.0001", "BTC")])
def test_fees_come_from_the_third_asset_while_there_is_enough_of_it(owned: str, fee_asset: str) -> None:
    option = FeeOption("BNB", discount=D("0.25"), price=D(500))
    exchange = a_book_exchange(asks="100:1", taker_fee_rate=D("0.001"), fee_option=option)
    exchange.deposit(ANN, "BNB", D(owned), START)
    (traded,) = of(buy(exchange), Traded)
    assert traded.trade.fee_asset == fee_asset
    assert traded.trade.fee == (D("0.00015") if fee_asset == "BNB" else D("0.001"))


def test_balances_follow_the_event_that_changed_them() -> None:
    exchange = a_book_exchange(asks="101:1")
    kinds = [type(event) for event in buy(exchange)]
    assert kinds == [OrderAccepted, BalancesChanged, Traded, BalancesChanged]


def test_a_withdrawal_takes_only_what_is_free() -> None:
    exchange = a_candle_exchange()
    buy(exchange, "99", limit_price="100")
    exchange.deposit(ANN, "USDT", D(-100), START)
    with pytest.raises(Refusal):
        exchange.deposit(ANN, "USDT", D("-0.01"), START)


def test_a_check_refuses_like_an_order_and_leaves_nothing() -> None:
    exchange = a_candle_exchange()
    journal_before = dict(exchange.state.next_order_id)
    exchange.check(a_request(Side.BUY, limit_price="100"), START)
    with pytest.raises(Refusal):
        exchange.check(a_request(Side.BUY, "1000", limit_price="100"), START)
    assert exchange.state.next_order_id == journal_before
    assert not exchange.state.has_open(BTC)


def test_a_grid_finer_than_the_quote_asset_is_invalid() -> None:
    with pytest.raises(Invalid, match="quote_scale=2"):
        a_symbol(quote_scale=2)
