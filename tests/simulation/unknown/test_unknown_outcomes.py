"""Nobody knows whether the venue acted: it is asked, never guessed, and nothing is sent twice."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.builders import ACCOUNT
from tests.simulation.unknown.scripted import Fate
from tests.simulation.unknown.world import BTC, FENCE_MS, QUEUED, Running, World, play
from tidegate.domain.orders import OrderStatus, OrderType
from tidegate.execution.positions import Position

RESTING: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": Decimal(99)}
BELOW_STOP = "89"


def the_position(running: Running) -> Position:
    return running.account.positions.get((None, BTC))


def test_an_unknown_entry_that_executed_is_adopted_and_protected(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place"].append(Fate.ANSWER_LOST)
        entry = await running.submit("entry")
        await running.settle_without_stream()
        assert running.order(entry).status is OrderStatus.UNKNOWN
        await running.pass_time(300)
        assert running.order(entry).status is OrderStatus.FILLED
        assert (world.venue.count("place"), world.venue.count("place_oco")) == (1, 1)
        assert (await world.events())["order_outcome_unknown"] == 1
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_the_stream_settles_what_the_answer_did_not(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place"].append(Fate.ANSWER_LOST)
        entry = await running.submit("entry")
        await running.settle()
        assert running.order(entry).status is OrderStatus.FILLED
        assert world.venue.count("look") == 0
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_an_entry_that_never_arrived_is_dead_only_after_fence_probe_and_two_quiet_looks(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place"].append(Fate.REQUEST_LOST)
        entry = await running.submit("entry")
        await running.settle()
        await running.pass_time(FENCE_MS - 100)
        assert running.order(entry).status is OrderStatus.UNKNOWN
        assert world.venue.count("look") > 2
        assert world.venue.count("cancel") == 0
        asked = len(world.venue.calls)
        await running.pass_time(2_000)
        proof = [verb for verb, _ in world.venue.calls[asked:]]
        assert proof[proof.index("cancel") :] == ["cancel", "look", "look"]
        assert running.order(entry).status is OrderStatus.REJECTED
        assert running.account.books.held("USDT") == 0
        assert world.venue.count("place") == 1
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_a_look_that_finds_nothing_proves_nothing_while_the_request_is_on_its_way(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place"].append(Fate.LATE)
        entry = await running.submit("entry")
        await running.settle()
        await running.pass_time(FENCE_MS - 500)
        await world.venue.arrive()
        await running.pass_time(100)
        assert running.order(entry).status is OrderStatus.FILLED
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_the_probe_ends_an_order_that_look_ups_do_not_show(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place"].append(Fate.ANSWER_LOST)
        world.venue.is_blind = True
        entry = await running.submit("entry", **RESTING)
        await running.settle_without_stream()
        await running.pass_time(FENCE_MS + 2_000)
        assert running.order(entry).status is OrderStatus.CANCELLED
        await world.assert_whole(running.account)

    play(tmp_path, story)


@pytest.mark.parametrize("lost", [Fate.REQUEST_LOST, Fate.ANSWER_LOST])
def test_an_unknown_bracket_ends_in_one_that_stands(tmp_path: Path, lost: Fate) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place_oco"].append(lost)
        await running.submit("entry")
        await running.settle_without_stream()
        await running.pass_time(FENCE_MS + 2_000)
        assert not the_position(running).exit_reason
        assert world.venue.count("place_oco") == (1 if lost is Fate.ANSWER_LOST else 2)
        assert len(world.exchange.state.open_orders(ACCOUNT, BTC)) == 2
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_a_refused_bracket_is_tried_again(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place_oco"].append(Fate.REFUSED)
        await running.submit("entry")
        await running.settle()
        await running.pass_time(1_000)
        assert world.venue.count("place_oco") == 2
        assert not the_position(running).exit_reason
        await world.assert_whole(running.account)

    play(tmp_path, story)


@pytest.mark.parametrize(("targets", "verb"), [(Decimal(120), "place_oco"), (None, "place")])
def test_protection_that_is_refused_twice_is_replaced_by_the_way_out(
    tmp_path: Path, targets: Decimal | None, verb: str
) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates[verb] += [Fate.ANSWERED] * (verb == "place") + [Fate.REFUSED] * 2
        await running.submit("entry", take_profit_price=targets)
        await running.settle()
        await running.pass_time(5_000)
        assert not running.account.positions.running()
        assert (await world.events())["trade_closed"] == 1
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_a_venue_out_of_reach_delays_protection_and_sells_nothing(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place_oco"] += [Fate.UNREACHABLE] * 5
        await running.submit("entry")
        await running.settle()
        await running.pass_time(40_000)
        assert world.venue.count("place_oco") == 6
        assert not the_position(running).exit_reason
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_an_exit_that_never_arrived_is_sold_in_another_attempt(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        await running.submit("entry")
        await running.settle()
        world.venue.fates["place"].append(Fate.REQUEST_LOST)
        await running.flatten()
        await running.settle()
        await running.pass_time(FENCE_MS + 5_000)
        assert not running.account.positions.running()
        assert world.venue.count("place") == 3
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_an_entry_that_fills_while_its_cancel_is_on_its_way_is_protected(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        entry = await running.submit("entry", **RESTING)
        await running.settle()
        world.venue.before_cancel = lambda: world.fall_to("98")
        await running.cancel(entry)
        await running.settle_without_stream()
        assert running.order(entry).status is OrderStatus.FILLED
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_a_cancel_whose_answer_is_lost_is_looked_up(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        entry = await running.submit("entry", **RESTING)
        await running.settle()
        world.venue.fates["cancel"].append(Fate.ANSWER_LOST)
        await running.cancel(entry)
        await running.settle_without_stream()
        assert running.order(entry).status is OrderStatus.CANCELLED
        assert world.venue.count("cancel") == 1
        await world.assert_whole(running.account)

    play(tmp_path, story)


@pytest.mark.parametrize("lost", [Fate.REQUEST_LOST, Fate.REFUSED])
def test_a_cancel_that_did_not_end_the_order_is_sent_again(tmp_path: Path, lost: Fate) -> None:
    async def story(world: World, running: Running) -> None:
        entry = await running.submit("entry", **RESTING)
        await running.settle()
        world.venue.fates["cancel"] += [lost, lost]
        await running.cancel(entry)
        await running.settle()
        assert world.venue.count("cancel") == 1
        await running.pass_time(2_000)
        assert running.order(entry).status is OrderStatus.CANCELLED
        assert world.venue.count("cancel") == 3
        await world.assert_whole(running.account)

    play(tmp_path, story)


@pytest.mark.parametrize("first", [Fate.ANSWERED, Fate.ANSWER_LOST])
def test_a_cancel_that_comes_before_the_answer_follows_it(tmp_path: Path, first: Fate) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place"].append(first)
        entry = await running.submit("entry", **RESTING)
        await running.cancel(entry)
        await running.settle_without_stream()
        await running.pass_time(300)
        assert running.order(entry).status is OrderStatus.CANCELLED
        assert [verb for verb, _ in world.venue.calls if "look" not in verb] == ["place", "cancel"]
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_the_filled_part_of_a_cancelled_entry_is_protected_however_late_it_is_told(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        entry = await running.submit("entry", **RESTING)
        await running.settle()
        world.venue.fates["cancel"].append(Fate.BLIND)
        world.venue.before_cancel = lambda: world.trade_at_bid("99", QUEUED + Decimal("0.4"))
        await running.cancel(entry)
        await running.settle_calls()
        assert running.order(entry).status is OrderStatus.CANCELLED
        assert running.order(entry).filled_quantity == 0
        await running.settle()
        assert running.order(entry).status is OrderStatus.CANCELLED
        assert the_position(running).quantity > Decimal("0.39")
        await world.assert_whole(running.account)

    play(tmp_path, story)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_reports_that_come_twice_and_in_any_order_change_nothing(tmp_path: Path, is_reversed: bool) -> None:
    async def story(world: World, running: Running) -> None:
        await running.submit("entry")
        await running.settle_calls()
        world.fall_to(BELOW_STOP)
        told = list(world.venue.stream) * 2
        world.venue.stream.clear()
        world.venue.stream.extend(reversed(told) if is_reversed else told)
        await running.settle()
        log = await world.events()
        assert (log["order_filled"], log["trade_closed"]) == (2, 1)
        await world.assert_whole(running.account)

    play(tmp_path, story)


@pytest.mark.parametrize("changes", [{}, RESTING])
def test_an_order_that_shows_up_after_it_was_proven_dead_is_adopted(tmp_path: Path, changes: dict[str, Any]) -> None:
    async def story(world: World, running: Running) -> None:
        world.venue.fates["place"].append(Fate.LATE)
        entry = await running.submit("entry", **changes)
        await running.settle()
        await running.pass_time(FENCE_MS + 2_000)
        assert running.order(entry).status is OrderStatus.REJECTED
        await world.venue.arrive()
        await running.settle()
        assert running.order(entry).status is (OrderStatus.CANCELLED if changes else OrderStatus.FILLED)
        await world.assert_whole(running.account)

    play(tmp_path, story)


def test_the_same_intent_under_another_command_is_denied_by_every_later_engine(tmp_path: Path) -> None:
    async def story(world: World, running: Running) -> None:
        entry = await running.submit("entry")
        await running.settle()
        await running.submit("entry", command_id="again")
        later = await world.start()
        await later.submit("entry", command_id="and again")
        await later.settle()
        assert (await world.events())["order_denied"] == 2
        assert [order_id for verb, order_id in world.venue.calls if verb == "place"] == [entry]

    play(tmp_path, story)
