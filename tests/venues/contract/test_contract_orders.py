"""V01-V12: what every venue does with orders, whatever its wire format."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.venues.contract.conftest import Play
from tests.venues.contract.worlds import BTC, QUANTITY, World
from tests.waiting import eventually
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.money import ZERO
from tidegate.domain.orders import (
    OrderStatus,
    OrderTicket,
    OrderType,
    Placed,
    Refused,
    Side,
    TimeInForce,
)

_ASKED_MAX = 5


async def placed(world: World, ticket: OrderTicket) -> Placed:
    answer = await world.venue.place(ticket)
    assert isinstance(answer, Placed), answer
    return answer


async def stop_ticket(world: World, kind: OrderType, side: Side, away: int) -> OrderTicket:
    """A conditional order `away` from the market: above it when positive."""
    bid, ask = await world.best()
    stop = (ask if away > 0 else bid) + away
    limit = stop if kind in {OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT} else None
    return world.ticket(kind, side, stop_price=stop, limit_price=limit)


def test_v01_instruments_tell_their_grid_their_bounds_and_that_they_trade(play: Play) -> None:
    async def case(world: World) -> None:
        listed = {one.symbol: one for one in await world.market.instruments()}
        btc = listed[BTC]
        assert (btc.base, btc.quote, btc.status) == ("BTC", "USDT", InstrumentStatus.TRADING)
        assert min(btc.tick_size, btc.lot_size, btc.quantity_min, btc.notional_min, btc.taker_fee_rate) > 0
        assert btc.quantity_min < btc.quantity_max
        assert btc.price_min < btc.price_max

    play(case)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"limit_price": Decimal("30000.001")}, "venue.filter_failed"),
        ({"quantity": Decimal("0.0100001")}, "venue.filter_failed"),
        ({"quantity": Decimal("0.00001")}, "venue.filter_failed"),
        ({"quantity": Decimal(10)}, "venue.balance_too_small"),
        ({"symbol": "NOSUCH/USDT"}, "venue.refused"),
        ({"limit_price": None}, "venue.ticket_invalid"),
    ],
)
def test_v02_an_order_that_breaks_a_rule_is_refused_and_does_not_exist(
    play: Play, changes: dict[str, object], code: str
) -> None:
    async def case(world: World) -> None:
        ticket = await world.resting()
        broken = replace(ticket, **changes)  # type: ignore[arg-type]
        answer = await world.venue.place(broken)
        assert isinstance(answer, Refused), answer
        assert answer.code == code, answer
        assert await world.control.order_ids() == []

    play(case)


def test_v03_a_limit_order_rests_is_found_everywhere_and_is_cancelled(play: Play) -> None:
    async def case(world: World) -> None:
        ticket = await world.resting()
        async with world.listening():
            (report,) = (await placed(world, ticket)).reports
            assert (report.status, report.quantity, report.filled_quantity) == (OrderStatus.OPEN, QUANTITY, ZERO)
            assert [one.client_order_id for one in await world.venue.open_orders()] == [ticket.client_order_id]
            found = await world.venue.order(BTC, ticket.client_order_id)
            assert found is not None
            assert (found.venue_order_id, found.status) == (report.venue_order_id, OrderStatus.OPEN)
            cancelled = await world.venue.cancel(BTC, ticket.client_order_id)
            assert isinstance(cancelled, Placed)
            assert [(r.client_order_id, r.status) for r in cancelled.reports] == [
                (ticket.client_order_id, OrderStatus.CANCELLED)
            ]
            assert await world.venue.open_orders() == []
            await eventually(
                lambda: world.told_status(ticket.client_order_id) == [OrderStatus.OPEN, OrderStatus.CANCELLED],
                what="the stream tells both under the order's own id",
            )

    play(case)


@pytest.mark.parametrize("side", list(Side))
def test_v04_a_market_order_fills_at_once_and_answer_query_and_stream_tell_the_same_fills(
    play: Play, side: Side
) -> None:
    async def case(world: World) -> None:
        ticket = world.ticket(OrderType.MARKET, side)
        async with world.listening():
            answer = await placed(world, ticket)
            (report,) = answer.reports
            assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, QUANTITY)
            assert sum(fill.quantity for fill in answer.fills) == QUANTITY
            assert sum(fill.quantity * fill.price for fill in answer.fills) == report.filled_notional
            assert {fill.fee_asset for fill in answer.fills} == {"BTC" if side is Side.BUY else "USDT"}
            assert await world.venue.order_fills(BTC, report.venue_order_id) == list(answer.fills)
            await eventually(
                lambda: world.told_fills(ticket.client_order_id) == list(answer.fills),
                what="the stream tells the same fills",
            )

    play(case)


def test_v05_a_post_only_order_rests_or_is_refused_but_never_takes(play: Play) -> None:
    async def case(world: World) -> None:
        bid, ask = await world.best()
        crossing = world.ticket(OrderType.LIMIT, limit_price=ask + 500, post_only=True)
        refused = await world.venue.place(crossing)
        assert isinstance(refused, Refused)
        assert refused.code == "venue.would_match"
        resting = await placed(world, world.ticket(OrderType.LIMIT, limit_price=bid - 2_000, post_only=True))
        assert resting.reports[0].status is OrderStatus.OPEN

    play(case)


@pytest.mark.parametrize(
    ("kind", "side", "away"),
    [
        (OrderType.STOP, Side.SELL, -2_000),
        (OrderType.STOP_LIMIT, Side.SELL, -2_000),
        (OrderType.TAKE_PROFIT, Side.SELL, 2_000),
        (OrderType.TAKE_PROFIT_LIMIT, Side.SELL, 2_000),
        (OrderType.STOP, Side.BUY, 2_000),
        (OrderType.TAKE_PROFIT_LIMIT, Side.BUY, -2_000),
    ],
)
def test_v06_a_conditional_order_waits_and_one_on_the_wrong_side_is_refused(
    play: Play, kind: OrderType, side: Side, away: int
) -> None:
    async def case(world: World) -> None:
        waiting = await stop_ticket(world, kind, side, away)
        assert (await placed(world, waiting)).reports[0].status is OrderStatus.OPEN
        assert isinstance(await world.venue.cancel(BTC, waiting.client_order_id), Placed)
        wrong = await world.venue.place(await stop_ticket(world, kind, side, -away))
        assert isinstance(wrong, Refused)
        assert wrong.code == "venue.would_trigger"

    play(case)


@pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
def test_v07_an_ioc_order_keeps_what_it_got_and_a_fok_order_gets_all_or_nothing(
    play: Play, time_in_force: TimeInForce
) -> None:
    async def case(world: World) -> None:
        got = []
        for _ in range(_ASKED_MAX):  # the market may leave the price between the question and the order
            _, ask = await world.best()
            quantity = Decimal("1.5")
            ticket = world.ticket(OrderType.LIMIT, limit_price=ask, quantity=quantity, time_in_force=time_in_force)
            answer = await placed(world, ticket)
            (report,) = answer.reports
            assert report.status is OrderStatus.EXPIRED
            assert sum(fill.quantity for fill in answer.fills) == report.filled_quantity
            got.append(report.filled_quantity)
            if report.filled_quantity:
                break
        assert any(got) is (time_in_force is TimeInForce.IOC)
        assert await world.venue.open_orders() == []

    play(case)


@pytest.mark.parametrize("has_limit", [False, True])
@pytest.mark.parametrize("side", list(Side))
def test_v08_an_order_list_has_two_legs_and_cancelling_one_ends_both(play: Play, side: Side, has_limit: bool) -> None:
    async def case(world: World) -> None:
        bid, ask = await world.best()
        target, stop = (ask + 2_000, bid - 2_000) if side is Side.SELL else (bid - 2_000, ask + 2_000)
        ticket = await world.oco(
            side=side, take_profit_price=target, stop_price=stop, stop_limit_price=stop if has_limit else None
        )
        legs = {ticket.take_profit_id, ticket.stop_loss_id}
        answer = await world.venue.place_oco(ticket)
        assert isinstance(answer, Placed), answer
        assert {report.client_order_id for report in answer.reports} == legs
        assert {report.client_order_id for report in await world.venue.open_orders()} == legs
        assert isinstance(await world.venue.cancel(BTC, ticket.stop_loss_id), Placed)
        assert await world.venue.open_orders() == []
        other = await world.venue.order(BTC, ticket.take_profit_id)
        assert other is not None
        assert other.status in {OrderStatus.CANCELLED, OrderStatus.EXPIRED}

    play(case)


def test_v09_the_same_order_sent_twice_lives_once_and_both_answers_name_it(play: Play) -> None:
    async def case(world: World) -> None:
        ticket = await world.resting()
        first, second = await placed(world, ticket), await placed(world, ticket)
        assert first.reports[0].venue_order_id == second.reports[0].venue_order_id
        assert await world.control.order_ids() == [ticket.client_order_id]

    play(case)


def test_v10_cancelling_what_is_not_open_is_refused_by_its_own_code(play: Play) -> None:
    async def case(world: World) -> None:
        filled = world.ticket(OrderType.MARKET)
        await placed(world, filled)
        for client_order_id in (filled.client_order_id, world.next_id()):
            answer = await world.venue.cancel(BTC, client_order_id)
            assert isinstance(answer, Refused)
            assert answer.code == "venue.order_not_open"

    play(case)


def test_v11_a_partly_filled_order_tells_what_it_filled_when_it_is_cancelled(play: Play) -> None:
    async def case(world: World) -> None:
        _, ask = await world.best()
        ticket = world.ticket(OrderType.LIMIT, limit_price=ask, quantity=Decimal("1.6"))
        placed_report = (await placed(world, ticket)).reports[0]
        ended = await world.venue.cancel(BTC, ticket.client_order_id)
        assert isinstance(ended, Placed), (placed_report, ended)
        (report,) = ended.reports
        assert report.status is OrderStatus.CANCELLED
        assert 0 < placed_report.filled_quantity <= report.filled_quantity < report.quantity
        fills = await world.venue.order_fills(BTC, report.venue_order_id)
        assert sum(fill.quantity for fill in fills) == report.filled_quantity

    play(case)


def test_v12_capabilities_name_every_order_type_and_no_simulator_is_live(play: Play) -> None:
    async def case(world: World) -> None:
        told = world.venue.capabilities
        assert not told.is_live
        assert told.holds_oco
        assert told.order_types == {kind.value for kind in OrderType}

    play(case)
