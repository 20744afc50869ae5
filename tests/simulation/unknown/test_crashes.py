"""What one engine promised, the next one keeps: restarts, failed commits, lost leases."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders import ACCOUNT, NOON, an_order
from tests.simulation.unknown.scripted import Fate
from tests.simulation.unknown.world import BTC, FENCE_MS, PowerCut, Running, World, id_of, play
from tidegate.app.account import NOT_SENT
from tidegate.app.courier import CallAnswered, ConcurrentCourier
from tidegate.domain.errors import Unavailable
from tidegate.domain.orders import OrderPurpose, OrderStatus, OrderType, Refused
from tidegate.execution.model import PlaceOrder
from tidegate.kit.db import CommitUnknown, FencedOut, inbox

BELOW_STOP = "89"


async def a_day(world: World, running: Running) -> None:
    """An entry with its bracket, one that adds to it, one that is withdrawn, a stop, another entry, the kill switch.

    Told again it does only what was not done: each command is obeyed once.
    """
    await running.submit("entry")
    await running.settle()
    await running.submit("more", stop_loss_price=Decimal(91))
    await running.settle()
    await running.submit("resting", type=OrderType.LIMIT, limit_price=Decimal(95))
    await running.settle()
    await running.cancel(id_of("resting"))
    await running.settle()
    if world.bid > Decimal(BELOW_STOP):
        world.fall_to(BELOW_STOP)
    await running.settle()
    await running.submit("last", stop_loss_price=Decimal(80), take_profit_price=Decimal(95))
    await running.settle()
    await running.flatten()
    await running.pass_time(2 * FENCE_MS + 10_000)


@pytest.mark.parametrize(
    "fate",
    [Fate.ANSWERED, *(pytest.param(fate, marks=pytest.mark.slow) for fate in (Fate.ANSWER_LOST, Fate.REQUEST_LOST))],
)
def test_after_a_power_cut_at_any_step_the_books_are_the_venues_and_nothing_is_doubled(
    tmp_path: Path, fate: Fate
) -> None:
    async def one_life(cut_at: int | None) -> World:
        world = World(tmp_path, name=f"cut-{cut_at}.db")
        world.fall_to("100")
        running = await world.start()
        for verb in ("place", "place_oco", "cancel"):
            world.venue.fates[verb].append(fate)
        world.outlet.begin(cut_at)
        try:
            await a_day(world, running)
        except PowerCut:
            running = await world.start()
            await a_day(world, running)
        await world.assert_whole(running.account)
        assert not running.account.positions.running()
        await world.store.close()
        return world

    whole = asyncio.run(one_life(None))
    assert whole.outlet.steps > 50
    for cut_at in range(1, whole.outlet.steps + 1):
        asyncio.run(one_life(cut_at))


def test_a_wish_to_cancel_outlives_the_engine(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        entry = await running.submit("entry", type=OrderType.LIMIT, limit_price=Decimal(99))
        await running.settle()
        await running.cancel(entry)
        assert world.venue.count("cancel") == 0
        later = await world.start()
        await later.pass_time(1_000)
        assert later.order(entry).status is OrderStatus.CANCELLED
        await world.assert_whole(later.account)

    play(tmp_path, story)


def test_fills_of_an_engineless_time_are_booked_when_the_next_one_starts(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        entry = await running.submit("entry", type=OrderType.LIMIT, limit_price=Decimal(99))
        await running.settle()
        world.fall_to("98")
        later = await world.start()
        assert later.order(entry).status is OrderStatus.FILLED
        await world.assert_whole(later.account)
        world.fall_to(BELOW_STOP)
        last = await world.start()
        assert not last.account.positions.running()
        await world.assert_whole(last.account)

    play(tmp_path, story)


def test_what_the_venue_does_not_tell_at_the_start_is_asked_until_it_does(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        entry = await running.submit("entry", type=OrderType.LIMIT, limit_price=Decimal(99))
        await running.settle()
        world.fall_to("98")
        world.venue.is_dumb = True
        later = await world.start()
        await later.pass_time(3_000)
        assert later.order(entry).status is OrderStatus.OPEN
        world.venue.is_dumb = False
        await later.pass_time(3_000)
        assert later.order(entry).status is OrderStatus.FILLED
        await world.assert_whole(later.account)

    play(tmp_path, story)


def test_one_question_shows_all_that_has_stayed_as_it_was(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        await running.submit("entry")
        await running.settle()
        asked = len(world.venue.calls)
        later = await world.start()
        await later.pass_time(3_000)
        assert world.venue.calls[asked:] == [("look at all", "")]
        await world.assert_whole(later.account)

    play(tmp_path, story)


def test_a_failed_commit_sends_nothing_and_leaves_what_was_committed_before(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        await running.submit("entry")
        await running.settle()
        before = running.account.books.free("USDT")
        world.store.before_commit.append(Unavailable("The disk is full."))
        with pytest.raises(Unavailable):
            await running.submit("more")
        await running.settle()
        assert world.venue.count("place") == 1
        assert running.account.books.free("USDT") == before
        assert len(running.account.execution.orders.live()) == 2
        later = await world.start()
        await later.submit("more")
        await later.settle()
        assert world.venue.count("place") == 2
        await world.assert_whole(later.account)

    play(tmp_path, story)


def test_a_commit_of_unknown_outcome_is_read_back_and_its_order_is_in_doubt(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.store.after_commit.append(CommitUnknown("The connection was lost."))
        with pytest.raises(CommitUnknown):
            await running.submit("entry")
        assert running.order(id_of("entry")).status is OrderStatus.UNKNOWN
        assert len(await world.store.load(inbox, command_id="entry")) == 1
        await running.pass_time(FENCE_MS + 2_000)
        await running.submit("entry")
        assert world.venue.count("place") == 0
        assert running.order(id_of("entry")).status is OrderStatus.REJECTED
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_an_engine_that_lost_its_lease_neither_enters_nor_cancels(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place"].append(Fate.ANSWER_LOST)
        world.venue.is_blind = True
        resting = await running.submit("entry", type=OrderType.LIMIT, limit_price=Decimal(99))
        await running.settle_without_stream()
        world.venue.is_blind = False
        later = await world.start()
        assert later.order(resting).status is OrderStatus.OPEN
        world.venue.is_blind = True
        with pytest.raises(FencedOut):
            await running.pass_time(FENCE_MS + 1_000)
        with pytest.raises(FencedOut):
            await running.submit("more")
        await running.settle()
        assert (world.venue.count("place"), world.venue.count("cancel")) == (1, 0)
        await world.assert_whole(later.account)

    play(tmp_path, story)


def test_an_order_that_is_late_for_its_fence_does_not_leave(tmp_path: Path) -> None:
    """Another engine may have taken the lease during the pause, and be about to prove the order dead."""

    async def story(world: World, _: Running) -> None:
        answered: list[CallAnswered] = []

        async def deliver(one: CallAnswered) -> None:
            answered.append(one)

        call = PlaceOrder(an_order(symbol=BTC).ticket(), OrderPurpose.ENTRY, NOON + FENCE_MS * 1_000)
        async with asyncio.TaskGroup() as tasks:
            venues, now = {ACCOUNT: world.venue}, world.clock.now_us
            courier = ConcurrentCourier(venues, deliver, tasks, wall_now=now, fence_ms=FENCE_MS)
            world.clock.advance_to(NOON + FENCE_MS * 1_000 // 5 + 1)
            courier.send(ACCOUNT, call)
            await courier.drain()
        (one,) = answered
        assert isinstance(one.answer, Refused) and one.answer.code == NOT_SENT
        assert world.venue.count("place") == 0

    play(tmp_path, story)
