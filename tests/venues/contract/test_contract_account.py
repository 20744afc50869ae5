"""V20-V29: unknown outcomes, the account stream, balances, history, clock and keys."""

import asyncio
from decimal import Decimal

import pytest

from tests.venues.contract.conftest import Play
from tests.venues.contract.worlds import BTC, START_BALANCES, SkewedClock, World
from tests.waiting import eventually
from tidegate.domain.errors import Forbidden
from tidegate.domain.orders import (
    BalanceReport,
    FillReport,
    OrderStatus,
    OrderType,
    OutcomeUnknown,
    Placed,
    Refused,
    StreamReset,
)

LOST_ANSWERS = [
    {"kind": "drop"},
    {"kind": "delay", "delay_s": 1.5},
    {"kind": "status", "status": 504, "code": -1007},
    {"kind": "status", "status": 503, "code": -1006},
    {"kind": "html"},
]


@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=lambda fault: f"{fault['kind']}{fault.get('code', '')}")
def test_v20_an_order_whose_answer_is_lost_is_unknown_was_sent_once_and_is_found_by_asking(
    play: Play, fault: dict[str, object]
) -> None:
    async def case(world: World) -> None:
        ticket = world.ticket(OrderType.MARKET)
        await world.control.fault(**fault)  # type: ignore[arg-type]
        assert isinstance(await world.venue.place(ticket), OutcomeUnknown)
        found = await world.venue.order(BTC, ticket.client_order_id)
        assert found is not None
        assert found.status is OrderStatus.FILLED
        assert await world.control.order_ids() == [ticket.client_order_id]

    play(case)


def test_v21_an_order_that_never_arrived_is_unknown_too_and_the_venue_does_not_know_it(play: Play) -> None:
    async def case(world: World) -> None:
        ticket = await world.resting()
        await world.control.fault("drop", is_executed=False)
        assert isinstance(await world.venue.place(ticket), OutcomeUnknown)
        assert await world.venue.order(BTC, ticket.client_order_id) is None
        assert await world.control.order_ids() == []

    play(case)


def test_v22_a_cancel_whose_answer_is_lost_is_unknown_and_was_sent_once(play: Play) -> None:
    async def case(world: World) -> None:
        ticket = await world.resting()
        assert isinstance(await world.venue.place(ticket), Placed)
        await world.control.fault("drop", on="cancel")
        # A second cancel, sent behind our back, would be answered that there is no such order.
        assert isinstance(await world.venue.cancel(BTC, ticket.client_order_id), OutcomeUnknown)
        found = await world.venue.order(BTC, ticket.client_order_id)
        assert found is not None
        assert found.status is OrderStatus.CANCELLED

    play(case)


def test_v23_after_a_lost_connection_the_stream_says_so_and_queries_tell_what_was_missed(play: Play) -> None:
    async def case(world: World) -> None:
        async with world.listening() as heard:
            await world.control.drop_connections()
            missed = world.ticket(OrderType.MARKET)
            assert isinstance(await world.venue.place(missed), Placed)
            await eventually(lambda: heard.count(StreamReset()) == 2, what="the stream begins anew")
            (fill,) = {fill.client_order_id for fill in await world.venue.fills(BTC, None)}
            assert fill == missed.client_order_id
            later = world.ticket(OrderType.MARKET)
            assert isinstance(await world.venue.place(later), Placed)
            await eventually(lambda: bool(world.told_fills(later.client_order_id)), what="reports flow again")

    play(case)


def test_v24_balances_equal_the_venues_own_books_and_an_open_order_holds_its_cost(play: Play) -> None:
    async def case(world: World) -> None:
        ticket = await world.resting()
        async with world.listening() as heard:
            assert isinstance(await world.venue.place(ticket), Placed)
            told = {one.asset: (one.free, one.held) for one in await world.venue.balances()}
            assert told == await world.control.balances()
            assert ticket.limit_price is not None
            cost = ticket.quantity * ticket.limit_price
            assert told["USDT"] == (START_BALANCES["USDT"] - cost, cost)
            expected = BalanceReport(asset="USDT", free=told["USDT"][0], held=cost)
            await eventually(lambda: expected in heard, what="the stream tells the hold")

    play(case)


def test_v25_history_is_read_from_a_cursor_by_an_adapter_that_remembers_nothing(play: Play) -> None:
    async def case(world: World) -> None:
        tickets = [world.ticket(OrderType.MARKET, quantity=Decimal("0.001") * (n + 1)) for n in range(5)]
        made: list[FillReport] = []
        for ticket in tickets:
            answer = await world.venue.place(ticket)
            assert isinstance(answer, Placed)
            made += answer.fills
        fresh = await world.connect()
        assert await fresh.fills(BTC, None) == made
        assert await fresh.fills(BTC, made[1].venue_trade_id) == made[2:]
        assert await fresh.fills(BTC, made[-1].venue_trade_id) == []
        assert await (await world.connect()).order_fills(BTC, made[3].venue_order_id) == [
            fill for fill in made if fill.venue_order_id == made[3].venue_order_id
        ]

    play(case)


def test_v26_the_clocks_offset_is_measured_and_orders_work_with_a_clock_that_is_wrong(play: Play) -> None:
    async def case(world: World) -> None:
        assert abs(await world.venue.time_offset_ms()) < 500
        skewed = await world.connect(clock=SkewedClock(60_000))
        assert abs(await skewed.time_offset_ms() + 60_000) < 500
        assert isinstance(await skewed.place(world.ticket(OrderType.MARKET)), Placed)

    play(case)


def test_v27_a_key_that_the_venue_does_not_know_trades_nothing_and_ends_the_stream(play: Play) -> None:
    async def case(world: World) -> None:
        stranger = await world.connect(key="nobody")
        answer = await stranger.place(world.ticket(OrderType.MARKET))
        assert isinstance(answer, Refused)
        assert answer.code == "venue.not_authorised"
        with pytest.raises(Forbidden):
            async with asyncio.timeout(5):
                await anext(stranger.events())

    play(case)


def test_v28_a_wrong_secret_is_refused_for_certain(play: Play) -> None:
    async def case(world: World) -> None:
        forger = await world.connect(secret="guessed")
        assert isinstance(await forger.place(world.ticket(OrderType.MARKET)), Refused)
        assert await world.control.order_ids() == []

    play(case)


def test_v29_forty_orders_at_once_are_each_answered_and_each_placed_once(play: Play) -> None:
    async def case(world: World) -> None:
        bid, _ = await world.best()
        tickets = [world.ticket(OrderType.LIMIT, limit_price=bid - 2_000, quantity=Decimal("0.001")) for _ in range(40)]
        answers = await asyncio.gather(*(world.venue.place(ticket) for ticket in tickets))
        assert all(isinstance(answer, Placed) for answer in answers)
        assert sorted(await world.control.order_ids()) == sorted(ticket.client_order_id for ticket in tickets)

    play(case)
