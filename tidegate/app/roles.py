"""What each role runs, from settings to the last task; a role ends by being cancelled."""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import aiohttp

from tidegate.accounts.repository import load_accounts
from tidegate.app.engine_role import EngineParts, EngineRole
from tidegate.app.relay import Relay
from tidegate.app.settings import Settings
from tidegate.app.streams import EngineStreams
from tidegate.app.wanted import WantedByBots
from tidegate.app.wiring import (
    SIMULATOR,
    StepClock,
    Tape,
    TapeClock,
    candle_store,
    client_of,
    configured_series,
    market_clock,
    open_bus,
    open_market,
    open_venue,
)
from tidegate.domain.errors import Conflict, Invalid
from tidegate.domain.ids import TraceId
from tidegate.domain.messages import CandleClosed, MarketMessage, Signal, TapeAdvanced
from tidegate.kit.bus import Bus
from tidegate.kit.clock import Clock, SystemClock
from tidegate.kit.connections import ConnectionState
from tidegate.kit.crash import arm
from tidegate.kit.db import Database, Store, open_store
from tidegate.kit.db.revision import refuse_other_revision
from tidegate.kit.ids import new_id
from tidegate.market.handlers import serve_wanted
from tidegate.market.jobs import CandleRecorder
from tidegate.market.model import Series
from tidegate.market.service import Ingest, IngestOptions
from tidegate.market.streams import BusPublisher, ask_for
from tidegate.signals.handlers import SignalsRole
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.market import BinanceMarket

STREAM_NAME = "binance stream"  # how the connections of market streams are named
_LOOK_S = 0.01

Ready = Callable[[], None]
M = TypeVar("M", bound=MarketMessage | Signal)


async def run_role(name: str, settings: Settings, ready: Ready) -> None:
    """Run one role until it is cancelled; `Invalid` names the roles there are."""
    run = ROLES.get(name)
    if run is None:
        raise Invalid(f"There is no role {name!r}; there is {', '.join(ROLES)}.", code="app.role_unknown")
    if settings.crash_at:
        arm(settings.crash_at)
    async with AsyncExitStack() as stack:
        await run(await _open(settings, stack), ready)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every role stands on."""

    settings: Settings
    clock: Clock
    store: Store
    database: Database
    bus: Bus
    client: RestClient
    market: BinanceMarket
    market_clock: TapeClock | StepClock
    stack: AsyncExitStack


async def _open(settings: Settings, stack: AsyncExitStack) -> Ground:
    clock = SystemClock()
    store = open_store(settings.database)
    stack.push_async_callback(store.close)
    await refuse_other_revision(store)
    database, bus, client = Database(settings.database), open_bus(settings), client_of(settings, clock)
    for close in (database.close, bus.close, client.close):
        stack.push_async_callback(close)
    await client.open()
    return Ground(
        settings=settings,
        clock=clock,
        store=store,
        database=database,
        bus=bus,
        client=client,
        market=open_market(client, settings),
        market_clock=await market_clock(client, settings),
        stack=stack,
    )


async def _run_engine(ground: Ground, ready: Ready) -> None:
    """On a file the engine comes with ingest and signals; on a database server it stands alone."""
    settings = ground.settings
    if settings.is_embedded:
        ground.stack.enter_context(_only_engine(settings))
    accounts = await load_accounts(ground.store)
    venues = {account.account_id: open_venue(account, settings, ground.client) for account in accounts}
    async with asyncio.TaskGroup() as tasks:
        feed = _Embedded(ground, tasks) if settings.is_embedded else _Apart(ground, tasks)
        parts = EngineParts(
            settings=settings,
            store=ground.store,
            bus=ground.bus,
            clock=ground.clock,
            venues=venues,
            accounts=accounts,
            instruments={each.symbol: each for each in await ground.market.instruments()},
            market_now=ground.market_clock.now_us,
            acknowledge=await _acknowledge(ground),
            want=feed.want,
            holder=f"engine:{os.getpid()}:{new_id()}",
            is_alone=settings.is_embedded,
        )
        role = EngineRole(parts, tasks, computes_signals=settings.is_embedded)
        async with role.running():
            await feed.open(role)
            await role.begin()
            ready()
            await asyncio.Event().wait()


async def _run_ingest(ground: Ground, ready: Ready) -> None:
    """Candles, quotes and trades onto the streams, for whoever wants them."""
    publisher = BusPublisher(ground.bus)
    recorder = CandleRecorder(candle_store(ground.settings, ground.database))

    async def sink(message: MarketMessage) -> None:
        recorder.take(message)
        await publisher.send(message)

    async def history_sink(history: Sequence[CandleClosed]) -> None:
        recorder.take_history(history)
        await publisher.send_history(history)

    ingest = _ingest(ground, sink, history_sink)
    wanted_by_bots = await WantedByBots(ground.store).wanted()
    # All in one question before anybody answers, so that all share one stream.
    await ask_for(
        ground.bus,
        [*configured_series(ground.settings), *(Series(spec.symbol, spec.timeframe) for spec in wanted_by_bots)],
    )
    async with asyncio.TaskGroup() as tasks:
        for work in (publisher.run(), recorder.run(), ingest.run(), serve_wanted(ground.bus, ingest)):
            tasks.create_task(work)
        if ground.settings.lockstep:
            await publisher.send(await _first_mark(ground))
        ready()


async def _run_signals(ground: Ground, ready: Ready) -> None:
    """Signals of every running bot, for whoever listens."""
    warm = asyncio.Event()
    role = SignalsRole(ground.bus, WantedByBots(ground.store), ground.clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(role.run(warm))
        await warm.wait()
        ready()


async def _run_relay(ground: Ground, ready: Ready) -> None:
    """Committed events to the screens."""
    ready()
    await Relay(ground.database, ground.store, ground.bus, ground.clock).run()


async def _run_api(ground: Ground, ready: Ready) -> None:
    """HTTP and WebSocket; on a file the relay comes along."""
    from tidegate.app.main import ApiParts, serve

    parts = ApiParts(
        settings=ground.settings,
        database=ground.database,
        bus=ground.bus,
        clock=ground.clock,
        source=ground.market,
        candles=candle_store(ground.settings, ground.database),
        wanted=WantedByBots(ground.store),
        venue=SIMULATOR,
    )
    async with asyncio.TaskGroup() as tasks:
        if ground.settings.is_embedded:
            tasks.create_task(Relay(ground.database, ground.store, ground.bus, ground.clock).run())
        await serve(parts, ready)


class _Embedded:
    """Ingest and rules in the engine's own loop: no hop between a candle and a decision."""

    def __init__(self, ground: Ground, tasks: asyncio.TaskGroup) -> None:
        self._ground = ground
        self._tasks = tasks
        self._publisher = BusPublisher(ground.bus)
        self._recorder = CandleRecorder(candle_store(ground.settings, ground.database))
        self._wanted: list[Series] = []
        self._ingest: Ingest | None = None

    async def want(self, series: Sequence[Series]) -> None:
        """Serve these, now or from the start on."""
        await ask_for(self._ground.bus, series)
        if self._ingest is None:
            self._wanted += series
        else:
            await self._ingest.want(series)

    async def open(self, role: EngineRole) -> None:
        """History first, then the stream."""

        async def sink(message: MarketMessage) -> None:
            self._recorder.take(message)
            await role.hear(message)
            if not isinstance(message, TapeAdvanced):  # nobody behind the bus is waited for
                await self._publisher.send(message)

        async def history_sink(history: Sequence[CandleClosed]) -> None:
            self._recorder.take_history(history)
            await role.warm_up(history)
            await self._publisher.send_history(history)

        self._ingest = _ingest(self._ground, sink, history_sink)
        shown = configured_series(self._ground.settings)
        await ask_for(self._ground.bus, shown)
        await self._ingest.check(shown)
        if self._ground.settings.lockstep:
            self._wanted += shown  # nothing may come after the tape has begun to move
        await self._ingest.want(self._wanted)
        for work in (
            self._publisher.run(),
            self._recorder.run(),
            self._ingest.run(),
            serve_wanted(self._ground.bus, self._ingest),  # with what is shown and no bot waits for
        ):
            self._tasks.create_task(work)
        if self._ground.settings.lockstep:
            await role.hear(await _first_mark(self._ground))


