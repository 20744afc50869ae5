"""Market streams over WebSocket: who has subscribed to what, and the frames that go out to them."""

import asyncio
from collections.abc import Iterable

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

TAPE_STREAM = "!tape"
STREAMS_MAX = 1_024
QUEUE_MAX = 200_000  # frames; who lags further is cut off, as the venue does
_KINDS = frozenset(
    {"trade", "aggTrade", "bookTicker", "ticker", "miniTicker", "avgPrice"}
    | {f"depth{levels}{speed}" for levels in ("", 5, 10, 20) for speed in ("", "@100ms")}
)


class Outbox:
    """Frames on their way to one socket, in order, written by one task."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()
        self._has_ended = asyncio.Event()
        self.is_closed = False

    def put(self, frame: bytes) -> None:
        """Queue one text frame."""
        if self.is_closed:
            return
        if self._frames.qsize() >= QUEUE_MAX:
            self.close()
            return
        self._frames.put_nowait(frame.decode())

    def close(self) -> None:
        """Let the writer close the socket after what is queued."""
        self.is_closed = True
        self._frames.put_nowait(None)

    @property
    def backlog(self) -> int:
        """Frames not yet handed to the socket."""
        return self._frames.qsize()

    async def drained(self) -> None:
        """Wait until the queue is empty or the socket is gone."""
        waits = [asyncio.ensure_future(self._frames.join()), asyncio.ensure_future(self._has_ended.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def write_all(self) -> None:
        """Send until closed; a vanished peer ends it quietly."""
        try:
            while (frame := await self._frames.get()) is not None:
                await self._socket.send_text(frame)
                self._frames.task_done()
            if self._socket.application_state is WebSocketState.CONNECTED:
                await self._socket.close(1001)
        except (WebSocketDisconnect, RuntimeError):
            self.is_closed = True  # the peer went first; the reader of this socket ends too
        finally:
            self._has_ended.set()


class StreamConnection:
    """One client of the market streams."""

    def __init__(self, outbox: Outbox, *, is_combined: bool) -> None:
        self.outbox = outbox
        self.is_combined = is_combined
        self.subscribed: set[str] = set()

    def send(self, stream: str, payload: bytes) -> None:
        """Queue a payload, wrapped when the connection is a combined one."""
        self.outbox.put(wrapped(stream, payload) if self.is_combined else payload)


class Streams:
    """All stream connections; payloads are encoded once for all of them."""

    def __init__(self) -> None:
        self._connections: set[StreamConnection] = set()
        self._by_symbol: dict[str, dict[str, set[StreamConnection]]] = {}
        self._to_omit: dict[str, int] = {}
        self._encoder = msgspec.json.Encoder()

    def is_wanted(self, symbol: str, kind: str) -> bool:
        """Whether anybody listens; saves building payloads for nobody."""
        kinds = self._by_symbol.get(symbol)
        return kinds is not None and kind in kinds

    def kinds_of(self, symbol: str) -> list[str]:
        """What is subscribed of one lowercase symbol."""
        return list(self._by_symbol.get(symbol, ()))

    def publish(self, symbol: str, kind: str, payload: dict[str, object] | bytes) -> None:
        """Send to everybody who listens, unless this frame is to be lost on purpose."""
        stream = f"{symbol}@{kind}"
        left = self._to_omit.get(stream, 0)
        if left:
            self._to_omit[stream] = left - 1
            return
        data = payload if isinstance(payload, bytes) else self._encoder.encode(payload)
        for connection in self._by_symbol[symbol][kind]:
            connection.send(stream, data)

    def mark(self, position: int, at_ms: int) -> None:
        """Tell lockstep listeners that everything up to this position has been sent."""
        payload = self._encoder.encode({"e": "tapeAdvanced", "E": at_ms, "n": position})
        for connection in self._connections:
            if TAPE_STREAM in connection.subscribed:
                connection.outbox.put(wrapped(TAPE_STREAM, payload))

    def omit(self, stream: str, count: int) -> None:
        """Lose the next so many frames of a stream for everybody."""
        self._to_omit[stream] = self._to_omit.get(stream, 0) + count

    def subscribe(self, connection: StreamConnection, names: Iterable[str]) -> None:
        """Add streams to a connection; names must have been checked."""
        self._connections.add(connection)
        for name in names:
            connection.subscribed.add(name)
            if name != TAPE_STREAM:
                symbol, _, kind = name.partition("@")
                self._by_symbol.setdefault(symbol, {}).setdefault(kind, set()).add(connection)

    def unsubscribe(self, connection: StreamConnection, names: Iterable[str]) -> None:
        """Take streams from a connection."""
        for name in list(names):
            connection.subscribed.discard(name)
            symbol, _, kind = name.partition("@")
            listeners = self._by_symbol.get(symbol, {}).get(kind)
            if listeners is not None:
                listeners.discard(connection)
                if not listeners:
                    del self._by_symbol[symbol][kind]

    def remove(self, connection: StreamConnection) -> None:
        """Forget a connection that is over."""
        self.unsubscribe(connection, connection.subscribed.copy())
        self._connections.discard(connection)

    def close_all(self) -> int:
        """Close every connection; how many there were."""
        for connection in self._connections:
            connection.outbox.close()
        return len(self._connections)

    async def drained(self) -> None:
        """Wait until every frame that is queued now has been handed to its socket."""
        await asyncio.gather(*(connection.outbox.drained() for connection in self._connections))

    @property
    def backlog(self) -> int:
        """Frames queued on the slowest connection."""
        return max((connection.outbox.backlog for connection in self._connections), default=0)


def wrapped(stream: str, payload: bytes) -> bytes:
    """The form of combined streams."""
    return b'{"stream":"%s","data":%s}' % (stream.encode(), payload)


def is_stream_kind(kind: str, intervals: Iterable[str]) -> bool:
    """Whether the part behind `symbol@` names a stream that exists."""
    return kind in _KINDS or (kind.startswith("kline_") and kind.removeprefix("kline_") in intervals)
