"""A scripted host: answers what the test says, and writes down what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tidegate.kit.clock import Clock, SystemClock
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.hosts import simulator_hosts
from tidegate.venues.binance.venue import BinanceVenue

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
INFO = b'{"rateLimits":[],"symbols":[]}'


@dataclass
class Host:
    """Answers by method and path; without a script `time` and `exchangeInfo` answer and all else is 404."""

    scripts: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0

    def script(self, request: str, *answers: Answer) -> None:
        """The next answers to `POST /api/v3/order`; the last one stays."""
        self.scripts[request] = list(answers)

    def count(self, request: str) -> int:
        """How often it was asked."""
        return sum(asked == request for asked, _ in self.asked)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        self.asked.append((name, dict(request.query)))
        script = self.scripts.get(name)
        if script:
            return await (script.pop(0) if len(script) > 1 else script[0])(request)
        if request.path == "/api/v3/time":
            return web.json_response({"serverTime": SystemClock().now_us() // 1_000})
        if request.path == "/api/v3/exchangeInfo":
            return web.Response(body=INFO)
        return web.Response(status=404)


def say(body: bytes | object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Bytes as they are, anything else as JSON."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return answer


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Break the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def scripted_host() -> AsyncIterator[Host]:
    """A host on a free port of this machine."""
    host = Host()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", host.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host.port = runner.addresses[0][1]
    try:
        yield host
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened_client(host: Host, *, clock: Clock | None = None, timeout_s: float = 1.0) -> AsyncIterator[RestClient]:
    """A client that has met the host."""
    at = f"127.0.0.1:{host.port}"
    hosts = simulator_hosts(f"http://{at}", f"ws://{at}", f"ws://{at}/ws-api/v3")
    client = RestClient(hosts, clock=clock, timeout_s=timeout_s)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


def play(scenario: Callable[[Host, RestClient, BinanceVenue], Awaitable[None]]) -> None:
    """Run a scenario against a scripted host with one account."""

    async def run() -> None:
        async with asyncio.timeout(20), scripted_host() as host, opened_client(host) as client:
            await scenario(host, client, BinanceVenue(client, api_key="key", secret="secret"))

    asyncio.run(run())
