"""Corners where a fill, a fee or a lock could go wrong unseen."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.exchange.floor import (
    ANN,
    BTC,
    START,
    D,
    a_book_exchange,
    a_candle_exchange,
    an_oco,
    balance,
    bar,
    buy,
    fills,
    find,
    levels,
    of,
    play,
    print_trade,
    sell,
    show_book,
)
from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from tidegate.exchange import BookModel, Exchange, ExchangeSymbol, OcoLeg, OrderRequest, Refusal
from tidegate.exchange.filters import MaxPosition
from tidegate.exchange.model import EndReason, FeeOption, ListChanged, OrderAccepted, OrderEnded, RefusalCode, Traded

BNB = "BNB/USDT"


def a_bnb_exchange(bnb: str) -> Exchange:
    """A third asset that is itself traded: BNB/USDT at 500, fees from BNB; Ann has 10,000 USDT and some BNB."""
    symbol = ExchangeSymbol(
        symbol=BNB,
        base="BNB",
        quote="USDT",
        tick_size=D("0.01"),
        lot_size=D("0.001"),
        taker_fee_rate=D("0.001"),
    )
    exchange = Exchange([symbol], BookModel(), fee_option=FeeOption("BNB", D("0.25")))
    exchange.deposit(ANN, "USDT", D(10_000), START)
    exchange.deposit(ANN, "BNB", D(bnb), START)
    exchange.on_book(BNB, levels("500:9"), levels("500:9"), START)
    exchange.on_trade(BNB, D(500), D(1), is_buyer_maker=True, at=START)
    return exchange


def trade_bnb(exchange: Exchange, side: Side, **quantity: Any) -> Traded:
    request = OrderRequest(
        account_id=ANN, symbol=BNB, client_order_id="one", side=side, type=OrderType.MARKET, **quantity
    )
    (traded,) = of(exchange.place(request, START), Traded)
    return traded


def test_a_sale_of_the_whole_third_asset_pays_its_fee_from_what_it_receives() -> None:
    exchange = a_bnb_exchange("1")
    traded = trade_bnb(exchange, Side.SELL, quantity=D(1))
    assert (traded.trade.fee_asset, traded.trade.fee) == ("USDT", D("0.5"))
    assert balance(exchange, "BNB") == (D(0), D(0))


def test_a_sale_by_quote_at_a_worse_price_leaves_no_debt_in_the_third_asset() -> None:
    exchange = a_bnb_exchange("1.25")
    exchange.on_book(BNB, levels("400:9"), levels("500:9"), START)  # locks 1, sells 1.25: nothing is left for the fee
    traded = trade_bnb(exchange, Side.SELL, quote_quantity=D(500))
    assert (traded.trade.quantity, traded.trade.fee_asset) == (D("1.25"), "USDT")
    assert balance(exchange, "BNB") == (D(0), D(0))


def test_a_purchase_of_the_third_asset_can_pay_its_fee_from_what_it_brings() -> None:
    exchange = a_bnb_exchange("0")
    traded = trade_bnb(exchange, Side.BUY, quantity=D(1))
    assert (traded.trade.fee_asset, traded.trade.fee) == ("BNB", D("0.00075"))
    assert balance(exchange, "BNB") == (D("0.99925"), D(0))


def test_a_buying_leg_that_begins_to_fill_keeps_only_its_own_lock() -> None:
    exchange = a_book_exchange(bids="90:1", asks="101:5")
    exchange.place_oco(an_oco("95", "105", side=Side.BUY, quantity="2"), START)
    assert balance(exchange, "USDT") == (D(9_790), D(210))
    print_trade(exchange, "95", "0.5")
    assert find(exchange, "oco-target").leaves == D("1.5")
    assert balance(exchange, "USDT") == (D(10_000) - D("190"), D("142.5"))


def test_a_triggered_limit_leg_that_rests_keeps_only_its_own_lock() -> None:
    exchange = a_book_exchange(bids="90:1", asks="101:5")
    request = an_oco("95", "105", side=Side.BUY)
    target = OcoLeg(client_order_id="target", type=OrderType.TAKE_PROFIT_LIMIT, stop_price=D(96), limit_price=D(95))
    exchange.place_oco(replace(request, below=target), START)
    assert balance(exchange, "USDT")[1] == D(105)
    print_trade(exchange, "96", "0.001")
    assert find(exchange, "target").is_working
    assert balance(exchange, "USDT") == (D(9_905), D(95))


def test_a_list_ends_once_however_it_ends() -> None:
    exchange = a_candle_exchange()
    events = [*exchange.place_oco(an_oco("104", "98"), START), *play(exchange, bar(0, 100, 104, 99, 103))]
    assert [change.order_list.is_done for change in of(events, ListChanged)] == [False, True]
    assert len(of(events, OrderEnded)) == 1


def test_each_fill_inside_a_bar_is_told_before_the_next_one() -> None:
    exchange = a_candle_exchange()
    buy(exchange, id_="near", limit_price="98")
    buy(exchange, id_="far", limit_price="95")
    candle = bar(0, 100, 101, 94, 96)
    assert fills(exchange.on_candle(candle)) == [("98", "1")]
    exchange.place_oco(an_oco("103", "97"), START)  # around 98, which is the last price now
    assert fills(exchange.on_candle(candle)) == [("97", "1")]
    assert fills(exchange.on_candle(candle)) == [("95", "1")]
    assert exchange.on_candle(candle) == []


def test_the_answer_to_a_fill_at_the_open_sees_the_whole_bar_also_without_a_call_for_the_open() -> None:
    exchange = a_candle_exchange()
    buy(exchange)
    candle = bar(0, 100, 105, 99, 101)
    assert fills(exchange.on_candle(candle)) == [("100", "1")]
    exchange.place_oco(an_oco("104", "98"), START)
    assert fills(play(exchange, candle)) == [("104", "1")]


def test_a_limit_order_that_would_take_inside_the_bar_waits_for_the_next_open() -> None:
    exchange = a_candle_exchange()
    exchange.on_open(BTC, D(100), START)
    buy(exchange, limit_price="110")
    assert fills(play(exchange, bar(0, 100, 103, 99, 102))) == []
    assert fills(play(exchange, bar(1, 101, 103, 99, 102))) == [("101", "1")]


def test_an_order_that_may_not_wait_does_not_see_the_range_of_the_bar() -> None:
    exchange = a_candle_exchange()
    exchange.on_open(BTC, D(100), START)
    buy(exchange, limit_price="99", time_in_force=TimeInForce.IOC)
    assert play(exchange, bar(0, 100, 103, 98, 102)) == []
    play(exchange, bar(1, 102, 103, 98, 102))
    assert (find(exchange).status, find(exchange).end_reason) == (OrderStatus.EXPIRED, EndReason.IOC_UNFILLED)


def test_a_stop_limit_that_may_not_wait_ends_where_it_triggers() -> None:
    exchange = a_candle_exchange()
    sell(exchange, type=OrderType.STOP_LIMIT, stop_price="98", limit_price="99", time_in_force=TimeInForce.IOC)
    events = play(exchange, bar(0, 100, 101, 97, 100))
    assert fills(events) == []
    assert find(exchange).end_reason is EndReason.IOC_UNFILLED
    assert balance(exchange, "BTC") == (D(10), D(0))


def test_a_gap_beyond_the_limit_of_a_stop_limit_leaves_it_resting_at_its_limit() -> None:
    exchange = a_candle_exchange()
    sell(exchange, type=OrderType.STOP_LIMIT, stop_price="98", limit_price="97")
    assert fills(play(exchange, bar(0, 95, 96.99, 94, 95))) == []
    assert fills(play(exchange, bar(1, 95, 97, 94, 95))) == [("97", "1")]


def test_an_order_by_quote_that_buys_no_lot_expires_without_a_fill() -> None:
    exchange = a_candle_exchange()
    buy(exchange, None, quote_quantity="0.09")
    play(exchange, bar(0, 100, 100, 100, 100))
    assert (find(exchange).status, find(exchange).end_reason) == (OrderStatus.EXPIRED, EndReason.NO_LIQUIDITY)
    assert balance(exchange, "USDT") == (D(10_000), D(0))


def test_a_halt_over_the_open_lets_a_market_order_wait_for_the_next_one() -> None:
    exchange = a_candle_exchange()
    buy(exchange)
    exchange.change_status(BTC, InstrumentStatus.HALTED, START)
    assert exchange.on_open(BTC, D(100), START) == []
    exchange.change_status(BTC, InstrumentStatus.TRADING, START)
    assert play(exchange, bar(0, 100, 101, 99, 100)) == []
    assert fills(play(exchange, bar(1, 102, 103, 99, 100))) == [("102", "1")]


def test_a_stop_on_its_way_is_not_triggered_by_a_trade_that_it_has_not_seen() -> None:
    exchange = a_book_exchange(bids="96:1", latency_us=500)
    sell(exchange, type=OrderType.STOP, stop_price="97")
    assert print_trade(exchange, "97", "0.001", at=START + 499) == []
    assert fills(print_trade(exchange, "97", "0.001", at=START + 500)) == [("96", "1")]


def test_a_last_price_that_is_told_again_fills_and_triggers_nothing() -> None:
    exchange = a_book_exchange(bids="98:1", asks="101:1")
    buy(exchange, limit_price="100")
    sell(exchange, id_="stop", type=OrderType.STOP, stop_price="97")
    assert not print_trade(exchange, "96", "0")
    assert exchange.last_price(BTC) == D(96)


def test_a_market_order_that_the_account_cannot_pay_ends_and_leaves_the_level_to_others() -> None:
    exchange = a_book_exchange(asks="200:60")
    (ended,) = of(buy(exchange, "60"), OrderEnded)  # locks at the last price of 100, meets 200
    assert (ended.order.end_reason, balance(exchange, "USDT")) == (EndReason.INSUFFICIENT_BALANCE, (D(10_000), D(0)))
    show_book(exchange, "99:1", "200:60")
    assert fills(buy(exchange, "1", id_="two")) == [("200", "1")]


@pytest.mark.parametrize(
    ("changes", "name"), [({"quantity": "0.0005"}, "LOT_SIZE"), ({"limit_price": "99.001"}, "PRICE_FILTER")]
)
def test_the_grid_holds_without_a_filter(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(Refusal) as refused:
        buy(a_candle_exchange(), **changes)
    assert refused.value.filter_name == name


@pytest.mark.parametrize("changes", [{"quantity": "1E+40"}, {"quantity": "1E+18"}, {"limit_price": "1E+999"}])
def test_a_number_beyond_all_reason_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        buy(a_candle_exchange(), **changes)
    assert refused.value.code is RefusalCode.BAD_REQUEST


def test_a_quote_quantity_finer_than_the_asset_is_refused() -> None:
    with pytest.raises(Refusal, match="8 decimals"):
        buy(a_candle_exchange(), None, quote_quantity="10.000000001")
    assert of(buy(a_candle_exchange(), None, quote_quantity="10.00000001"), OrderAccepted)


def test_a_post_only_order_that_may_not_wait_is_refused() -> None:
    with pytest.raises(Refusal, match="post_only"):
        buy(a_candle_exchange(), limit_price="99", post_only=True, time_in_force=TimeInForce.IOC)


def test_a_purchase_by_quote_meets_the_position_limit() -> None:
    exchange = a_candle_exchange(filters=(MaxPosition(D(11)),))
    with pytest.raises(Refusal, match="MAX_POSITION"):
        buy(exchange, None, quote_quantity="100.01")
    assert buy(exchange, None, quote_quantity="100")


def test_a_symbol_must_be_its_base_and_quote() -> None:
    with pytest.raises(Invalid, match="BTC/USDT"):
        ExchangeSymbol(symbol="BTCUSDT", base="BTC", quote="USDT", tick_size=D("0.01"), lot_size=D(1))
