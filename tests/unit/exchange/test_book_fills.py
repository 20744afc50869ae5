"""Takers walk the visible book, resting orders wait behind their queue."""

from decimal import Decimal

import pytest

from tests.unit.exchange.floor import (
    ANN,
    BTC,
    START,
    a_book_exchange,
    an_exchange,
    an_oco,
    balance,
    buy,
    fills,
    find,
    of,
    print_trade,
    sell,
    show_book,
)
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.orders import OrderStatus, OrderType, TimeInForce
from tidegate.exchange import BookModel, Refusal
from tidegate.exchange.exchange import replay
from tidegate.exchange.model import EndReason, OrderEnded, OrderWorking, RefusalCode, Traded

D = Decimal


def test_a_taker_walks_the_levels_from_the_best() -> None:
    exchange = a_book_exchange(asks="101:1 102:2")
    assert fills(buy(exchange, "2")) == [("101", "1"), ("102", "1")]
    assert find(exchange).filled_notional == D(203)


def test_the_same_liquidity_is_not_taken_twice_until_the_level_changes() -> None:
    exchange = a_book_exchange(asks="101:1 102:2")
    buy(exchange, "1", id_="first")
    assert fills(buy(exchange, "1", id_="second")) == [("102", "1")]
    show_book(exchange, "99:1", "101:1 102:2")
    assert fills(buy(exchange, "1", id_="third")) == [("102", "1")]
    show_book(exchange, "99:1", "101:0.5 102:2")
    assert fills(buy(exchange, "0.5", id_="fourth")) == [("101", "0.5")]


def test_a_market_order_short_of_liquidity_expires_with_what_it_filled() -> None:
    exchange = a_book_exchange(asks="101:1")
    events = buy(exchange, "2")
    (ended,) = of(events, OrderEnded)
    assert (ended.order.status, ended.order.filled_quantity) == (OrderStatus.EXPIRED, D(1))
    assert ended.order.end_reason is EndReason.NO_LIQUIDITY
    assert balance(exchange, "USDT") == (D(9_899), D(0))


def test_a_market_order_by_quote_that_a_whole_level_nearly_spends_is_filled() -> None:
    exchange = a_book_exchange(asks="100:1 200:5")
    buy(exchange, None, quote_quantity="100.19")
    order = find(exchange)
    assert (order.status, order.quantity, order.filled_notional) == (OrderStatus.FILLED, D(1), D(100))
    assert balance(exchange, "USDT") == (D(9_900), D(0))


def test_a_sale_by_quote_receives_no_more_than_was_asked() -> None:
    exchange = a_book_exchange(bids="99:0.5 98:2")
    assert fills(sell(exchange, None, quote_quantity="100")) == [("99", "0.5"), ("98", "0.515")]
    assert balance(exchange, "USDT") == (D("10099.97"), D(0))


def test_a_sale_by_quote_without_the_base_for_it_is_refused() -> None:
    exchange = a_book_exchange()
    with pytest.raises(Refusal) as refused:
        sell(exchange, None, quote_quantity="1001")
    assert refused.value.code is RefusalCode.INSUFFICIENT_BALANCE


def test_a_limit_order_takes_what_its_price_allows_and_rests_with_the_remainder() -> None:
    exchange = a_book_exchange(asks="101:1 102:2")
    assert fills(buy(exchange, "3", limit_price="101")) == [("101", "1")]
    assert balance(exchange, "USDT") == (D(10_000 - 303), D(202))
    assert show_book(exchange, "99:1", "101:1 102:2") == []


@pytest.mark.parametrize(
    ("kind", "filled", "reason"),
    [(TimeInForce.IOC, "1", EndReason.IOC_UNFILLED), (TimeInForce.FOK, "0", EndReason.FOK_UNFILLED)],
)
def test_an_order_that_may_not_wait_ends_at_once(kind: TimeInForce, filled: str, reason: EndReason) -> None:
    exchange = a_book_exchange(asks="101:1 102:2")
    buy(exchange, "2", limit_price="101", time_in_force=kind)
    order = find(exchange)
    assert (order.status, order.filled_quantity, order.end_reason) == (OrderStatus.EXPIRED, D(filled), reason)
    assert balance(exchange, "USDT")[1] == 0


