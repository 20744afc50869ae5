"""What one bar does to waiting orders."""

from decimal import Decimal

import pytest

from tests.unit.exchange.floor import (
    ANN,
    BTC,
    MINUTE,
    START,
    a_candle_exchange,
    an_oco,
    balance,
    bar,
    buy,
    fills,
    find,
    of,
    play,
    sell,
)
from tidegate.domain.errors import Invalid
from tidegate.domain.orders import OrderStatus, OrderType, TimeInForce
from tidegate.exchange import Refusal
from tidegate.exchange.model import EndReason, OrderEnded, RefusalCode, Traded

D = Decimal


def test_a_market_order_waits_for_the_next_open() -> None:
    exchange = a_candle_exchange()
    assert fills(buy(exchange)) == []
    assert balance(exchange, "USDT") == (D(9_900), D(100))
    events = exchange.on_open(BTC, D("101.5"), START)
    assert fills(events) == [("101.5", "1")]
    assert balance(exchange, "USDT") == (D("9898.5"), D(0))


def test_a_market_order_by_quote_buys_whole_lots_at_the_open() -> None:
    exchange = a_candle_exchange()
    buy(exchange, None, quote_quantity="1000")
    play(exchange, bar(0, 300, 300, 300, 300))
    order = find(exchange)
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, D("3.333"))
    assert balance(exchange, "USDT") == (D("10000") - D("999.9"), D(0))


def test_all_that_an_account_has_can_be_spent() -> None:
    exchange = a_candle_exchange()
    buy(exchange, None, quote_quantity="10000")
    assert fills(exchange.on_open(BTC, D(100), START)) == [("100", "100.000")]
    assert balance(exchange, "USDT") == (D(0), D(0))


def test_an_open_that_the_account_cannot_pay_ends_a_market_order() -> None:
    exchange = a_candle_exchange()
    buy(exchange, "100")
    events = exchange.on_open(BTC, D(101), START)
    assert of(events, OrderEnded)[0].order.end_reason is EndReason.INSUFFICIENT_BALANCE
    assert balance(exchange, "USDT") == (D(10_000), D(0))


def test_an_open_between_two_ticks_is_rounded_against_the_order() -> None:
    exchange = a_candle_exchange()
    buy(exchange, id_="purchase")
    sell(exchange, id_="sale")
    assert fills(exchange.on_open(BTC, D("100.005"), START)) == [("100.01", "1"), ("100.00", "1")]


def test_the_entry_bar_tests_the_bracket_of_an_entry_at_its_open() -> None:
    exchange = a_candle_exchange()
    buy(exchange)
    exchange.on_open(BTC, D(100), START)
    exchange.place_oco(an_oco("104", "98"), START)
    assert fills(play(exchange, bar(0, 100, 103, 97, 99))) == [("98", "1")]


def test_the_stop_wins_a_tie_with_the_target() -> None:
    exchange = a_candle_exchange()
    exchange.place_oco(an_oco("104", "98"), START)
    assert fills(play(exchange, bar(0, 100, 110, 90, 105))) == [("98", "1")]
    assert find(exchange, "oco-target").end_reason is EndReason.OCO_TRIGGERED


@pytest.mark.parametrize(("open_", "price"), [("95", "95"), ("97.99", "97.99"), ("98.01", "98")])
def test_a_gap_through_the_stop_fills_at_the_open(open_: str, price: str) -> None:
    exchange = a_candle_exchange()
    exchange.place_oco(an_oco("104", "98"), START)
    assert fills(play(exchange, bar(0, open_, 100, 90, 95))) == [(price, "1")]


def test_a_gap_above_the_target_fills_at_the_better_open_as_a_maker() -> None:
    exchange = a_candle_exchange()
    exchange.place_oco(an_oco("104", "98"), START)
    events = play(exchange, bar(0, 106, 107, 90, 95))
    assert fills(events) == [("106", "1")]
    assert of(events, Traded)[0].trade.is_maker


@pytest.mark.parametrize(("low", "is_filled"), [("95.01", False), ("95", True), ("94.99", True)])
def test_a_limit_entry_fills_at_its_limit_when_the_low_reaches_it(low: str, is_filled: bool) -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="95")
    events = play(exchange, bar(0, 100, 101, low, 100))
    assert fills(events) == ([("95", "1")] if is_filled else [])


