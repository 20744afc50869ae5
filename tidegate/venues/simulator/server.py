"""The process: one port for REST, streams, WebSocket API and control; a line of JSON says where when it is ready."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import TextIO

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidegate.domain.candles import SECOND_US
from tidegate.domain.errors import Unavailable
from tidegate.kit.clock import Clock, SystemClock
from tidegate.kit.ids import secret_token
from tidegate.venues.simulator.control import control
from tidegate.venues.simulator.generator import GeneratedTape
from tidegate.venues.simulator.journal import Journal
from tidegate.venues.simulator.options import SimulatorOptions
from tidegate.venues.simulator.player import Player
from tidegate.venues.simulator.replay import open_replay
from tidegate.venues.simulator.rest import ABORT, answer
from tidegate.venues.simulator.sockets import market_streams, web_socket_api
from tidegate.venues.simulator.tape import Tape
from tidegate.venues.simulator.world import World

PING_EVERY_S = 20.0
PONG_WITHIN_S = 60.0
FIXED_START = 1_767_225_600 * SECOND_US  # 2026-01-01, where a generated tape begins that does not follow the wall clock


class Ready(msgspec.Struct, frozen=True):
    """Where to reach a simulator, printed as one line."""

    rest: str
    stream: str
    ws_api: str
    control: str
    control_token: str
    pid: int
    symbols: tuple[str, ...]


class BreakableProtocol(HttpToolsProtocol):
    """Lets a handler break its connection, as a network would."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]


class QuietServer(uvicorn.Server):
    """Leaves signals alone where it runs inside another program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Simulator:
    """One running exchange; `start` returns when it listens, `stop` leaves everything on disk."""

    def __init__(self, options: SimulatorOptions, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._token = options.control_token or secret_token()
        self.world = open_world(options, self._clock)
        self.player = Player(self.world)
        app = Starlette(
            routes=[
                Route("/_control/{name}", control, methods=["GET", "POST"]),
                WebSocketRoute("/ws", market_streams),
                WebSocketRoute("/ws/{streams:path}", market_streams),
                WebSocketRoute("/stream", market_streams),
                WebSocketRoute("/ws-api/v3", web_socket_api),
                Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "DELETE"]),
            ]
        )
        app.state.world, app.state.player, app.state.control_token = self.world, self.player, self._token
        self._config = uvicorn.Config(
            app,
            http=BreakableProtocol,
            ws="websockets-sansio",
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PONG_WITHIN_S,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._server: uvicorn.Server | None = None

    async def start(self) -> Ready:
        """Listen, then let the tape run."""
        listener = _listen(self._options.host, self._options.port)
        host, port = listener.getsockname()[:2]
        self._server = QuietServer(self._config)
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            await asyncio.sleep(0.001)
            if serving.done():
                await serving
        self._tasks = [serving, asyncio.create_task(self.player.play())]
        return Ready(
            rest=f"http://{host}:{port}",
            stream=f"ws://{host}:{port}",
            ws_api=f"ws://{host}:{port}/ws-api/v3",
            control=f"http://{host}:{port}/_control",
            control_token=self._token,
            pid=os.getpid(),
            symbols=tuple(self.world.tape.symbols),
        )

    async def run_until_stopped(self) -> None:
        """Until the server ends; a tape that fails takes the process with it, one that ends leaves the last prices."""
        serving, playing = self._tasks
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if playing in done:
            await playing
            await serving

    async def stop(self) -> None:
        """Close every connection and the journal."""
        for task in self._tasks[1:]:
            task.cancel()
        self.world.drop_connections()
        if self._server is not None:
            self._server.should_exit = True
            await self._tasks[0]
        await asyncio.gather(*self._tasks[1:], return_exceptions=True)
        self.world.journal.close()


def open_world(options: SimulatorOptions, clock: Clock) -> World:
    """The world of a directory as it was left, or a new one."""
    journal = Journal(options.directory)
    try:
        world = World(options, _tape(options, journal, clock), journal, clock)
        world.open()
    except BaseException:
        journal.close()
        raise
    return world


def _tape(options: SimulatorOptions, journal: Journal, clock: Clock) -> Tape:
    if options.replay:
        tape: Tape = open_replay(options.replay)
    else:
        now = clock.now_us()
        start = now - now % (60 * SECOND_US) if options.speed == 1 else FIXED_START
        tape = GeneratedTape(options.seed, options.symbols, journal.number("starts_at", start))
    journal.settle_world({"seed": options.seed, "replay": list(options.replay), "symbols": list(tape.symbols)})
    journal.append((), {"starts_at": tape.starts_at})
    return tape


def run(options: SimulatorOptions, out: TextIO = sys.stdout) -> None:
    """Serve until a signal ends the process."""
    with asyncio.Runner(loop_factory=uvicorn.Config(app="", log_config=None).get_loop_factory()) as runner:
        runner.run(_serve(options, out))


async def _serve(options: SimulatorOptions, out: TextIO) -> None:
    simulator = Simulator(options)
    ready = await simulator.start()
    out.write(msgspec.json.encode(ready).decode() + "\n")
    out.flush()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    running = asyncio.create_task(simulator.run_until_stopped())
    waiting = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await simulator.stop()
    if running in done:
        await running


def _listen(host: str, port: int) -> socket.socket:
    # With the protocol named asyncio sends small frames at once; without it they wait for the peer's acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as problem:
        listener.close()
        raise Unavailable(
            f"Port {port} of {host} cannot be used ({problem.strerror}): choose another with --port.",
            code="simulator.port_busy",
        ) from None
    return listener
