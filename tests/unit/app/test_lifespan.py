"""Services start in order, stop in reverse, and fail loudly or quietly as they are declared."""

import asyncio

import pytest

from tidegate.app.lifespan import Service, Services
from tidegate.domain.errors import Unavailable


async def fails() -> None:
    raise Unavailable("the cellar is flooded.")


async def forever() -> None:
    await asyncio.Event().wait()


def noting(name: str, record: list[str]) -> Service:
    async def start() -> None:
        record.append(f"start {name}")

    async def stop() -> None:
        record.append(f"stop {name}")

    return Service(name=name, start=start, run=forever, stop=stop)


def test_what_started_last_stops_first() -> None:
    record: list[str] = []
    services = Services([noting("a", record), noting("b", record)])

    async def live() -> None:
        async with services.running():
            record.append("serve")

    asyncio.run(live())
    assert record == ["start a", "start b", "serve", "stop b", "stop a"]
    assert (services.started, services.stopped) == (["a", "b"], ["b", "a"])


def test_an_essential_service_that_cannot_start_stops_what_runs_already() -> None:
    record: list[str] = []
    services = Services([noting("a", record), Service(name="b", start=fails), noting("c", record)])

    async def live() -> None:
        async with services.running():
            pytest.fail("it must not serve")

    with pytest.raises(Unavailable, match="flooded"):
        asyncio.run(live())
    assert record == ["start a", "stop a"]


def test_a_service_that_is_not_essential_may_be_missing() -> None:
    record: list[str] = []
    services = Services([Service(name="b", start=fails, is_essential=False), noting("c", record)])

    async def live() -> None:
        async with services.running():
            assert services.missing == {"b": "the cellar is flooded."}

    asyncio.run(live())
    assert record == ["start c", "stop c"]


def test_an_essential_service_that_ends_by_itself_is_told_to_the_role() -> None:
    async def live() -> None:
        failed = asyncio.Event()
        async with Services([Service(name="b", run=fails)], failed.set).running(), asyncio.timeout(5):
            await failed.wait()

    asyncio.run(live())
