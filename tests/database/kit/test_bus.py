"""One suite for both buses, and what a lost Redis does."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import cast
from urllib.parse import urlsplit

import pytest

from tests.waiting import eventually
from tidegate.domain.errors import Unavailable
from tidegate.kit.bus import Bus, MemoryBus, RedisBus
from tidegate.kit.connections import Connection, ConnectionState, NetworkInsideTransaction, inside_transaction

Story = Callable[[Bus], Awaitable[None]]
Tell = Callable[[Story], None]


@pytest.fixture(params=["memory", "redis"])
def tell(request: pytest.FixtureRequest) -> Tell:
    url = "" if request.param == "memory" else cast(str, request.getfixturevalue("redis_url"))

    async def run(story: Story) -> None:
        bus: Bus = RedisBus(url) if url else MemoryBus()
        try:
            await story(bus)
        finally:
            await bus.close()

    return lambda story: asyncio.run(run(story))


async def read_all(bus: Bus, stream: str, after: str = "0") -> list[bytes]:
    return [entry.payload for entry in await bus.read({stream: after}, block_ms=0)]


def test_a_reader_gets_what_follows_its_cursor_in_order(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        await bus.publish("market:BTCUSDT:1m", [b"1", b"2"])
        await bus.publish("market:BTCUSDT:1m", [b"3"])
        first, second, third = await bus.read({"market:BTCUSDT:1m": "0"}, block_ms=0)
        assert (first.payload, second.payload, third.payload) == (b"1", b"2", b"3")
        assert third.stream == "market:BTCUSDT:1m"
        assert await read_all(bus, "market:BTCUSDT:1m", first.id) == [b"2", b"3"]
        assert await read_all(bus, "market:BTCUSDT:1m", third.id) == []

    tell(story)


def test_one_read_follows_many_streams_each_with_its_own_cursor(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        await bus.publish("a", [b"a1"])
        (a1,) = await bus.read({"a": "0"}, block_ms=0)
        await bus.publish("b", [b"b1"])
        await bus.publish("a", [b"a2"])
        found = await bus.read({"a": a1.id, "b": "0", "never": "0"}, block_ms=0)
        assert {(entry.stream, entry.payload) for entry in found} == {("a", b"a2"), ("b", b"b1")}

    tell(story)


def test_a_reader_without_news_waits_as_long_as_it_said_and_gets_nothing(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        assert await bus.read({"a": "0"}, block_ms=20) == []
        assert await bus.read({}, block_ms=20) == []

    tell(story)


def test_a_waiting_reader_is_woken_by_news(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        async with asyncio.timeout(5):
            reading = asyncio.create_task(bus.read({"a": "0", "b": "0"}, block_ms=900))
            await asyncio.sleep(0)
            await bus.publish("b", [b"news"])
            assert [entry.payload for entry in await reading] == [b"news"]

    tell(story)


def test_two_readers_each_get_everything(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        await bus.publish("a", [b"1"])
        assert await read_all(bus, "a") == await read_all(bus, "a") == [b"1"]

    tell(story)


def test_the_last_ids_are_the_cursors_of_a_reader_who_wants_only_what_comes(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        await bus.publish("a", [b"old"])
        cursors = await bus.last_ids(["a", "never"])
        assert cursors["never"] == "0"
        await bus.publish("a", [b"new"])
        await bus.publish("never", [b"first"])
        assert [entry.payload for entry in await bus.read(cursors, block_ms=0)] == [b"new", b"first"]

    tell(story)


def test_the_oldest_entries_are_trimmed_and_the_newest_stay(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        for start in range(0, 1_000, 100):
            await bus.publish("a", [str(number).encode() for number in range(start, start + 100)], maxlen=50)
        left = await read_all(bus, "a")
        assert left[-1] == b"999"
        assert 50 <= len(left) < 300

    tell(story)


def test_a_reader_far_behind_reads_page_after_page_without_a_gap(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        await bus.publish("a", [str(number).encode() for number in range(2_500)])
        cursor, seen = "0", []
        while found := await bus.read({"a": cursor}, block_ms=0):
            assert len(found) <= 1_000
            cursor = found[-1].id
            seen += [int(entry.payload) for entry in found]
        assert seen == list(range(2_500))

    tell(story)


def test_a_notice_reaches_those_who_listen_and_nobody_else(tell: Tell) -> None:
    async def story(bus: Bus) -> None:
        heard: list[bytes] = []

        async def listen() -> None:
            async with aclosing(bus.listen("decisions")) as notices:  # type: ignore[type-var]
                async for notice in notices:
                    heard.append(notice)

        listening = asyncio.create_task(listen())
        async with asyncio.timeout(5):
            while not heard:  # whether the listener is there yet, only a notice can tell
                await bus.notify("decisions", b"yes")
                await asyncio.sleep(0.005)
            await bus.notify("events", b"no")
            await bus.notify("decisions", b"last")
            await eventually(lambda: heard[-1] == b"last", what="the last notice is heard")
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        assert set(heard) == {b"yes", b"last"}
        await bus.notify("decisions", b"to nobody")

    tell(story)


class Wire:
    """A TCP wire to Redis that can be cut, mended, and made to lose answers."""

    def __init__(self, redis_url: str) -> None:
        parts = urlsplit(redis_url)
        self._host, self._target_port = parts.hostname, parts.port
        self._path = parts.path
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._port = 0
        self.loses_answers = False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}{self._path}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_connection(self._host, self._target_port)
        self._writers += [writer, redis_writer]
        await asyncio.gather(self._pump(reader, redis_writer), self._pump(redis_reader, writer, is_answer=True))

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(65_536):
                if is_answer and self.loses_answers:
                    break
                target.write(chunk)
                await target.drain()
        target.close()


def test_while_redis_is_lost_publishing_fails_and_reading_waits_until_it_is_back(redis_url: str) -> None:
    async def story() -> None:
        wire = Wire(redis_url)
        await wire.mend()
        connection = Connection("redis", chance=lambda: 0.0)
        bus = RedisBus(wire.url, connection)

        def shown() -> ConnectionState:
            return connection.state

        await bus.publish("a", [b"before"])
        (before,) = await bus.read({"a": "0"}, block_ms=0)

        await wire.cut()
        with pytest.raises(Unavailable) as refusal:
            await bus.publish("a", [b"lost"])
        assert refusal.value.code == "bus.unavailable"
        with pytest.raises(Unavailable):
            await bus.notify("a", b"lost")
        with pytest.raises(Unavailable):
            await bus.last_ids(["a"])
        assert await bus.read({"a": before.id}, block_ms=10) == []
        assert shown() == ConnectionState.BROKEN

        await wire.mend()
        await bus.publish("a", [b"after"])
        assert [entry.payload for entry in await bus.read({"a": before.id}, block_ms=10)] == [b"after"]
        assert shown() == ConnectionState.OPEN
        await bus.close()
        await wire.cut()

    asyncio.run(story())


def test_a_command_whose_answer_was_lost_is_not_sent_again(redis_url: str) -> None:
    async def story() -> None:
        wire = Wire(redis_url)
        await wire.mend()
        bus = RedisBus(wire.url)
        await bus.publish("a", [b"1"])
        wire.loses_answers = True
        with pytest.raises(Unavailable):
            await bus.publish("a", [b"2"])
        wire.loses_answers = False
        assert await read_all(bus, "a") == [b"1", b"2"]
        await bus.close()
        await wire.cut()

    asyncio.run(story())


def test_a_listener_hears_again_after_redis_was_lost(redis_url: str) -> None:
    async def story() -> None:
        wire = Wire(redis_url)
        await wire.mend()
        bus = RedisBus(wire.url, Connection("redis", chance=lambda: 0.0))
        notices = bus.listen("decisions")

        async def next_notice(payload: bytes) -> bytes:
            hearing = asyncio.ensure_future(anext(notices))
            direct = RedisBus(redis_url)
            while not hearing.done():
                await direct.notify("decisions", payload)
                await asyncio.sleep(0.005)
            await direct.close()
            return await hearing

        async with asyncio.timeout(10):
            assert await next_notice(b"before") == b"before"
            await wire.cut()
            await wire.mend()
            while await next_notice(b"after") != b"after":
                pass  # notices that were on their way before the cut
        await notices.aclose()  # type: ignore[attr-defined]
        await bus.close()
        await wire.cut()

    asyncio.run(story())


def test_no_command_leaves_inside_a_transaction() -> None:
    async def story() -> None:
        bus = RedisBus("redis://127.0.0.1:1/0")
        inside_transaction.set(True)
        with pytest.raises(NetworkInsideTransaction):
            await bus.publish("a", [b"1"])
        with pytest.raises(NetworkInsideTransaction):
            await bus.read({"a": "0"}, block_ms=0)
        await bus.close()

    asyncio.run(story())
