"""Screens: who hears what, in which order, and what a slow or a returning one gets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.database.api.product import Product
from tests.database.api.test_access import a_stranger
from tidegate.app.hub import Frame
from tidegate.app.main import Server
from tidegate.app.websocket import BYTES_BEHIND_MAX, Connection

pytestmark = pytest.mark.anyio
TICKER = "ticker.simulator.BTC-USDT"
TRADES = "trades.simulator.BTC-USDT"
CANDLES = "candles.simulator.BTC-USDT.1m"


@asynccontextmanager
async def listening(product: Product) -> AsyncIterator[str]:
    """The product behind a real socket: its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = asyncio.Event()
        server = Server(product.api.app, started.set)
        task = asyncio.create_task(server.serve([listener]))
        await started.wait()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await product.api.sockets.close()
            server.should_exit = True
            await task


@asynccontextmanager
async def a_screen(product: Product, *, token: str | None = None) -> AsyncIterator[ClientConnection]:
    """A connection with the owner's cookie, or one that still has to say who it is."""
    async with listening(product) as host:
        headers = {} if token is not None else cookie_of(product)
        async with connect(
            f"ws://{host}/api/v1/ws", origin=Origin(f"http://{host}"), additional_headers=headers
        ) as screen:
            if token:
                await say(screen, op="auth", id=0, token=token)
                assert (await hear(screen))["op"] == "ack"
            yield screen


def connection_to(host: str, headers: dict[str, str], *, origin: str | None = None) -> connect:
    page = Origin(origin or f"http://{host}")
    return connect(f"ws://{host}/api/v1/ws", origin=page, additional_headers=headers)


def cookie_of(product: Product) -> dict[str, str]:
    return {"cookie": f"tidegate_session={product.client.cookies['tidegate_session']}"}


async def say(screen: ClientConnection, **message: Any) -> None:
    await screen.send(json.dumps(message))


