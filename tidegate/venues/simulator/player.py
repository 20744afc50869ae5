"""Plays the tape: keeps its pace or waits for acknowledgements, lets orders meet the market, publishes."""

import asyncio
from collections.abc import Sequence

from tidegate.exchange.model import Event
from tidegate.venues.simulator.tape import BarDone, Item, Part
from tidegate.venues.simulator.world import World

BACKLOG_MAX = 50_000  # frames on one socket before a tape at full speed waits for it


class Gate:
    """Lockstep: opens for position n once everybody has acknowledged it."""

    def __init__(self, participants: int, position: int) -> None:
        self._participants = participants
        self._acknowledged = 0
        self._opened = asyncio.Event()
        self.position = position

    def acknowledge(self, position: int) -> bool:
        """Count one acknowledgement; one of an earlier position counts for nothing, one of a later is refused."""
        if position == self.position:
            self._acknowledged += 1
            if self._acknowledged >= self._participants:
                self._opened.set()
        return position <= self.position

    async def passed(self) -> None:
        """Wait until the position is acknowledged by all."""
        await self._opened.wait()

    def close_at(self, position: int) -> None:
        """A new position to acknowledge."""
        self.position = position
        self._acknowledged = 0
        self._opened.clear()


class Player:
    """The tape of one world in motion."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.gate = Gate(world.options.participants, world.mark)
        self.has_ended = False

    async def play(self) -> None:
        """Until the tape ends or the task is cancelled."""
        world = self._world
        if world.options.is_lockstep:
            await self.gate.passed()
        started_s, started_at = world.clock.monotonic_s(), world.at
        for step in world.tape.steps(world.position):
            for part in step.parts:
                if world.options.speed:
                    due_s = started_s + (part.at - started_at) / 1e6 / world.options.speed
                    await asyncio.sleep(max(0.0, due_s - world.clock.monotonic_s()))
                else:
                    await self._breathe()
                await self._play_part(part, step.position if part is step.parts[-1] else step.position - 1)
            world.save_position()
            await self._mark()
        self.has_ended = True

    async def _play_part(self, part: Part, position: int) -> None:
        world = self._world
        bars = [item for item in part.items if isinstance(item, BarDone)]
        if bars:
            await self._meet_bars(bars)
        world.at = max(world.at, part.at)
        events: list[Event] = []
        for item in part.items:
            if not bars:
                events += world.meet(item)
        world.position = position
        world.record(events)
        self._publish(part.items, part.at)

    async def _meet_bars(self, bars: Sequence[BarDone]) -> None:
        """The open, then the rest of each candle; who answers a fill in time meets the rest of the same candle."""
        world, exchange = self._world, self._world.exchange
        opened: list[Event] = []
        for item in bars:
            world.at = max(world.at, item.bar.opened_at)
            opened += exchange.on_open(item.symbol, item.bar.open, item.bar.opened_at)
        world.record(opened)
        if opened:
            await self._mark()
        candles = [item.bar.candle(item.symbol, item.timeframe) for item in bars]
        while True:
            events = [event for candle in candles for event in exchange.on_candle(candle)]
            if not events:
                return
            world.record(events)
            await self._mark()

    def _publish(self, items: Sequence[Item], at: int) -> None:
        world = self._world
        for item in items:
            world.markets[item.symbol.replace("/", "")].tell(item)
        for market in world.markets.values():
            market.pass_time(at)

    async def _mark(self) -> None:
        world = self._world
        if not world.options.is_lockstep:
            return
        world.mark += 1
        self.gate.close_at(world.mark)
        world.streams.mark(world.mark, world.at // 1_000)
        world.accounts.mark(world.mark, world.at // 1_000)
        await self.gate.passed()

    async def _breathe(self) -> None:
        await asyncio.sleep(0)
        if self._world.streams.backlog > BACKLOG_MAX:
            await self._world.streams.drained()
