"""The engine as a role: takes its shards, loads and reconciles their accounts, then listens until it is stopped."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import structlog

from tidegate.accounts.model import TradingAccount
from tidegate.app.account import Account, Surroundings
from tidegate.app.channels import COMMITTED, DECISIONS, commands_stream
from tidegate.app.courier import CallAnswered, ConcurrentCourier, SerialCourier
from tidegate.app.engine import AccountNews, Committed, Engine, Opened, Tick
from tidegate.app.loading import Origin, differences, load, open_books, spec_of
from tidegate.app.lockstep import StepGate, WaitingClock
from tidegate.app.marks import Marks
from tidegate.app.settings import Settings
from tidegate.bots.model import Bot, BotState
from tidegate.domain.candles import Candle
from tidegate.domain.errors import Unavailable
from tidegate.domain.ids import AccountId, Environment, TraceId, shard_of
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import CandleClosed, Command, MarketMessage, Signal, decode, encode, to_json
from tidegate.domain.orders import OrderStatus
from tidegate.domain.ports import Venue
from tidegate.execution.model import Order
from tidegate.kit.bus import FROM_START, Bus
from tidegate.kit.clock import Clock
from tidegate.kit.db import FencedOut, Store, lease_of, leases
from tidegate.kit.ids import new_id, new_trace_id
from tidegate.market.model import Series
from tidegate.risk.repository import LimitBook, load_limits
from tidegate.signals.service import SignalService
from tidegate.signals.streams import signals_stream

TICK_S = 0.1
COMMANDS_BLOCK_MS = 500
_COMPARE_S_MAX = 5.0  # between looks at the venue's balances, while they are not ours
_HEARD_MAX = 1_000  # more than any ready strategy needs to settle
STOP_S = 10.0  # how long calls under way may finish

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """What wiring hands the engine."""

    settings: Settings
    store: Store
    bus: Bus
    clock: Clock
    venues: Mapping[AccountId, Venue]
    accounts: Sequence[TradingAccount]
    instruments: Mapping[str, Instrument]
    market_now: Callable[[], int]  # µs
    acknowledge: Callable[[int], Awaitable[None]] | None  # in lockstep only
    want: Callable[[Sequence[Series]], Coroutine[None, None, None]]  # ask whoever runs the ingest for candles
    holder: str  # a fresh name for each start
    is_alone: bool  # nobody else can be at this database: a dead predecessor's leases need not run out


class EngineRole:
    """Everything around the engine that waits; its tasks live in the group that it is given."""

    def __init__(self, parts: EngineParts, tasks: asyncio.TaskGroup, *, computes_signals: bool) -> None:
        self._parts = parts
        self._tasks = tasks
        is_lockstep = parts.acknowledge is not None
        self._clock: Clock = WaitingClock(parts.clock, parts.market_now) if is_lockstep else parts.clock
        self._marks = Marks()
        self._limits = LimitBook()
        self._gate: StepGate | None = None
        self._courier: ConcurrentCourier | SerialCourier = (
            ConcurrentCourier(
                parts.venues,
                self._deliver,
                tasks,
                wall_now=parts.clock.now_us,
                fence_ms=parts.settings.fence_ms,
            )
            if parts.acknowledge is None
            else SerialCourier(parts.venues, self._deliver)
        )
        self._signals = SignalService()
        self._heard: dict[tuple[str, str], deque[Candle]] = {}
        self._untold: list[Signal] = []  # signals that are not on the bus yet
        self._untold_commits: list[Committed] = []
        self._news = asyncio.Event()
        self.engine = Engine(
            store=parts.store,
            clock=self._clock,
            marks=self._marks,
            courier=self._courier,
            keeper=self,
            signals=self if computes_signals else None,
            shards=parts.settings.shards,
        )

    # ── life ──

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Lease, load, listen and reconcile; at the end let calls finish and give the leases back."""
        parts = self._parts
        await self._lease()
        self._limits = (await load_limits(parts.store)).above(parts.settings.risk.limits())
        for origin in parts.accounts:
            if shard_of(origin.account_id, parts.settings.shards) in self.engine.fences:
                await self.load(origin.account_id)
        if parts.acknowledge is not None:
            self._gate = StepGate(self.engine.offer, self._courier, self.engine.accounts, parts.acknowledge)
        work = {
            "leases": self._renew(),
            **({"ticks": self._tick()} if self._gate is None else {}),  # in lockstep every step is one
            "news": self._tell(),
            **{f"events:{account_id}": self._listen(account_id) for account_id in self.engine.accounts},
        }
        background = [self._tasks.create_task(each, name=name) for name, each in work.items()]
        reconciling = [
            self._tasks.create_task(self._reconcile(account), name=f"reconcile:{account.account_id}")
            for account in self.engine.accounts.values()
        ]
        background += reconciling
        if reconciling:  # an account whose books differ keeps its own entries waiting, and nobody else
            await asyncio.wait(reconciling, timeout=parts.settings.fence_ms / 1_000 + STOP_S)
        background.append(self._tasks.create_task(self._read_commands(), name="commands"))
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            async with asyncio.timeout(STOP_S):
                await self._courier.drain()
            for shard, fence in self.engine.fences.items():
                await parts.store.renew_lease(lease_of(shard), parts.holder, fence, parts.clock.now_us(), 0)

    async def begin(self) -> None:
        """Everybody is ready: in lockstep the tape may move."""
        if self._gate is not None:
            await self._gate.begin()

    async def hear(self, message: MarketMessage | Signal) -> None:
        """Market data and signals, from this process or another."""
        if self._gate is not None:
            await self._gate.on_market(message)
        else:
            await self.engine.offer(message)

    def on_candle(self, candle: Candle, trace_id: TraceId) -> list[Signal]:
        """What the rules say of a closed candle: for the engine now, for everybody else as soon as may be."""
        self._remember(candle)
        signals = self._signals.on_candle(candle, trace_id)
        if signals:
            self._untold += signals
            self._news.set()
        return signals

    async def warm_up(self, history: Sequence[CandleClosed]) -> None:
        """Candles from before the first live one: they teach the rules and the marks, and trade nothing."""
        now = self._clock.now_us()
        self._signals.warm_up(closed.candle for closed in history)
        for closed in history:
            candle = closed.candle
            self._remember(candle)
            self._marks.on_close(candle.symbol, candle.close, candle.closes_at, now)

    def _remember(self, candle: Candle) -> None:
        """The newest candles of each series, for a signal that somebody wants later."""
        series = (candle.symbol, candle.timeframe)
        self._heard.setdefault(series, deque(maxlen=_HEARD_MAX)).append(candle)

    # ── leases ──

    async def _lease(self) -> None:
        """Take every shard that is free; without one there is nothing to do, so wait for the first."""
        parts = self._parts
        if parts.is_alone:
            shards = {lease_of(shard) for shard in range(parts.settings.shards)}
            for row in await parts.store.load(leases):
                if row["name"] in shards:
                    # Whoever held it is dead, and the fence rises all the same.
                    await parts.store.renew_lease(row["name"], row["holder"], row["fence"], parts.clock.now_us(), 0)
        ttl_us = parts.settings.lease_s * 1_000_000
        while not self.engine.fences:
            for shard in range(parts.settings.shards):
                now = parts.clock.now_us()
                fence = await parts.store.acquire_lease(lease_of(shard), parts.holder, now, ttl_us)
                if fence is not None:
                    self.engine.fences[shard] = fence
            if not self.engine.fences:
                _log.info("engine.waiting_for_lease", shards=parts.settings.shards)
                await asyncio.sleep(parts.settings.lease_s / 5)

    async def _renew(self) -> None:
        """Keep the leases; a lost one ends the role, which begins anew."""
        parts = self._parts
        ttl_us = parts.settings.lease_s * 1_000_000
        while True:
            await asyncio.sleep(parts.settings.lease_s / 3)
            for shard, fence in self.engine.fences.items():
                now = parts.clock.now_us()
                if not await parts.store.renew_lease(lease_of(shard), parts.holder, fence, now, ttl_us):
                    raise FencedOut(f"The lease {lease_of(shard)} was lost; this engine stops.")

    # ── accounts ──

    async def load(self, account_id: AccountId) -> Account:
        """The account as the last commit left it; what was in flight then is in doubt now."""
        parts = self._parts
        trading = next(each for each in parts.accounts if each.account_id == account_id)
        around = Surroundings(
            instruments=parts.instruments,
            marks=self._marks,
            limits=self._limits,
            wall_now=self._clock.now_us,
            fence_ms=parts.settings.fence_ms,
            holds_oco=parts.venues[account_id].capabilities.holds_oco,
        )
        origin = Origin(account_id, trading.venue, Environment(trading.environment))
        account, sequence = await load(parts.store, origin, around, new_id)
        self.engine.adopt(account, sequence)
        for bot in account.bots.all():
            if bot.state is not BotState.STOPPED:
                self.meet(bot)
        return account

    def meet(self, bot: Bot) -> None:
        """A bot starts to listen: its signal is computed from now on, warm if its candles are known already."""
        spec = spec_of(bot.config)
        if self._signals.require(spec):
            self._signals.warm_up(self._heard.get((spec.symbol, spec.timeframe), ()), spec)
            self._tasks.create_task(self._parts.want([Series(spec.symbol, spec.timeframe)]), name=f"want:{spec.key}")

    async def _reconcile(self, account: Account) -> None:
        """Ask what became of everything in doubt, then compare the books; until they agree nothing enters."""
        venue = self._parts.venues[account.account_id]
        await open_books(account, venue, new_trace_id(), self._parts.market_now())
        await self.engine.offer(Opened(account.account_id))
        pause_s = TICK_S
        while True:
            await self.engine.offer(Tick())
            await self._courier.drain()
            if not _has_doubts(account):
                account.hindrance = await _hindrance(account, venue)
                if account.hindrance is None:
                    _log.info("engine.account_reconciled", account_id=account.account_id)
                    return
                _log.warning("engine.not_reconciled", account_id=account.account_id, reason=account.hindrance)
                pause_s = min(pause_s * 2, _COMPARE_S_MAX)
            await asyncio.sleep(pause_s)

    # ── what comes in ──

    async def _listen(self, account_id: AccountId) -> None:
        async for event in self._parts.venues[account_id].events():
            if self._gate is not None:
                await self._gate.on_account(account_id, event)
            else:
                await self.engine.offer(AccountNews(account_id, event))

    async def _deliver(self, answered: CallAnswered) -> None:
        await self.engine.offer(answered)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self.engine.offer(Tick())

    async def _read_commands(self) -> None:
        """Every command of our shards, from the oldest that is kept: the inbox says which were obeyed."""
        cursors = {commands_stream(shard): FROM_START for shard in self.engine.fences}
        while True:
            for entry in await self._parts.bus.read(cursors, COMMANDS_BLOCK_MS):
                cursors[entry.stream] = entry.id
                try:
                    command = decode(entry.payload)
                except msgspec.ValidationError as error:
                    _log.error("engine.command_unreadable", stream=entry.stream, id=entry.id, reason=str(error))
                    continue
                if isinstance(command, Command) and command.account_id in self.engine.accounts:
                    await self.engine.offer(command)

    # ── what goes out ──

    async def committed(self, committed: Committed) -> None:
        """Noted, and told as soon as the calls that follow from it have left."""
        self._untold_commits.append(committed)
        self._news.set()

    async def _tell(self) -> None:
        """Wake screens, relay and who waits for a decision; all of them may miss it and look for themselves."""
        while True:
            await self._news.wait()
            await asyncio.sleep(0)  # the calls to the venue are before us in the loop's queue
            self._news.clear()
            signals, self._untold = self._untold, []
            commits, self._untold_commits = self._untold_commits, []
            try:
                await self._publish_signals(signals)
                if any(committed.facts for committed in commits):
                    await self._parts.bus.notify(COMMITTED, b"")
                for committed in commits:
                    if committed.outcome is not None:
                        await self._parts.bus.notify(DECISIONS, to_json(committed.outcome))
            except Unavailable as error:
                _log.warning("engine.untold", signals=len(signals), commits=len(commits), reason=str(error))

    async def _publish_signals(self, signals: Sequence[Signal]) -> None:
        streams: dict[str, list[bytes]] = {}
        for signal in signals:
            streams.setdefault(signals_stream(signal.symbol, signal.timeframe), []).append(encode(signal))
        for stream, payloads in streams.items():
            await self._parts.bus.publish(stream, payloads)


async def _hindrance(account: Account, venue: Venue) -> str | None:
    """Why nothing may enter yet; None when our books are the venue's."""
    try:
        found = differences(account, await venue.balances())
    except Unavailable as error:
        return f"The venue does not tell its balances: {error}"
    return f"The books differ from the venue: {', '.join(found)}." if found else None


def _has_doubts(account: Account) -> bool:
    live = account.execution.orders.live()
    return bool(account.monitor.unseen(live)) or any(_is_in_doubt(order) for order in live)


def _is_in_doubt(order: Order) -> bool:
    return order.status in (OrderStatus.UNKNOWN, OrderStatus.PENDING) or bool(order.missing_quantity)
