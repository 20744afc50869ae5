"""One logical WebSocket that outlives its connections: reconnects, and is renewed before the venue ends it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from enum import Enum

import aiohttp

from tidegate.domain.errors import Unavailable
from tidegate.kit.clock import Clock
from tidegate.kit.connections import Connection, guard

Socket = aiohttp.ClientWebSocketResponse[bool]
Connect = Callable[[], Awaitable[Socket]]

_PING_EVERY_S = 20.0
_LIFETIME_S = 23.5 * 3_600  # the venue ends a connection after 24 h
_OVERLAP_S = 5.0
_FRAME_BYTES_MAX = 16 * 2**20


async def connect(session: aiohttp.ClientSession, url: str) -> Socket:
    """A WebSocket whose half-open death is noticed by its own pings."""
    guard()
    return await session.ws_connect(
        url,
        heartbeat=_PING_EVERY_S,
        max_msg_size=_FRAME_BYTES_MAX,
        timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
    )


class Turn(Enum):
    """The life of a connection, told among its frames."""

    BEGUN = "begun"  # at the start, and after each loss
    LOST = "lost"


class RollingSocket:
    """Frames in the order of their arrival; around a renewal some come twice, around a loss some never."""

    def __init__(
        self,
        connection: Connection,
        connect: Connect,
        *,
        clock: Clock,
        silence_s_max: float | None,
        lifetime_s: float = _LIFETIME_S,
        overlap_s: float = _OVERLAP_S,
    ) -> None:
        self.connection = connection
        self._connect = connect
        self._clock = clock
        self._silence_s_max = silence_s_max
        self._lifetime_s = lifetime_s
        self._overlap_s = overlap_s
        self._heard = 0
        self._is_ending = asyncio.Event()
        self._current: Socket | None = None
        self._successor: Socket | None = None

    async def frames(self) -> AsyncGenerator[bytes | str | Turn, None]:
        """What is said, and `Turn.LOST` and `Turn.BEGUN` around what was said to nobody."""
        self._current = await self._connect_patiently()
        yield Turn.BEGUN
        try:
            while True:
                async with aclosing(self._frames_of(self._current)) as frames:
                    async for frame in frames:
                        yield frame
                if self._successor is None:
                    pause_s = self.connection.failed("the connection was lost")
                    yield Turn.LOST
                    await asyncio.sleep(pause_s)
                    self._current = await self._connect_patiently()
                    yield Turn.BEGUN
                else:
                    self._current, self._successor = self._successor, None
        finally:
            for socket in (self._current, self._successor):
                if socket is not None:
                    await socket.close()

    def renew(self) -> None:
        """The venue announced the end of this connection: take another one first."""
        self._is_ending.set()

    async def drop(self) -> None:
        """This connection is of no use any more: begin anew."""
        if self._current is not None:
            await self._current.close()

    async def _frames_of(self, socket: Socket) -> AsyncGenerator[bytes | str, None]:
        self._is_ending.clear()
        keeper = asyncio.create_task(self._keep(socket), name=f"{self.connection.name} keeper")
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
                    self._heard += 1
                    yield message.data
        finally:
            keeper.cancel()
            await socket.close()
            await asyncio.wait([keeper])

    async def _keep(self, socket: Socket) -> None:
        """End a connection that has fallen silent; put another one in place of an old one."""
        ends_s = self._clock.monotonic_s() + self._lifetime_s
        heard, heard_s = self._heard, self._clock.monotonic_s()
        look_every_s = self._lifetime_s if self._silence_s_max is None else self._silence_s_max / 4
        while (now_s := self._clock.monotonic_s()) < ends_s and not self._is_ending.is_set():
            if self._heard != heard:
                heard, heard_s = self._heard, now_s
            elif self._silence_s_max is not None and now_s - heard_s >= self._silence_s_max:
                await socket.close()
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(min(look_every_s, ends_s - now_s)):
                    await self._is_ending.wait()
        self._successor = await self._connect_patiently()
        await asyncio.sleep(self._overlap_s)
        await socket.close()

    async def _connect_patiently(self) -> Socket:
        while True:
            try:
                socket = await self._connect()
            except (aiohttp.ClientError, TimeoutError, OSError, Unavailable) as problem:
                pause_s = self.connection.failed(str(problem) or type(problem).__name__)
                await asyncio.sleep(pause_s)
            else:
                self.connection.opened()
                return socket
