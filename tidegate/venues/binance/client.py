"""REST with one host: its budget, its clock, a warm connection, and answers sorted into success and failure."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal

import aiohttp
import structlog
from yarl import URL

from tidegate.domain.errors import Unavailable
from tidegate.domain.instruments import Instrument
from tidegate.kit.clock import MILLISECOND_US, Clock, SystemClock
from tidegate.kit.connections import Connections, guard
from tidegate.venues.binance import parse
from tidegate.venues.binance.budget import WeightBudget
from tidegate.venues.binance.errors import (
    CLOCK_SKEWED,
    Failure,
    FailureClass,
    PayloadUnreadable,
    RequestFailed,
    failure_of,
    never_sent,
    no_answer,
)
from tidegate.venues.binance.hosts import Hosts
from tidegate.venues.binance.sign import Signer, signed_query

USED_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
KEY_HEADER = "X-MBX-APIKEY"
_WARM_EVERY_S = 4.0  # servers close connections that rest for 5 s; the same question tells their time
# Binance tells the rates of an account, not of the market; these are what an account pays that has earned no discount.
_FEE_RATE = Decimal("0.001")

_log = structlog.get_logger(__name__)


class Credentials:
    """An API key and its signer."""

    def __init__(self, api_key: str, signer: Signer) -> None:
        self.api_key = api_key
        self.signer = signer
        self.headers: Mapping[str, str] = {KEY_HEADER: api_key}


class RestClient:
    """Shared by everything in one process that talks to the same hosts; `open` before use, `close` after it."""

    def __init__(
        self, hosts: Hosts, *, clock: Clock | None = None, recv_window_ms: int = 5_000, timeout_s: float = 10.0
    ) -> None:
        self.hosts = hosts
        self.clock = clock or SystemClock()
        self.names = parse.SymbolNames()
        self.budget = WeightBudget()
        self.connections = Connections(self.clock)  # this one and every WebSocket to the same hosts, for health
        self.connection = self.connections.connection(f"binance rest {hosts.name}")
        self.unreadable = 0  # payloads that were refused for what they said
        self.recv_window_ms = recv_window_ms
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._offset_us = 0
        self._session: aiohttp.ClientSession | None = None
        self._warming: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Measure the venue's clock and learn its symbols; `Unavailable` when it does not answer."""
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=60),
        )
        # aiohttp would send a DELETE a second time when a kept-alive connection breaks under it.
        self._session._retry_connection = False
        try:
            await self.measure_offset_ms()
            await self.instruments()
        except Unavailable:
            await self.close()
            raise
        self._warming = asyncio.create_task(self._keep_warm(), name=f"{self.connection.name} warm")

    async def close(self) -> None:
        """Stop asking and drop the connections."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])
            self._warming = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session, for WebSockets to the same venue."""
        if self._session is None:
            raise Unavailable("The connection to Binance has not been opened.", code="venue.not_open")
        return self._session

    def venue_now_ms(self) -> int:
        """The venue's clock as far as we know it."""
        return (self.clock.now_us() + self._offset_us) // MILLISECOND_US

    async def get(self, path: str, *, weight: int) -> bytes:
        """A public question; path and query as one percent-encoded text."""
        return await self._send("GET", path, headers=None, weight=weight, is_urgent=False)

    async def ask(self, path: str, query: str, credentials: Credentials, *, weight: int) -> bytes:
        """A signed question; asked once more when our clock was off."""
        try:
            return await self._signed("GET", path, query, credentials, weight=weight)
        except RequestFailed as problem:
            if problem.failure.venue_code != CLOCK_SKEWED:
                raise
        await self.measure_offset_ms()
        return await self._signed("GET", path, query, credentials, weight=weight)

    async def act(self, method: str, path: str, query: str, credentials: Credentials, *, is_urgent: bool) -> bytes:
        """A signed request that changes something; it leaves once at most."""
        try:
            return await self._signed(method, path, query, credentials, weight=1, is_urgent=is_urgent)
        except RequestFailed as problem:
            if problem.failure.venue_code == CLOCK_SKEWED:
                with suppress(Unavailable):
                    await self.measure_offset_ms()  # for the next one
            raise

    async def measure_offset_ms(self) -> float:
        """The venue's clock minus ours: its answer compared with the middle of the question's way."""
        asked_us, asked_s = self.clock.now_us(), self.clock.monotonic_s()
        told_us = self.read_time(await self.get("/api/v3/time", weight=1))
        way_us = int((self.clock.monotonic_s() - asked_s) * 1_000_000)
        self._offset_us = told_us - (asked_us + way_us // 2)
        return self._offset_us / MILLISECOND_US

    async def instruments(self) -> list[Instrument]:
        """The spot instruments; the weight limit and the symbols' names are learned on the way."""
        # Only this answer tells the limit, and nothing can be done without it: it may use the reserve.
        raw = await self._send("GET", "/api/v3/exchangeInfo", headers=None, weight=20, is_urgent=True)
        instruments, limit, unreadable = parse.exchange_info(raw, _FEE_RATE, _FEE_RATE)
        self.names.learn(instruments)
        self.budget.limit = limit or self.budget.limit
        self.unreadable += unreadable
        return instruments

    def read_time(self, raw: bytes) -> int:
        """GET time in µs."""
        try:
            return parse.server_time_us(raw)
        except PayloadUnreadable as problem:
            self.count_unreadable(problem)
            raise

    def count_unreadable(self, problem: PayloadUnreadable) -> None:
        """One more payload that could not be believed."""
        self.unreadable += 1
        _log.warning("binance.payload_unreadable", detail=str(problem)[:500], count=self.unreadable)

    async def _signed(
        self, method: str, path: str, query: str, credentials: Credentials, *, weight: int, is_urgent: bool = False
    ) -> bytes:
        stamp = f"recvWindow={self.recv_window_ms}&timestamp={self.venue_now_ms()}"
        signed = signed_query(credentials.signer, f"{query}&{stamp}" if query else stamp)
        return await self._send(
            method, f"{path}?{signed}", headers=credentials.headers, weight=weight, is_urgent=is_urgent
        )

    async def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None, weight: int, is_urgent: bool
    ) -> bytes:
        guard()
        venue_now_us = self.venue_now_ms() * MILLISECOND_US
        objection = self.budget.objection(weight, venue_now_us, is_urgent=is_urgent)
        if objection is not None:
            raise RequestFailed(never_sent(f"The request was held back: {objection}."))
        url = URL(self.hosts.rest + path, encoded=True)
        used: int | None = None
        self.budget.begin(weight)
        try:
            async with self.session.request(method, url, headers=headers) as answer:
                used = _count(answer.headers.get(USED_WEIGHT_HEADER))
                body = await answer.read()
                status, retry_after = answer.status, answer.headers.get("Retry-After")
        except aiohttp.ClientConnectorError as problem:
            raise self._lost(Failure(FailureClass.DEFINITE, "venue.unreachable", str(problem))) from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise self._lost(no_answer(f"No answer: {type(problem).__name__} {problem}")) from problem
        finally:
            self.budget.end(weight, used, venue_now_us)
        self.connection.opened()
        if 200 <= status < 300:
            return body
        failure = failure_of(status, body)
        if failure.kind is FailureClass.THROTTLED:
            self.budget.pause(_seconds(retry_after), venue_now_us)
        raise RequestFailed(failure)

    def _lost(self, failure: Failure) -> RequestFailed:
        self.connection.failed(failure.detail)
        return RequestFailed(failure)

    async def _keep_warm(self) -> None:
        while True:
            await asyncio.sleep(_WARM_EVERY_S)
            with suppress(Unavailable):  # the connection's state tells it
                await self.measure_offset_ms()


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