async def hear(screen: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(5):
        message: dict[str, Any] = json.loads(await screen.recv())
    return message


async def hear_until(screen: ClientConnection, **wanted: Any) -> dict[str, Any]:
    """The first message with these values; others are passed over."""
    while True:
        message = await hear(screen)
        if all(message.get(name) == value for name, value in wanted.items()):
            return message


async def subscribe(screen: ClientConnection, *channels: str) -> None:
    await say(screen, op="subscribe", id=1, channels=list(channels))
    types: dict[str, list[str]] = {}
    while (message := await hear(screen)).get("op") != "ack":
        types.setdefault(message["ch"], []).append(message["type"])
    assert message["channels"] == list(channels)
    assert {channel: each[0] for channel, each in types.items()} == dict.fromkeys(channels, "snapshot")


async def test_a_fill_reaches_its_owners_screen_in_the_order_of_the_log(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    await product.quote("100")
    async with a_screen(product) as screen:
        await subscribe(screen, "orders", "fills", "positions")
        await product.place()
        await product.open_at("100")
        fill = await hear_until(screen, ch="fills")
        assert (fill["type"], fill["account_id"]) == ("delta", product.account.account_id)
        assert (fill["data"]["quantity"], fill["data"]["price"]) == ("0.1", "100")
        assert fill["ts"].endswith("Z")
        position = await hear_until(screen, ch="positions")
        assert position["seq"] > fill["seq"]


async def test_a_returning_screen_resumes_from_the_last_event_it_has_seen(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    await product.quote("100")
    await product.place("k1", type="limit", limit_price="90")
    async with a_screen(product) as screen:
        await subscribe(screen, "orders")
        await say(screen, op="resume", id=2, last_seq={product.account.account_id: 0})
        heard = []
        while (message := await hear(screen)).get("op") != "ack":
            heard.append(message)
        assert [message["data"]["name"] for message in heard][:1] == ["execution.order_submitted.v1"]
        assert [message["seq"] for message in heard] == sorted(message["seq"] for message in heard)


async def test_tickers_trades_and_candles_follow_their_snapshot(lone: Product) -> None:
    await lone.log_in()
    await lone.quote("100")
    await lone.trades("100")
    await lone.until_live()
    async with a_screen(lone) as screen:
        await subscribe(screen, TICKER, TRADES, CANDLES)
        await lone.quote("101")
        ticker = await hear_until(screen, ch=TICKER)
        while ticker["data"]["bid_price"] != "100.5":
            ticker = await hear_until(screen, ch=TICKER)
        await lone.trades("102", "103")
        trades = await hear_until(screen, ch=TRADES)
        while len(trades["data"]) != 2:
            trades = await hear_until(screen, ch=TRADES)
        assert [each["price"] for each in trades["data"]] == ["103", "102"]
        await lone.candle(7, "104")
        candle = await hear_until(screen, ch=CANDLES)
        assert (candle["type"], candle["seq"], candle["data"]["candle"]["close"]) == ("delta", 1, "104")
        assert candle["data"]["candle"]["opened_at"] == "1970-01-01T00:07:00.000Z"


async def test_a_channel_that_cannot_be_is_refused_by_name_and_the_others_are_not(lone: Product) -> None:
    await lone.log_in()
    async with a_screen(lone) as screen:
        for channel, code in (
            ("secrets", "ws.channel_unknown"),
            ("ticker.kraken.BTC-USDT", "ws.channel_unknown"),
            ("ticker.simulator.BTCUSDT", "market.symbol_invalid"),
            ("candles.simulator.BTC-USDT.7x", "market.timeframe_invalid"),
        ):
            await say(screen, op="subscribe", id=5, channels=[channel, "bots"])
            error = await hear_until(screen, op="error")
            assert (error["id"], error["channel"], error["code"]) == (5, channel, code)
            assert (await hear_until(screen, op="ack"))["channels"] == ["bots"]


async def test_another_tenants_screen_hears_nothing_of_ours(lone: Product) -> None:
    await lone.start_engine()
    await lone.log_in()
    await lone.quote("100")
    secret = (await a_stranger(lone))["authorization"].removeprefix("Bearer ")
    async with a_screen(lone, token=secret) as screen:
        await subscribe(screen, "orders", "fills", "bots", "positions", "risk")
        await say(screen, op="resume", id=3, last_seq={lone.account.account_id: 0})
        assert (await hear(screen))["op"] == "ack"
        await lone.place()
        await lone.open_at("100")
        await asyncio.sleep(0)
        await say(screen, op="ping", id=4)
        assert await hear(screen) == {"op": "pong", "id": 4}


async def test_who_has_not_logged_in_may_only_say_who_it_is(lone: Product) -> None:
    async with a_screen(lone, token="") as screen:
        await say(screen, op="subscribe", id=1, channels=["orders"])
        assert (await hear(screen))["code"] == "http.unauthenticated"
        await say(screen, op="auth", id=2, token="guessed")
        with pytest.raises(ConnectionClosed) as closed:
            await hear(screen)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_a_page_of_another_site_cannot_listen_with_our_cookie(lone: Product) -> None:
    await lone.log_in()
    async with listening(lone) as host:
        with pytest.raises(InvalidStatus, match="403"):
            await connect(
                f"ws://{host}/api/v1/ws", origin=Origin("http://evil.example"), additional_headers=cookie_of(lone)
            )


async def test_a_message_that_cannot_be_read_is_answered_with_why(lone: Product) -> None:
    await lone.log_in()
    async with a_screen(lone) as screen:
        for text in ("{", '{"op":"fly"}', '{"op":"ping","wings":2}', "[]"):
            await screen.send(text)
            error = await hear(screen)
            assert (error["op"], error["code"]) == ("error", "ws.message_invalid")


async def test_a_binary_frame_is_refused_with_its_reason(lone: Product) -> None:
    await lone.log_in()
    async with a_screen(lone) as screen:
        await screen.send(b"\x00")
        with pytest.raises(ConnectionClosed) as closed:
            await hear(screen)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003


async def test_a_flood_of_messages_ends_the_connection(lone: Product) -> None:
    await lone.log_in()
    async with a_screen(lone) as screen:
        with pytest.raises(ConnectionClosed) as closed:
            for number in range(100):
                await say(screen, op="ping", id=number)
            while True:
                await hear(screen)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4029


async def test_a_server_that_ends_says_so_first(lone: Product) -> None:
    await lone.log_in()
    async with a_screen(lone) as screen:
        await say(screen, op="ping", id=1)
        await hear(screen)
        await lone.api.sockets.close()
        assert await hear(screen) == {"op": "server_shutdown"}
        with pytest.raises(ConnectionClosed):
            await hear(screen)


def a_frame(seq: int, *, is_conflated: bool) -> Frame:
    return Frame("c", seq, "now", [seq], whole=["all", seq] if is_conflated else None)


async def test_a_slow_reader_gets_the_newest_market_data_as_a_snapshot_and_every_private_event() -> None:
    connection = Connection()
    for seq in (1, 2, 3):
        connection.offer(a_frame(seq, is_conflated=True))
        connection.offer(Frame("orders", seq, "now", [seq], "a1"))
    heard = [json.loads(await connection.next()) for _ in range(4)]
    assert [message["seq"] for message in heard if message["ch"] == "orders"] == [1, 2, 3]
    assert [(message["type"], message["seq"], message["data"]) for message in heard if message["ch"] == "c"] == [
        ("snapshot", 3, ["all", 3])
    ]


async def test_a_reader_more_than_a_megabyte_behind_is_let_go() -> None:
    connection = Connection()
    connection.say(b"x" * BYTES_BEHIND_MAX)
    assert connection._end.done() is False
    connection.say(b"x")
    assert (await connection.ended()).code == 4008


async def test_what_was_told_already_is_not_told_again_after_a_resume() -> None:
    connection = Connection()
    connection.hold(["orders"])
    for seq in (4, 5, 6):
        connection.offer(Frame("orders", seq, "now", [], "a1"))
    connection.let_go(["orders"], {"a1": 5})
    assert json.loads(await connection.next())["seq"] == 6
