"""Streams that everybody reads with a cursor of their own, and notices that may be lost; in memory or on Redis.

The bus is transport, never truth: whoever misses something reads it again from the database or the venue.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tidegate.domain.errors import Unavailable
from tidegate.kit.connections import BackOff, Connection, guard

FROM_START = "0"
_FIELD = b"p"
_READ_MAX = 1_000  # entries of each stream that one read returns
_NOTICES_MAX = 10_000  # a listener that is further behind loses the oldest
BACK_OFF = BackOff(first_s=0.05, pause_s_max=1.0)
_BLOCK_MS_MAX = 1_000  # well below the timeout of the socket, so that a dead peer is noticed
_XreadReply = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One payload of one stream; `id` is the cursor of a reader who has handled it."""

    stream: str
    id: str
    payload: bytes


class Bus(Protocol):
    """Order is kept within a stream and by nothing else."""

    async def publish(self, stream: str, payloads: Sequence[bytes], maxlen: int = 10_000) -> None:
        """Append in order and forget the oldest beyond about `maxlen`; `Unavailable` when some may be missing."""
        ...

    async def read(self, cursors: Mapping[str, str], block_ms: int) -> list[Entry]:
        """Entries after each stream's cursor ("0": from the start), waiting up to `block_ms` for the first.

        Returns nothing, after a pause, while the bus cannot be reached: cursors stay valid, so call again.
        """
        ...

    async def last_ids(self, streams: Sequence[str]) -> dict[str, str]:
        """The cursor of a reader who wants only what comes from now on."""
        ...

    async def notify(self, channel: str, payload: bytes) -> None:
        """Tell those who listen at this moment; only where loss is harmless."""
        ...

    def listen(self, channel: str) -> AsyncIterator[bytes]:
        """Notices from the first turn of the iterator on; those sent during a reconnect are lost."""
        ...

    async def close(self) -> None:
        """Nothing may be called afterwards."""
        ...


class MemoryBus:
    """All roles in one loop; payloads are handed over without a copy."""

    def __init__(self) -> None:
        self._streams: dict[str, deque[tuple[int, bytes]]] = defaultdict(deque)
        self._last: dict[str, int] = defaultdict(int)
        self._news = asyncio.Event()
        self._listeners: dict[str, list[deque[bytes]]] = defaultdict(list)

    async def publish(self, stream: str, payloads: Sequence[bytes], maxlen: int = 10_000) -> None:
        entries = self._streams[stream]
        for payload in payloads:
            self._last[stream] += 1
            entries.append((self._last[stream], payload))
        while len(entries) > maxlen:
            entries.popleft()
        self._wake()

    async def read(self, cursors: Mapping[str, str], block_ms: int) -> list[Entry]:
        found = self._after(cursors)
        if found or not block_ms:
            return found
        try:
            async with asyncio.timeout(block_ms / 1_000):
                while not found:
                    await self._news.wait()
                    found = self._after(cursors)
        except TimeoutError:
            return []
        return found

    async def last_ids(self, streams: Sequence[str]) -> dict[str, str]:
        return {stream: str(self._last.get(stream, 0)) for stream in streams}

    async def notify(self, channel: str, payload: bytes) -> None:
        for notices in self._listeners[channel]:
            notices.append(payload)
        self._wake()

    async def listen(self, channel: str) -> AsyncIterator[bytes]:
        notices: deque[bytes] = deque(maxlen=_NOTICES_MAX)
        self._listeners[channel].append(notices)
        try:
            while True:
                while notices:
                    yield notices.popleft()
                await self._news.wait()
        finally:
            self._listeners[channel].remove(notices)

    async def close(self) -> None:
        self._streams.clear()

    def _after(self, cursors: Mapping[str, str]) -> list[Entry]:
        found: list[Entry] = []
        for stream, cursor in cursors.items():
            entries = self._streams.get(stream)
            if not entries or entries[-1][0] <= int(cursor):
                continue
            new = list(_newer_than(int(cursor), entries))
            found += [Entry(stream, str(id_), payload) for id_, payload in reversed(new[-_READ_MAX:])]
        return found

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _newer_than(cursor: int, entries: deque[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    return takewhile(lambda entry: entry[0] > cursor, reversed(entries))


class RedisBus:
    """Redis or Valkey, by `redis://` or `unix://`; a command whose answer is lost is never sent twice."""

    def __init__(self, url: str, connection: Connection | None = None) -> None:
        self._redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0))
        self._connection = connection or Connection("redis", back_off=BACK_OFF)

    async def publish(self, stream: str, payloads: Sequence[bytes], maxlen: int = 10_000) -> None:
        with self._telling("publish"):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for payload in payloads:
                    pipeline.xadd(stream, {_FIELD: payload}, maxlen=maxlen, approximate=True)
                await pipeline.execute()
        _let_end()

    async def read(self, cursors: Mapping[str, str], block_ms: int) -> list[Entry]:
        guard()
        if not cursors:
            await asyncio.sleep(block_ms / 1_000)
            return []
        try:
            block = min(block_ms, _BLOCK_MS_MAX) or None
            reply = await self._redis.xread(dict(cursors.items()), count=_READ_MAX, block=block)
        except (RedisError, OSError) as error:
            await asyncio.sleep(self._connection.failed(str(error)))
            return []
        self._connection.opened()
        _let_end()
        return [
            Entry(stream.decode(), id_.decode(), fields[_FIELD])
            for stream, entries in cast(_XreadReply, reply)
            for id_, fields in entries
        ]

    async def last_ids(self, streams: Sequence[str]) -> dict[str, str]:
        with self._telling("read"):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for stream in streams:
                    pipeline.xrevrange(stream, count=1)
                newest = await pipeline.execute()
        return {
            stream: entries[0][0].decode() if entries else FROM_START
            for stream, entries in zip(streams, newest, strict=True)
        }

    async def notify(self, channel: str, payload: bytes) -> None:
        with self._telling("notify"):
            await self._redis.publish(channel, payload)
        _let_end()

    async def listen(self, channel: str) -> AsyncIterator[bytes]:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as notices:
                    await notices.subscribe(channel)
                    self._connection.opened()
                    while True:
                        notice = await notices.get_message(timeout=_BLOCK_MS_MAX / 1_000)
                        if notice is not None:
                            yield notice["data"]
            except (RedisError, OSError) as error:
                await asyncio.sleep(self._connection.failed(str(error)))

    async def close(self) -> None:
        await self._redis.aclose()

    @contextmanager
    def _telling(self, verb: str) -> Iterator[None]:
        self._connection.guard()
        try:
            yield
        except (RedisError, OSError) as error:
            self._connection.failed(str(error))
            raise Unavailable(f"The bus did not {verb}: {error}.", code="bus.unavailable") from error
        self._connection.opened()


def _let_end() -> None:
    """A cancellation that met the end of a send is lost by `asyncio.wait_for` of Python 3.11: obey it here."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
