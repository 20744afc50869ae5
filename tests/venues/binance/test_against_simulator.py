"""What only Binance's own wire has, against the simulator that speaks it: the live book and the marks of lockstep."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from functools import partial

import aiohttp

from tests.waiting import eventually
from tidegate.domain.messages import TapeAdvanced
from tidegate.domain.orders import AccountEvent, StreamReset, TapeMark
from tidegate.kit.connections import ConnectionState
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.hosts import simulator_hosts
from tidegate.venues.binance.market import BinanceMarket
from tidegate.venues.binance.venue import BinanceVenue
from tidegate.venues.simulator.options import SimulatorOptions
from tidegate.venues.simulator.server import Ready, Simulator
from tidegate.venues.simulator.sign import Credential

BTC = "BTC/USDT"


@asynccontextmanager
async def simulated(speed: float | None) -> AsyncIterator[tuple[Ready, RestClient]]:
    simulator = Simulator(
        SimulatorOptions(
            credentials=(Credential("key", "secret"),), balances={"USDT": Decimal(1_000)}, symbols=(BTC,), speed=speed
        )
    )
    ready = await simulator.start()
    client = RestClient(simulator_hosts(ready.rest, ready.stream, ready.ws_api))
    try:
        await client.open()
        yield ready, client
    finally:
        await client.close()
        await simulator.stop()


async def control(ready: Ready, name: str, **body: object) -> None:
    headers = {"X-Control-Token": ready.control_token}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{ready.control}/{name}", json=body, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()


def _both_told(position: int, marks: list[int], told: list[AccountEvent]) -> bool:
    return position in marks and TapeMark(position) in told


def test_a_live_book_survives_lost_changes_and_a_lost_connection_and_equals_the_snapshot() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(20), simulated(speed=5) as (ready, client):
            market = BinanceMarket(client)
            seen = 0
            async with aclosing(market.books(BTC, 10)) as books:  # type: ignore[type-var]
                async for book in books:
                    seen += 1
                    assert book.bids[0][0] < book.asks[0][0]
                    assert len(book.bids) == len(book.asks) == 10
                    if seen == 5:
                        await control(ready, "drop_frames", stream="btcusdt@depth@100ms", count=2)
                    if seen == 15:
                        await control(ready, "drop")
                    if seen > 25:
                        whole = await market.book(BTC, 10)
                        if whole.update_id == book.update_id:
                            assert (book.bids, book.asks) == (whole.bids, whole.asks)
                            break

    asyncio.run(scenario())


def test_in_lockstep_market_and_account_stream_tell_the_same_marks_and_wait() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(20), simulated(speed=None) as (ready, client):
            marks: list[int] = []
            told: list[AccountEvent] = []

            async def hear_market() -> None:
                async for message in BinanceMarket(client, is_lockstep=True).stream([BTC], ["1s"]):
                    if isinstance(message, TapeAdvanced):
                        marks.append(message.position)

            async def hear_account() -> None:
                async for event in BinanceVenue(client, api_key="key", secret="secret").events():
                    told.append(event)

            tasks = [asyncio.create_task(hear_market()), asyncio.create_task(hear_account())]
            await eventually(
                lambda: (
                    {c.state for c in client.connections.all()} == {ConnectionState.OPEN}
                    and len(client.connections.all()) == 3
                ),
                what="everybody is ready",
            )
            for position in range(3):
                await control(ready, "acknowledge", position=position)
                both = partial(_both_told, position + 1, marks, told)
                await eventually(both, what=f"mark {position + 1} on both streams")
            assert marks == [1, 2, 3]
            assert told == [StreamReset(), TapeMark(1), TapeMark(2), TapeMark(3)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())
