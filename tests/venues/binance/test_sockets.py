"""Connections that end, fall silent or grow old, and what the listener notices of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.venues.binance.recorded import EXECUTION
from tests.venues.binance.scripted import Host, opened_client, scripted_host
from tests.waiting import eventually
from tidegate.domain.errors import Forbidden
from tidegate.domain.orders import AccountEvent, FillReport, OrderReport, StreamLost, StreamReset, TapeMark
from tidegate.kit.clock import SystemClock
from tidegate.kit.connections import Connection, ConnectionState
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.sockets import RollingSocket, Turn, connect
from tidegate.venues.binance.venue import BinanceVenue

WS_API, STREAM = "GET /ws-api/v3", "GET /stream"
Speak = Callable[[web.WebSocketResponse], Awaitable[None]]


def socket(speak: Speak) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """One connection that speaks and then closes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await speak(response)
        await response.close()
        return response

    return answer


async def until_gone(response: web.WebSocketResponse) -> None:
    async for _ in response:
        pass


def subscribed(*events: object, then: Speak = until_gone) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """An account stream that accepts the subscription and tells these events."""

    async def speak(response: web.WebSocketResponse) -> None:
        asked = json.loads(await response.receive_str())
        await response.send_json({"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}})
        for event in events:
            await response.send_str(event.decode() if isinstance(event, bytes) else json.dumps({"event": event}))
        await then(response)

    return socket(speak)


@asynccontextmanager
async def heard_by(host: Host) -> AsyncIterator[tuple[RestClient, list[AccountEvent]]]:
    """What one account's stream tells."""
    heard: list[AccountEvent] = []
    async with opened_client(host) as client:

        async def listen() -> None:
            async for event in BinanceVenue(client, api_key="key", secret="secret").events():
                heard.append(event)

        task = asyncio.create_task(listen())
        try:
            yield client, heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def play(scenario: Callable[[Host], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), scripted_host() as host:
            await scenario(host)

    asyncio.run(run())


async def mark(response: web.WebSocketResponse) -> None:
    await response.send_str("said")
    await until_gone(response)


async def say_and_close(response: web.WebSocketResponse) -> None:
    await response.send_str("said")


def rolling(host: Host, session: aiohttp.ClientSession, **options: float) -> RollingSocket:
    settings: dict[str, float | None] = {"silence_s_max": None, "overlap_s": 0.05, "lifetime_s": 60.0}
    return RollingSocket(
        Connection("test"),
        lambda: connect(session, f"ws://127.0.0.1:{host.port}/stream"),
        clock=SystemClock(),
        **(settings | options),  # type: ignore[arg-type]
    )


async def frames_of(rolled: RollingSocket, count: int) -> list[bytes | str | Turn]:
    heard: list[bytes | str | Turn] = []
    async with aclosing(rolled.frames()) as frames:
        async for frame in frames:
            heard.append(frame)
            if len(heard) == count:
                break
    return heard


def test_a_lost_connection_is_opened_again_and_the_loss_is_told() -> None:
    async def scenario(host: Host) -> None:
        host.script(STREAM, socket(say_and_close))
        async with aiohttp.ClientSession() as session:
            assert await frames_of(rolling(host, session), 5) == [
                Turn.BEGUN,
                "said",
                Turn.LOST,
                Turn.BEGUN,
                "said",
            ]

    play(scenario)


def test_a_host_that_is_away_is_tried_until_it_answers() -> None:
    async def scenario(host: Host) -> None:
        async def away(request: web.Request) -> web.StreamResponse:
            return web.Response(status=502)

        host.script(STREAM, away, away, socket(say_and_close))
        async with aiohttp.ClientSession() as session:
            rolled = rolling(host, session)
            assert await frames_of(rolled, 2) == [Turn.BEGUN, "said"]
            assert rolled.connection.state is ConnectionState.OPEN
        assert host.count(STREAM) == 3

    play(scenario)


def test_a_connection_that_falls_silent_is_given_up() -> None:
    async def scenario(host: Host) -> None:
        host.script(STREAM, socket(mark))
        async with aiohttp.ClientSession() as session:
            assert await frames_of(rolling(host, session, silence_s_max=0.1), 3) == [Turn.BEGUN, "said", Turn.LOST]

    play(scenario)


def test_an_old_connection_is_replaced_before_it_ends_and_nothing_is_lost() -> None:
    async def scenario(host: Host) -> None:
        host.script(STREAM, socket(mark))
        async with aiohttp.ClientSession() as session:
            assert await frames_of(rolling(host, session, lifetime_s=0.1), 4) == [Turn.BEGUN, "said", "said", "said"]

    play(scenario)


def test_an_announced_end_renews_at_once() -> None:
    async def scenario(host: Host) -> None:
        host.script(STREAM, socket(mark))
        async with aiohttp.ClientSession() as session:
            rolled = rolling(host, session)
            heard: list[bytes | str | Turn] = []
            async with aclosing(rolled.frames()) as frames:
                async for frame in frames:
                    heard.append(frame)
                    if len(heard) == 2:
                        rolled.renew()
                    if len(heard) == 3:
                        break
            assert heard == [Turn.BEGUN, "said", "said"]

    play(scenario)


def test_the_account_stream_begins_with_a_reset_and_tells_fills_before_their_order() -> None:
    async def scenario(host: Host) -> None:
        host.script(WS_API, subscribed(EXECUTION, {"e": "tapeAdvanced", "E": 1, "n": 4}))
        async with heard_by(host) as (_, heard):
            await eventually(lambda: len(heard) == 4, what="the events")
            assert [type(event) for event in heard] == [StreamReset, FillReport, OrderReport, TapeMark]

    play(scenario)


def test_what_comes_before_the_answer_to_the_subscription_is_not_lost() -> None:
    async def speak(response: web.WebSocketResponse) -> None:
        asked = json.loads(await response.receive_str())
        await response.send_str(EXECUTION.decode())
        await response.send_json({"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}})
        await until_gone(response)

    async def scenario(host: Host) -> None:
        host.script(WS_API, socket(speak))
        async with heard_by(host) as (_, heard):
            await eventually(lambda: len(heard) == 3, what="the events")
            assert [type(event) for event in heard] == [StreamReset, FillReport, OrderReport]

    play(scenario)


@pytest.mark.parametrize("frame", [b"{", b'{"event":{"e":"unheardOf"}}', EXECUTION.replace(b'"28990.10"', b'"-1"')])
def test_what_cannot_be_read_is_counted_and_makes_the_venue_be_asked(frame: bytes) -> None:
    async def scenario(host: Host) -> None:
        host.script(WS_API, subscribed(frame, {"e": "tapeAdvanced", "E": 1, "n": 4}))
        async with heard_by(host) as (client, heard):
            await eventually(lambda: TapeMark(4) in heard, what="the mark")
            assert heard == [StreamReset(), StreamReset(), TapeMark(4)]
            assert client.unreadable == 1

    play(scenario)


def test_a_terminated_subscription_is_taken_again() -> None:
    async def scenario(host: Host) -> None:
        host.script(WS_API, subscribed({"e": "eventStreamTerminated", "E": 1}), subscribed(EXECUTION))
        async with heard_by(host) as (_, heard):
            await eventually(lambda: len(heard) == 5, what="the second subscription")
            assert [type(event) for event in heard] == [
                StreamReset,
                StreamLost,
                StreamReset,
                FillReport,
                OrderReport,
            ]

    play(scenario)


def test_a_clock_that_is_wrong_is_measured_before_the_next_subscription() -> None:
    async def speak(response: web.WebSocketResponse) -> None:
        asked = json.loads(await response.receive_str())
        await response.send_json({"id": asked["id"], "status": 400, "error": {"code": -1021, "msg": "late"}})

    async def scenario(host: Host) -> None:
        host.script(WS_API, socket(speak), subscribed())
        async with heard_by(host) as (_, heard):
            await eventually(lambda: heard == [StreamReset()], what="the subscription")
            assert host.count("GET /api/v3/time") >= 2

    play(scenario)


def test_a_key_that_is_not_accepted_ends_the_stream_instead_of_trying_for_ever() -> None:
    async def speak(response: web.WebSocketResponse) -> None:
        asked = json.loads(await response.receive_str())
        await response.send_json({"id": asked["id"], "status": 401, "error": {"code": -2015, "msg": "Invalid key"}})

    async def scenario(host: Host) -> None:
        host.script(WS_API, socket(speak))
        async with opened_client(host) as client:
            with pytest.raises(Forbidden) as problem:
                await anext(BinanceVenue(client, api_key="key", secret="secret").events())
            assert problem.value.code == "venue.not_authorised"
        assert host.count(WS_API) == 1

    play(scenario)