def test_the_target_of_an_entry_inside_the_bar_does_not_see_what_came_before_the_entry() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="95")
    candle = bar(0, 100, 105, 94.5, 96)
    exchange.on_candle(candle)
    exchange.place_oco(an_oco("98", "94"), START)
    assert fills(play(exchange, candle)) == []
    assert fills(play(exchange, bar(1, 96, 98, 95, 97))) == [("98", "1")]


def test_the_target_of_an_entry_inside_the_bar_fills_when_the_close_is_beyond_it() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="95")
    candle = bar(0, 100, 105, 94.5, 98.5)
    exchange.on_candle(candle)
    exchange.place_oco(an_oco("98", "94"), START)
    assert fills(play(exchange, candle)) == [("98", "1")]


def test_the_stop_of_an_entry_inside_the_bar_is_tested_on_its_whole_range() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="95")
    candle = bar(0, 100, 105, 93, 99)
    exchange.on_candle(candle)
    exchange.place_oco(an_oco("98", "94"), START)
    assert fills(play(exchange, candle)) == [("94", "1")]


def test_a_stop_limit_that_rests_above_its_trigger_does_not_see_the_high_before_it() -> None:
    exchange = a_candle_exchange()
    sell(exchange, type=OrderType.STOP_LIMIT, stop_price="98", limit_price="99")
    assert fills(play(exchange, bar(0, 100, 101, 97, 97.5))) == []
    assert find(exchange).is_working
    assert fills(play(exchange, bar(1, 97.5, 99, 97, 98))) == [("99", "1")]


def test_a_stop_limit_fills_at_its_stop_price_when_its_limit_allows_that() -> None:
    exchange = a_candle_exchange()
    sell(exchange, type=OrderType.STOP_LIMIT, stop_price="98", limit_price="97")
    assert fills(play(exchange, bar(0, 100, 101, 97, 97.5))) == [("98", "1")]


def test_a_take_profit_fills_at_its_trigger_and_pays_as_a_taker() -> None:
    exchange = a_candle_exchange(taker_fee_rate=D("0.001"))
    sell(exchange, type=OrderType.TAKE_PROFIT, stop_price="104")
    (trade,) = [event.trade for event in of(play(exchange, bar(0, 100, 104, 99, 100)), Traded)]
    assert (trade.price, trade.is_maker, trade.fee, trade.fee_asset) == (D(104), False, D("0.104"), "USDT")


@pytest.mark.parametrize("kind", [TimeInForce.IOC, TimeInForce.FOK])
def test_an_order_that_may_not_wait_ends_at_an_open_that_does_not_fill_it(kind: TimeInForce) -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="100", time_in_force=kind)
    play(exchange, bar(0, 100.5, 101, 90, 95))
    assert (find(exchange).status, find(exchange).filled_quantity) == (OrderStatus.EXPIRED, D(0))


def test_the_close_is_the_last_price_once_the_bar_is_over() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="95")
    candle = bar(0, 100, 101, 94, 99)
    assert exchange.on_candle(candle)
    assert exchange.last_price(BTC) == D(95)
    assert not exchange.on_candle(candle)
    assert exchange.last_price(BTC) == D(99)


def test_a_post_only_order_at_or_beyond_the_last_price_is_refused() -> None:
    exchange = a_candle_exchange()
    with pytest.raises(Refusal) as refused:
        buy(exchange, limit_price="100", post_only=True)
    assert refused.value.code is RefusalCode.WOULD_MATCH
    buy(exchange, limit_price="99.99", post_only=True)


def test_fills_inside_the_bar_are_timed_before_its_close() -> None:
    exchange = a_candle_exchange()
    buy(exchange, limit_price="95")
    (traded,) = of(play(exchange, bar(0, 100, 101, 90, 95)), Traded)
    assert START <= traded.trade.traded_at < START + MINUTE


def test_a_fill_model_refuses_market_data_of_the_other() -> None:
    with pytest.raises(Invalid, match="on_open and on_candle"):
        a_candle_exchange().on_trade(BTC, D(1), D(1), is_buyer_maker=True, at=START)


def test_a_cancelled_bracket_gives_its_one_lock_back() -> None:
    exchange = a_candle_exchange()
    exchange.place_oco(an_oco("104", "98", quantity="10"), START)
    assert balance(exchange, "BTC") == (D(0), D(10))
    exchange.cancel(ANN, BTC, client_order_id="oco-stop", at=START)
    assert balance(exchange, "BTC") == (D(10), D(0))
    assert play(exchange, bar(0, 100, 110, 90, 100)) == []