class _Apart:
    """Quotes and signals of other processes, from the streams."""

    def __init__(self, ground: Ground, tasks: asyncio.TaskGroup) -> None:
        self._ground = ground
        self._tasks = tasks
        self._wanted: list[Series] = []
        self._streams: EngineStreams | None = None

    async def want(self, series: Sequence[Series]) -> None:
        """Ask the ingest for the candles, and hear what the signals role says of them."""
        await ask_for(self._ground.bus, series)
        if self._streams is None:
            self._wanted += series
        else:
            await self._streams.follow(series)

    async def open(self, role: EngineRole) -> None:
        """Hear what is said from now on."""
        self._streams = EngineStreams(self._ground.bus, _moving(self._ground.market_clock, role.hear))
        await self._streams.follow(self._wanted)
        self._tasks.create_task(self._streams.run())


def _ingest(
    ground: Ground,
    sink: Callable[[MarketMessage], Awaitable[None]],
    history_sink: Callable[[Sequence[CandleClosed]], Awaitable[None]],
) -> Ingest:
    clock = ground.market_clock
    return Ingest(
        ground.market, _moving(clock, sink), IngestOptions(venue=SIMULATOR), clock=clock, history_sink=history_sink
    )


def _moving(clock: TapeClock | StepClock, hear: Callable[[M], Awaitable[None]]) -> Callable[[M], Awaitable[None]]:
    """In lockstep the marks move the clock before anybody hears of them."""
    if not isinstance(clock, StepClock):
        return hear
    step_clock = clock

    async def move_and_hear(message: M) -> None:
        if isinstance(message, TapeAdvanced):
            step_clock.move(message)
        await hear(message)

    return move_and_hear


async def _first_mark(ground: Ground) -> TapeAdvanced:
    """Once the market's stream stands, which nothing tells while the tape stands too: position 0 has been reached."""
    while True:
        streams = [one for one in ground.client.connections.all() if one.name.startswith(STREAM_NAME)]
        if streams and all(one.state is ConnectionState.OPEN for one in streams):
            at = ground.market_clock.now_us()
            return TapeAdvanced(trace_id=TraceId(f"{SIMULATOR}:tape:0"), occurred_at=at, position=0)
        await asyncio.sleep(_LOOK_S)


async def _acknowledge(ground: Ground) -> Callable[[int], Awaitable[None]] | None:
    """How the tape is moved, in lockstep."""
    if not ground.settings.lockstep:
        return None
    session = await ground.stack.enter_async_context(aiohttp.ClientSession())
    token = ground.settings.simulator_control_token.get_secret_value()
    return Tape(session, ground.settings.simulator_url, token).acknowledge


@contextmanager
def _only_engine(settings: Settings) -> Iterator[None]:
    """One engine a database file: whoever holds this lock knows that no other is alive."""
    path = settings.data_dir / "engine.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"Another engine runs on {settings.data_dir}.", code="app.engine_running") from None
        yield


ROLES: dict[str, Callable[[Ground, Ready], Awaitable[None]]] = {
    "engine": _run_engine,
    "ingest": _run_ingest,
    "signals": _run_signals,
    "relay": _run_relay,
    "api": _run_api,
}