def test_a_resting_order_fills_with_what_a_trade_leaves_behind_the_queue() -> None:
    exchange = a_book_exchange(bids="99:2 98:2")
    buy(exchange, "1", limit_price="99")
    assert print_trade(exchange, "99", "1.5") == []
    assert fills(print_trade(exchange, "99", "0.8")) == [("99", "0.3")]
    (traded,) = of(print_trade(exchange, "99", "5"), Traded)
    assert (traded.trade.quantity, traded.trade.is_maker) == (D("0.7"), True)


def test_a_trade_of_buyers_does_not_fill_a_resting_purchase() -> None:
    exchange = a_book_exchange(bids="98:1")
    buy(exchange, "1", limit_price="99")
    assert print_trade(exchange, "99", "5", is_buyer_maker=False) == []
    assert fills(print_trade(exchange, "99", "5")) == [("99", "1")]


def test_two_orders_at_one_price_share_a_trade_in_the_order_they_came() -> None:
    exchange = a_book_exchange(bids="98:1")
    buy(exchange, "1", limit_price="99", id_="first")
    buy(exchange, "1", limit_price="99", id_="second")
    print_trade(exchange, "99", "1.5")
    assert [find(exchange, id_).filled_quantity for id_ in ("first", "second")] == [D(1), D("0.5")]


def test_the_better_price_fills_before_the_older_order() -> None:
    exchange = a_book_exchange(bids="98:1")
    buy(exchange, "1", limit_price="99", id_="older")
    buy(exchange, "1", limit_price="99.5", id_="better")
    assert fills(show_book(exchange, "98:1", "98.5:1")) == [("99.5", "1")]


def test_a_shrinking_level_shortens_the_queue_and_a_growing_one_does_not_lengthen_it() -> None:
    exchange = a_book_exchange(bids="99:5")
    buy(exchange, "1", limit_price="99")
    show_book(exchange, "99:1", "101:1")
    show_book(exchange, "99:7", "101:1")
    assert fills(print_trade(exchange, "99", "1.4")) == [("99", "0.4")]


def test_a_level_that_leaves_the_visible_book_keeps_its_queue() -> None:
    exchange = a_book_exchange(bids="99:5 98:1")
    buy(exchange, "1", limit_price="99")
    show_book(exchange, "100.5:1 100:1", "101:1")
    show_book(exchange, "99:5 98:1", "101:1")
    assert print_trade(exchange, "99", "5") == []
    assert fills(print_trade(exchange, "99", "1")) == [("99", "1")]


def test_an_order_deeper_than_the_visible_book_joins_behind_its_level_once_it_is_seen() -> None:
    exchange = a_book_exchange(bids="99:5 98:1")
    buy(exchange, "1", limit_price="97")
    show_book(exchange, "98:1 97:3", "101:1")
    assert print_trade(exchange, "97", "3") == []
    assert fills(print_trade(exchange, "97", "3")) == [("97", "1")]


def test_a_trade_through_the_price_fills_a_resting_order_at_its_own_price() -> None:
    exchange = a_book_exchange(bids="99:5")
    buy(exchange, "1", limit_price="99")
    assert fills(print_trade(exchange, "98.5", "0.001")) == [("99", "1")]


def test_an_opposite_best_that_crosses_fills_from_what_it_shows() -> None:
    exchange = a_book_exchange(bids="99:5")
    buy(exchange, "1", limit_price="99")
    assert fills(show_book(exchange, "98:1", "98.5:0.4 99:0.1 101:3")) == [("99", "0.4"), ("99", "0.1")]
    assert find(exchange).leaves == D("0.5")


def test_post_only_is_refused_where_it_would_take() -> None:
    exchange = a_book_exchange(asks="101:1")
    with pytest.raises(Refusal) as refused:
        buy(exchange, limit_price="101", post_only=True)
    assert refused.value.code is RefusalCode.WOULD_MATCH


