"""SIGKILL anywhere, under load: the next engine's books are the exchange's, and no order is lost or doubled."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.simulation.kill.load import Load
from tests.simulation.kill.oracle import assert_same_books
from tests.simulation.kill.plant import Plant, prepare
from tidegate.kit.crash import CrashKind, CrashPoint
from tidegate.kit.ids import seeded_random

KINDS = (CrashKind.ENTRY, CrashKind.STOP, CrashKind.CANCEL)
FILL_POINTS = (CrashPoint.FILL_BEFORE_COMMIT, CrashPoint.FILL_AFTER_COMMIT)
IMPOSSIBLE = {(point, CrashKind.CANCEL) for point in FILL_POINTS}  # a cancel fills nothing
MATRIX = [(point, kind) for point in CrashPoint for kind in KINDS if (point, kind) not in IMPOSSIBLE]
# One of each kind, at points of each side of the venue call; `make check` runs them all.
QUICK = {
    (CrashPoint.AFTER_COMMIT, CrashKind.ENTRY),
    (CrashPoint.BEFORE_SEND, CrashKind.STOP),
    (CrashPoint.ANSWER_BEFORE_COMMIT, CrashKind.CANCEL),
    (CrashPoint.FILL_BEFORE_COMMIT, CrashKind.STOP),
}
NOTHING_SENT = (CrashPoint.AFTER_COMMIT, CrashPoint.BEFORE_SEND)
NTH = 3  # so that the books are not empty any more
LIVES_S = 1.0  # of the engine that follows, before all is compared
RANDOM_KILLS = 20
ORDERS_A_SECOND_MIN = 5
UNKNOWN = "execution.order_outcome_unknown.v1"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("template"))


@pytest.fixture
def plant(tmp_path: Path, template: Path, redis_url: str) -> Iterator[Plant]:
    plant = Plant(tmp_path, redis_url)
    asyncio.run(plant.set_up(template))
    yield plant
    plant.tear_down()


@asynccontextmanager
async def under_load(plant: Plant, seed: int) -> AsyncIterator[Load]:
    """Orders go on, whether anybody listens or not; at the end entries are locked, so that all comes to rest."""
    load = Load(plant, seed)
    running = asyncio.create_task(load.run())
    try:
        yield load
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.wait([running])
        await load.lock()
        await load.close()


def cases() -> list[object]:
    return [
        pytest.param(point, kind, id=f"{point}/{kind}", marks=() if (point, kind) in QUICK else pytest.mark.slow)
        for point, kind in MATRIX
    ]


def test_there_are_at_least_eight_points_for_each_thing_in_flight() -> None:
    assert len(CrashPoint) >= 8
    assert {kind for _, kind in MATRIX} == set(KINDS)


@pytest.mark.parametrize(("point", "kind"), cases())
def test_after_a_crash_at_a_named_point_the_books_are_the_exchanges(
    plant: Plant, point: CrashPoint, kind: CrashKind
) -> None:
    async def story() -> None:
        async with under_load(plant, seed=MATRIX.index((point, kind))):
            await plant.start_engine(crash_at=f"{point}/{kind}:{NTH}", waits=False)
            await plant.engine_dies()
            await plant.start_engine()
            await asyncio.sleep(LIVES_S)
        log = await assert_same_books(plant)
        assert plant.is_engine_alive
        assert log["execution.order_filled.v1"] > 0
        if point in NOTHING_SENT and kind is not CrashKind.CANCEL:
            assert log[UNKNOWN] > 0

    asyncio.run(story())


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_after_many_kills_at_random_moments_the_books_are_the_exchanges(plant: Plant) -> None:
    async def story() -> None:
        chance = seeded_random(20)
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with under_load(plant, seed=20) as load:
            for number in range(RANDOM_KILLS):
                # Half of them while it starts and reconciles, the others while it trades.
                await plant.start_engine(waits=number % 2 == 0)
                await asyncio.sleep(chance.uniform(0.3, 2.5))
                assert plant.is_engine_alive, plant.complaints()
                await plant.kill_engine()
            await plant.start_engine()
            await asyncio.sleep(LIVES_S)
            assert load.orders / (loop.time() - began) >= ORDERS_A_SECOND_MIN
        await assert_same_books(plant)

    asyncio.run(story())


def test_an_exchange_that_is_killed_and_starts_again_loses_nothing_that_it_acknowledged(plant: Plant) -> None:
    async def story() -> None:
        await plant.start_engine()
        async with under_load(plant, seed=30):
            for lived_s, dead_s in ((2.0, 0.0), (1.0, 1.0)):
                await asyncio.sleep(lived_s)
                await plant.kill_exchange()
                await asyncio.sleep(dead_s)
                await plant.start_exchange()
            await asyncio.sleep(LIVES_S)
        await assert_same_books(plant)
        assert plant.is_engine_alive

    asyncio.run(story())
