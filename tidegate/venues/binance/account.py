"""The private stream of one account, over the WebSocket API."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing

import aiohttp
import msgspec

from tidegate.domain.errors import Forbidden
from tidegate.domain.orders import AccountEvent, StreamLost, StreamReset
from tidegate.venues.binance import parse, payloads
from tidegate.venues.binance.client import Credentials, RestClient
from tidegate.venues.binance.errors import (
    CLOCK_SKEWED,
    FailureClass,
    PayloadUnreadable,
    RequestFailed,
    no_answer,
    told_failure,
)
from tidegate.venues.binance.sign import signed_params
from tidegate.venues.binance.sockets import RollingSocket, Socket, Turn, connect

_SUBSCRIBE = "userDataStream.subscribe.signature"
_HANDSHAKE_S = 10.0


class AccountStream:
    """One subscription, taken again after each loss; a key that is not accepted raises `Forbidden` instead."""

    def __init__(self, client: RestClient, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials
        self._subscriptions = 0
        self._early: deque[bytes | str] = deque()  # what came before the answer to a subscription
        connection = client.connections.connection(f"binance account {credentials.api_key[:6]}…")
        self._socket = RollingSocket(connection, self._subscribed, clock=client.clock, silence_s_max=None)

    async def events(self) -> AsyncIterator[AccountEvent]:
        """`StreamReset` first, after each loss, and for what could not be read: then the venue must be asked."""
        async with aclosing(self._socket.frames()) as frames:
            async for frame in frames:
                match frame:
                    case Turn.LOST:
                        yield StreamLost()
                    case Turn.BEGUN:
                        yield StreamReset()
                    case said:
                        self._early.append(said)
                while self._early:
                    for event in await self._read(self._early.popleft()):
                        yield event

    async def _read(self, raw: bytes | str) -> list[AccountEvent]:
        try:
            frame = parse.api_frame(raw)
            if frame.error is not None:
                raise PayloadUnreadable(f"Binance reports an error on the account stream: {frame.error.msg}")
            match frame.event:
                case None:
                    return []
                case payloads.StreamTerminated():
                    await self._socket.drop()
                    return []
                case payloads.ServerShutdown():
                    self._socket.renew()
                    return []
                case event:
                    return parse.account_events(event, self._client.names)
        except PayloadUnreadable as problem:
            self._client.count_unreadable(problem)
            return [StreamReset()]

    async def _subscribed(self) -> Socket:
        """A connection on which the events of the account already flow."""
        socket = await connect(self._client.session, self._client.hosts.ws_api)
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                await self._subscribe(socket)
        except BaseException:
            await socket.close()
            raise
        return socket

    async def _subscribe(self, socket: Socket) -> None:
        self._subscriptions += 1
        number = str(self._subscriptions)
        params: dict[str, str | int] = {
            "apiKey": self._credentials.api_key,
            "recvWindow": self._client.recv_window_ms,
            "timestamp": self._client.venue_now_ms(),
        }
        asked = {"id": number, "method": _SUBSCRIBE, "params": signed_params(self._credentials.signer, params)}
        await socket.send_str(msgspec.json.encode(asked).decode())
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            frame = parse.api_frame(message.data)
            if frame.event is not None:
                self._early.append(message.data)
            elif frame.error is not None:
                await self._refused(frame.status or 0, frame.error)
            elif frame.id == number:
                return
        raise RequestFailed(no_answer("The connection ended before the subscription was answered."))

    async def _refused(self, status: int, error: payloads.ApiError) -> None:
        failure = told_failure(status, error.code, error.msg)
        if failure.kind is FailureClass.NOT_AUTHORISED:
            raise Forbidden(f"Binance does not accept the API key: {failure.detail}.", code=failure.code)
        if failure.venue_code == CLOCK_SKEWED:
            await self._client.measure_offset_ms()
        raise RequestFailed(failure)
