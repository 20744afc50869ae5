"""One account of an in-process exchange, in the words of a venue."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.exchange.floor import ANN, BTC, START, a_candle_exchange, a_request, a_symbol, an_oco, bar
from tidegate.domain.ids import AccountId, ClientOrderId, VenueOrderId
from tidegate.domain.orders import (
    BalanceReport,
    FillReport,
    OcoTicket,
    OrderReport,
    OrderStatus,
    OrderTicket,
    OrderType,
    PlaceAnswer,
    Placed,
    Refused,
    Side,
)
from tidegate.exchange import Exchange
from tidegate.venues.paper.venue import PaperVenue, instrument_of

D = Decimal
BOB = AccountId("bob")


def a_venue(exchange: Exchange, account: AccountId = ANN) -> PaperVenue:
    return PaperVenue(exchange, account, lambda: START)


def place(venue: PaperVenue, **changes: Any) -> PlaceAnswer:
    values: dict[str, Any] = {
        "client_order_id": ClientOrderId("p-1"),
        "symbol": BTC,
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": D(1),
    }
    return asyncio.run(venue.place(OrderTicket(**{**values, **changes})))


def place_oco(venue: PaperVenue, side: Side, target: str, stop: str) -> PlaceAnswer:
    ticket = OcoTicket(
        list_client_id="list",
        symbol=BTC,
        side=side,
        quantity=D(1),
        take_profit_id=ClientOrderId("target"),
        take_profit_price=D(target),
        stop_loss_id=ClientOrderId("stop"),
        stop_price=D(stop),
    )
    return asyncio.run(venue.place_oco(ticket))


def test_a_placed_order_is_reported_open() -> None:
    answer = place(a_venue(a_candle_exchange()))
    assert isinstance(answer, Placed)
    (report,) = answer.reports
    assert (report.client_order_id, report.venue_order_id, report.status) == ("p-1", "1", OrderStatus.OPEN)
    assert answer.fills == ()


def test_what_the_market_does_is_told_once_with_fill_order_and_balances() -> None:
    exchange = a_candle_exchange()
    venue = a_venue(exchange)
    place(venue)
    venue.hear(exchange.on_open(BTC, D(100), START))
    fill, report, *balances = venue.take_events()
    assert isinstance(fill, FillReport)
    assert isinstance(report, OrderReport)
    assert (fill.price, fill.quantity, fill.venue_trade_id) == (D(100), D(1), "1")
    assert (report.status, report.filled_quantity, report.filled_notional) == (OrderStatus.FILLED, D(1), D(100))
    assert BalanceReport(asset="BTC", free=D(11), held=D(0)) in balances
    assert venue.take_events() == []


def test_events_of_another_account_are_not_told() -> None:
    exchange = a_candle_exchange(accounts=(ANN, BOB))
    place(a_venue(exchange))
    bob = a_venue(exchange, BOB)
    bob.hear(exchange.on_open(BTC, D(100), START))
    assert bob.take_events() == []
    assert asyncio.run(bob.fills(BTC, None)) == []
    assert asyncio.run(bob.order(BTC, ClientOrderId("p-1"))) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": D(101)}, "venue.balance_too_small"),
        ({"quantity": D("0.0001")}, "venue.filter_failed"),
        ({"type": OrderType.STOP, "stop_price": D(99)}, "venue.would_trigger"),
        ({"type": OrderType.LIMIT}, "venue.refused"),
    ],
)
def test_a_refusal_has_a_code_and_a_sentence(changes: dict[str, Any], code: str) -> None:
    answer = place(a_venue(a_candle_exchange()), **changes)
    assert isinstance(answer, Refused)
    assert answer.code == code
    assert answer.detail


def test_cancelling_what_is_not_open_is_refused_as_such() -> None:
    answer = asyncio.run(a_venue(a_candle_exchange()).cancel(BTC, ClientOrderId("p-1")))
    assert isinstance(answer, Refused)
    assert answer.code == "venue.order_not_open"


@pytest.mark.parametrize(("side", "target", "stop"), [(Side.SELL, "104", "98"), (Side.BUY, "98", "104")])
def test_a_bracket_is_a_list_of_two_reports_and_a_cancel_ends_both(side: Side, target: str, stop: str) -> None:
    venue = a_venue(a_candle_exchange())
    answer = place_oco(venue, side, target, stop)
    assert isinstance(answer, Placed)
    assert {report.client_order_id for report in answer.reports} == {"target", "stop"}
    assert len(asyncio.run(venue.open_orders())) == 2
    cancelled = asyncio.run(venue.cancel(BTC, ClientOrderId("stop")))
    assert isinstance(cancelled, Placed)
    assert {report.status for report in cancelled.reports} == {OrderStatus.CANCELLED}
    assert asyncio.run(venue.open_orders()) == []


def test_the_leg_that_dies_says_why() -> None:
    exchange = a_candle_exchange()
    venue = a_venue(exchange)
    place_oco(venue, Side.SELL, "104", "98")
    venue.hear(exchange.on_candle(bar(0, 100, 105, 99, 103)))
    reports = [event for event in venue.take_events() if isinstance(event, OrderReport)]
    stop = next(report for report in reports if report.client_order_id == "stop")
    assert (stop.status, stop.detail) == (OrderStatus.EXPIRED, "oco_triggered")


def test_fills_can_be_asked_for_after_a_trade_and_by_order() -> None:
    exchange = a_candle_exchange()
    venue = a_venue(exchange)
    place(venue, client_order_id=ClientOrderId("p-1"))
    place(venue, client_order_id=ClientOrderId("p-2"))
    exchange.on_open(BTC, D(100), START)
    assert [fill.client_order_id for fill in asyncio.run(venue.fills(BTC, None))] == ["p-1", "p-2"]
    assert [fill.client_order_id for fill in asyncio.run(venue.fills(BTC, "1"))] == ["p-2"]
    assert [fill.client_order_id for fill in asyncio.run(venue.order_fills(BTC, VenueOrderId("1")))] == ["p-1"]
    order = asyncio.run(venue.order(BTC, ClientOrderId("p-2")))
    assert order is not None
    assert order.status is OrderStatus.FILLED


def test_balances_show_what_is_held_and_leave_out_what_is_empty() -> None:
    exchange = a_candle_exchange()
    exchange.place_oco(an_oco("104", "98", quantity="10"), START)
    exchange.place(a_request(Side.BUY, "100", limit_price="99"), START)
    exchange.deposit(ANN, "ETH", D(1), START)
    exchange.deposit(ANN, "ETH", D(-1), START)
    assert asyncio.run(a_venue(exchange).balances()) == [
        BalanceReport(asset="BTC", free=D(0), held=D(10)),
        BalanceReport(asset="USDT", free=D(100), held=D(9_900)),
    ]


def test_an_instrument_has_the_grid_and_fees_of_its_symbol() -> None:
    instrument = instrument_of(a_symbol(taker_fee_rate=D("0.002")))
    assert (instrument.symbol, instrument.base, instrument.quote) == (BTC, "BTC", "USDT")
    assert (instrument.tick_size, instrument.lot_size) == (D("0.01"), D("0.001"))
    assert (instrument.maker_fee_rate, instrument.taker_fee_rate) == (D(0), D("0.002"))
