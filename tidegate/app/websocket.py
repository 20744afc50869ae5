"""/api/v1/ws: one connection of one caller; a slow reader loses old market data, never an event of an account.

A client sends `{op, id, …}` and gets an ack or an error for each channel; the server sends
`{ch, type: snapshot|delta, seq, ts, data}`.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Literal

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from tidegate.accounts.callers import RequestCallers
from tidegate.accounts.repository import VisibleAccounts
from tidegate.app.hub import PRIVATE_CHANNELS, Frame, Hub
from tidegate.domain.errors import Forbidden, Invalid, TidegateError
from tidegate.domain.ids import AccountId
from tidegate.kit.clock import Clock
from tidegate.kit.http import Caller, Unauthenticated

BYTES_BEHIND_MAX = 1024 * 1024
MESSAGE_BYTES_MAX = 64 * 1024
PING_S, SILENCE_S = 20.0, 40.0  # a ping every so often; who has not answered it for so long is dropped
_AUTH_S = 10.0
_RECHECK_S = 15.0  # how long a revoked session may listen on
_CLOSE_S = 1.0
_MESSAGES_PER_S = 20
_CHANNELS_MAX = 200
CLOSE_BINARY = 1003
CLOSE_UNAUTHENTICATED, CLOSE_FORBIDDEN, CLOSE_SLOW, CLOSE_TOO_MANY, CLOSE_SHUTDOWN = 4401, 4403, 4008, 4029, 1012
_encode = msgspec.json.Encoder().encode
_SHUTDOWN = '{"op":"server_shutdown"}'


class _Op(msgspec.Struct, forbid_unknown_fields=True):
    op: Literal["auth", "subscribe", "unsubscribe", "resume", "ping"]
    id: int | str | None = None
    token: str = ""
    channels: list[str] = []
    last_seq: int | dict[str, int] = 0


_decoder = msgspec.json.Decoder(_Op)


class _Closed(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Connection:
    """Frames wait here until the socket takes them."""

    def __init__(self) -> None:
        self.account_ids: frozenset[AccountId] = frozenset()
        self._bytes_behind = 0
        self._texts: deque[bytes] = deque()
        self._latest: dict[str, bytes] = {}  # of conflated channels: the one message that waits
        self._held: dict[str, list[Frame]] = {}  # by channel, while a snapshot or a resume is under way
        self._news = asyncio.Event()
        self._end: asyncio.Future[_Closed] = asyncio.get_running_loop().create_future()

    def offer(self, frame: Frame) -> None:
        """Queue a frame; of a conflated channel only the newest waits, as a snapshot once one was passed over."""
        held = self._held.get(frame.channel)
        if held is not None:
            held.append(frame)
        elif frame.whole is None:
            self.say(frame.delta)
        else:
            passed_over = self._latest.pop(frame.channel, b"")
            self._latest[frame.channel] = frame.snapshot if passed_over else frame.delta
            self._grow(len(self._latest[frame.channel]) - len(passed_over))

    def say(self, text: bytes) -> None:
        """Queue something that must arrive."""
        self._texts.append(text)
        self._grow(len(text))

    def hold(self, channels: Iterable[str]) -> None:
        """Keep the frames of these channels back, because something older is about to be told."""
        self._held |= {channel: [] for channel in channels}

    def let_go(self, channels: Iterable[str], told: Mapping[str, int] | None = None) -> None:
        """Queue what was held back, without what was `told` already (by account, up to this sequence)."""
        for channel in channels:
            for frame in self._held.pop(channel, []):
                if frame.seq > (told or {}).get(frame.account_id or "", -1):
                    self.offer(frame)

    def end(self, code: int, reason: str) -> None:
        """Close the connection; the first reason counts."""
        if not self._end.done():
            self._end.set_result(_Closed(code, reason))

    async def ended(self) -> _Closed:
        """Wait for the end."""
        return await self._end

    async def next(self) -> bytes:
        """What to send now; waits for it."""
        while not self._texts and not self._latest:
            self._news.clear()
            await self._news.wait()
        text = self._texts.popleft() if self._texts else self._latest.pop(next(iter(self._latest)))
        self._bytes_behind -= len(text)
        return text

    def _grow(self, length: int) -> None:
        self._bytes_behind += length
        self._news.set()
        if self._bytes_behind > BYTES_BEHIND_MAX:
            self.end(CLOSE_SLOW, "more than 1 MB behind")


class WebSockets:
    """All connections of this process."""

    def __init__(self, hub: Hub, callers: RequestCallers, accounts: VisibleAccounts, clock: Clock) -> None:
        self._hub = hub
        self._callers = callers
        self._accounts = accounts
        self._clock = clock
        self._open: set[Connection] = set()
        self._all_gone = asyncio.Event()

    async def close(self) -> None:
        """Tell everybody that this process ends; clients come back by themselves."""
        for connection in self._open:
            connection.end(CLOSE_SHUTDOWN, "the server ends")
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * _CLOSE_S):
                    await self._all_gone.wait()

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from the handshake to its end."""
        try:
            identified = await self._identified(socket, None)
        except Forbidden as error:
            await socket.close(CLOSE_FORBIDDEN, str(error)[:120])
            return
        await socket.accept()
        connection = Connection()
        self._open.add(connection)
        self._all_gone.clear()
        try:
            await _Session(self, socket, connection, identified).run()
        except _Closed as closed:
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(_CLOSE_S):
                    if closed.code == CLOSE_SHUTDOWN:
                        await socket.send_text(_SHUTDOWN)
                    await socket.close(closed.code, str(closed))
        except WebSocketDisconnect:
            pass
        finally:
            self._open.discard(connection)
            if not self._open:
                self._all_gone.set()
            self._hub.forget(connection)

    async def _identified(self, socket: WebSocket, token: str | None) -> Caller | None:
        try:
            return (await self._callers.identify(socket, needs_origin=True, bearer=token)).caller
        except Unauthenticated:
            return None


