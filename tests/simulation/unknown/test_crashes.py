"""What one engine promised, the next one keeps: restarts, failed commits, lost leases."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders import ACCOUNT
from tests.simulation.unknown.scripted import Fate
from tests.simulation.unknown.world import BTC, FENCE_MS, PowerCut, Running, World, play
from tidegate.app.answers import NOT_EXECUTED
from tidegate.app.courier import ConcurrentCourier
from tidegate.domain.errors import Unavailable
from tidegate.domain.messages import OrderRejected, decode
from tidegate.domain.orders import OrderStatus, OrderType
from tidegate.kit.db import CommitUnknown, FencedOut, events, inbox

BELOW_STOP = "89"
STEPS_MAX = 200


async def the_story(world: World, running: Running, told: int) -> int:
    """An entry with its bracket, another that adds to it, a cancelled one, a stop; `told` chapters are history."""

    async def enters() -> None:
        await running.submit("entry")

    async def adds() -> None:
        await running.submit("more", stop_loss_price=Decimal(91))

    async def rests() -> None:
        await running.submit("resting", type=OrderType.LIMIT, limit_price=Decimal(95), quantity=Decimal(2))

    async def withdraws() -> None:
        await running.cancel(running.id_of("resting"))

    async def is_stopped() -> None:
        if world.bid > Decimal(BELOW_STOP):
            world.fall_to(BELOW_STOP)

    async def flattens() -> None:
        await running.flatten()

    for chapter in (enters, adds, rests, withdraws, is_stopped, flattens)[told:]:
        await chapter()
        await running.settle()
        told += 1
    return told
