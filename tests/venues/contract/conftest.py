"""Runs each case of the contract at every venue."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.venues.contract.worlds import WORLDS, World

Case = Callable[[World], Awaitable[None]]
Play = Callable[..., None]


@pytest.fixture(params=sorted(WORLDS))
def play(request: pytest.FixtureRequest) -> Play:
    """Play a case in a fresh world of one venue."""
    open_world = WORLDS[request.param]

    def run(case: Case, **options: object) -> None:
        async def scenario() -> None:
            async with asyncio.timeout(30), open_world(**options) as world:
                await case(world)

        asyncio.run(scenario())

    return run