class _Session:
    def __init__(self, server: WebSockets, socket: WebSocket, connection: Connection, caller: Caller | None) -> None:
        self._server = server
        self._hub = server._hub
        self._socket = socket
        self._connection = connection
        self._caller = caller
        self._token: str | None = None
        self._channels: set[str] = set()
        self._window: deque[float] = deque(maxlen=_MESSAGES_PER_S)

    async def run(self) -> None:
        """Until one of the four has a reason to end."""
        work = (self._receive(), self._send(), self._recheck(), self._watch())
        tasks = [asyncio.create_task(each) for each in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self) -> None:
        if self._caller is not None:
            await self._enter(self._caller)
        while True:
            try:
                async with asyncio.timeout(None if self._caller else _AUTH_S):
                    text = await self._socket.receive_text()
            except KeyError:  # a binary frame carries no text
                raise _Closed(CLOSE_BINARY, "send text, not binary frames") from None
            except TimeoutError:
                raise _Closed(CLOSE_UNAUTHENTICATED, f"log in within {_AUTH_S:g} s") from None
            self._count()
            await self._take(text)

    async def _send(self) -> None:
        while True:
            await self._socket.send_text((await self._connection.next()).decode())

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(_RECHECK_S)
            if self._caller is not None and await self._server._identified(self._socket, self._token) is None:
                raise _Closed(CLOSE_UNAUTHENTICATED, "the session or token has ended")

    async def _watch(self) -> None:
        raise await self._connection.ended()

    def _count(self) -> None:
        now_s = self._server._clock.monotonic_s()
        if len(self._window) == _MESSAGES_PER_S and now_s - self._window[0] < 1:
            raise _Closed(CLOSE_TOO_MANY, f"more than {_MESSAGES_PER_S} messages a second")
        self._window.append(now_s)

    async def _take(self, text: str) -> None:
        if len(text) > MESSAGE_BYTES_MAX:
            self._refuse(None, Invalid("A message may have 64 KiB at most.", code="ws.message_invalid"))
            return
        try:
            asked = _decoder.decode(text)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            self._refuse(None, Invalid(f"The message cannot be read: {error}.", code="ws.message_invalid"))
            return
        if asked.op == "ping":
            self._say({"op": "pong", "id": asked.id})
        elif asked.op == "auth":
            await self._authenticate(asked)
        elif self._caller is None:
            self._refuse(asked.id, Unauthenticated("Send {op: auth, token} first."))
        elif asked.op == "subscribe":
            await self._subscribe(asked, self._caller)
        elif asked.op == "unsubscribe":
            for channel in asked.channels:
                self._hub.unsubscribe(channel, self._connection)
                self._channels.discard(channel)
            self._say({"op": "ack", "id": asked.id, "channels": asked.channels})
        else:
            await self._resume(asked)

    async def _authenticate(self, asked: _Op) -> None:
        caller = await self._server._identified(self._socket, asked.token)
        if caller is None:
            raise _Closed(CLOSE_UNAUTHENTICATED, "the token is not valid")
        self._token = asked.token
        await self._enter(caller)
        self._say({"op": "ack", "id": asked.id, "channels": []})

    async def _enter(self, caller: Caller) -> None:
        self._connection.account_ids = await self._server._accounts.visible_to(caller.tenant_id)
        self._caller = caller

    async def _subscribe(self, asked: _Op, caller: Caller) -> None:
        taken = []
        for channel in asked.channels:
            self._connection.hold([channel])
            try:
                if len(self._channels) >= _CHANNELS_MAX:
                    raise Invalid(f"A connection has {_CHANNELS_MAX} channels at most.", code="ws.too_many_channels")
                self._connection.say(await self._hub.subscribe(channel, self._connection, caller.tenant_id))
                self._channels.add(channel)
                taken.append(channel)
            except TidegateError as error:
                self._refuse(asked.id, error, channel)
            finally:
                self._connection.let_go([channel])
        self._say({"op": "ack", "id": asked.id, "channels": taken})

    async def _resume(self, asked: _Op) -> None:
        channels = self._channels.intersection(PRIVATE_CHANNELS)
        owned = self._connection.account_ids
        after = asked.last_seq if isinstance(asked.last_seq, dict) else dict.fromkeys(owned, asked.last_seq)
        told: dict[str, int] = {}
        self._connection.hold(channels)
        try:
            for account_id in sorted(owned.intersection(map(AccountId, after))):
                for frame in await self._hub.resume(account_id, after[account_id], channels):
                    self._connection.say(frame.delta)
                    told[account_id] = frame.seq
            self._say({"op": "ack", "id": asked.id, "channels": sorted(channels)})
        except TidegateError as error:
            self._refuse(asked.id, error)
        finally:
            self._connection.let_go(channels, told)

    def _refuse(self, id_: int | str | None, error: TidegateError, channel: str | None = None) -> None:
        self._say({"op": "error", "id": id_, "channel": channel, "code": error.code, "detail": str(error)})

    def _say(self, body: dict[str, object]) -> None:
        self._connection.say(_encode(body))


router = APIRouter()


@router.websocket("/api/v1/ws")
async def listen(socket: WebSocket) -> None:
    """The messages of the class docstring, until one side ends."""
    server: WebSockets = socket.app.state.provided[WebSockets]
    await server.serve(socket)