@pytest.mark.parametrize(("price", "is_triggered"), [("97.01", False), ("97", True), ("96.99", True)])
def test_a_stop_is_triggered_by_the_last_trade_and_takes_the_book(price: str, is_triggered: bool) -> None:
    exchange = a_book_exchange(bids="96:1")
    sell(exchange, type=OrderType.STOP, stop_price="97")
    events = print_trade(exchange, price, "0.001")
    assert bool(of(events, OrderWorking)) is is_triggered
    assert fills(events) == ([("96", "1")] if is_triggered else [])


def test_a_first_partial_fill_of_one_leg_ends_the_other() -> None:
    exchange = a_book_exchange(asks="105:1")
    exchange.place_oco(an_oco("104", "95"), START)
    print_trade(exchange, "104", "0.4", is_buyer_maker=False)
    target, stop = find(exchange, "oco-target"), find(exchange, "oco-stop")
    assert (target.status, target.leaves) == (OrderStatus.PARTIALLY_FILLED, D("0.6"))
    assert (stop.status, stop.end_reason) == (OrderStatus.EXPIRED, EndReason.OCO_TRIGGERED)
    assert balance(exchange, "BTC") == (D(9), D("0.6"))


def test_a_triggered_stop_ends_the_target_and_sells_the_locked_quantity() -> None:
    exchange = a_book_exchange(bids="94:1")
    exchange.place_oco(an_oco("104", "95", quantity="1"), START)
    assert fills(print_trade(exchange, "95", "0.001")) == [("94", "1")]
    assert exchange.state.lists[1].is_done
    assert balance(exchange, "BTC") == (D(9), D(0))


def test_an_order_meets_the_market_only_after_the_latency() -> None:
    exchange = a_book_exchange(asks="101:1", latency_us=500)
    assert fills(buy(exchange, at=START)) == []
    assert fills(show_book(exchange, "99:1", "103:1", START + 499)) == []
    assert fills(show_book(exchange, "99:1", "104:1", START + 500)) == [("104", "1")]


def test_a_post_only_order_that_would_take_after_the_latency_expires() -> None:
    exchange = a_book_exchange(asks="101:1", latency_us=500)
    buy(exchange, limit_price="100", post_only=True)
    show_book(exchange, "98:1", "99:1", START + 500)
    assert find(exchange).end_reason is EndReason.WOULD_MATCH


def test_an_order_on_its_way_can_be_cancelled() -> None:
    exchange = a_book_exchange(asks="101:1", latency_us=500)
    buy(exchange)
    exchange.cancel(ANN, BTC, client_order_id="one", at=START)
    assert show_book(exchange, "99:1", "101:1", START + 500) == []
    assert balance(exchange, "USDT") == (D(10_000), D(0))


def test_a_restart_puts_a_resting_order_behind_all_that_its_level_shows() -> None:
    before = a_book_exchange(bids="98:1")
    journal = buy(before, limit_price="99")
    after = an_exchange(BookModel())
    replay(after, journal)
    assert print_trade(after, "99", "1") == []
    show_book(after, "99:2", "101:1")
    assert print_trade(after, "99", "2") == []
    assert fills(print_trade(after, "99", "1")) == [("99", "1")]


def test_a_market_order_whose_arrival_a_restart_forgot_meets_the_next_book() -> None:
    before = a_book_exchange(latency_us=500)
    journal = buy(before)
    after = an_exchange(BookModel(500))
    replay(after, journal)
    assert fills(show_book(after, "99:1", "101:1")) == [("101", "1")]


def test_nothing_fills_while_a_symbol_does_not_trade() -> None:
    exchange = a_book_exchange(bids="98:1")
    buy(exchange, limit_price="99")
    exchange.change_status(BTC, InstrumentStatus.HALTED, START)
    assert print_trade(exchange, "90", "5") == []
    exchange.change_status(BTC, InstrumentStatus.TRADING, START)
    assert fills(print_trade(exchange, "98", "5")) == [("99", "1")]
