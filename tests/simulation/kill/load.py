"""Orders at a steady pace over the bus, as the api sends them: entries with brackets, resting ones, cancels, exits."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from typing import Any

from tests.simulation.kill.plant import OWNERS, SYMBOLS, Plant, symbol_of
from tidegate.domain.ids import BotId, CommandId, Environment, IntentKey, TraceId, client_order_id, shard_of
from tidegate.domain.messages import CancelOrder, Command, ForceExit, SetKillSwitch, SubmitOrder, encode
from tidegate.domain.money import floor_to
from tidegate.domain.orders import OrderIntent, OrderPurpose, OrderType, Side
from tidegate.kit.bus import RedisBus
from tidegate.kit.ids import new_id, seeded_random

PACE_S = 0.1  # ten commands a second, of which about seven are orders
_NOTIONAL = Decimal(100)  # quote
_LOT, _TICK = Decimal("0.0001"), Decimal("0.01")
_LOOK_EVERY = 5  # commands
_SHARDS = 16  # the default of the settings


class Load:
    """One seed, one sequence of wishes; prices are those of the moment."""

    def __init__(self, plant: Plant, seed: int) -> None:
        self._plant = plant
        self._chance = seeded_random(seed)
        self._bus = RedisBus(plant.redis_url)
        self._resting: list[IntentKey] = []
        self._prices: dict[str, Decimal] = {}
        self._market_now = 0
        self.orders = 0
        self.sent = 0

    async def run(self) -> None:
        """Until cancelled, whoever lives or dies meanwhile."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if not self.sent % _LOOK_EVERY:
                await self._look()
            await self._send(self._next())
            self.sent += 1
            due += PACE_S
            await asyncio.sleep(max(due - loop.time(), 0))

    async def lock(self) -> None:
        """No more entries, and those that wait are withdrawn; protection stays."""
        await self._send(SetKillSwitch(**self._common(), is_on=True, flatten=False, reason="the test comes to its end"))

    async def close(self) -> None:
        await self._bus.close()

    async def _look(self) -> None:
        with suppress(OSError):  # the exchange may be dead at the moment
            for symbol in SYMBOLS:
                self._prices[symbol], self._market_now = await asyncio.to_thread(self._plant.price, symbol)

    def _next(self) -> Command:
        owner = self._chance.choice(OWNERS)
        match self._chance.choices(("market", "rest", "by hand", "cancel", "exit"), (40, 20, 10, 20, 10))[0]:
            case "market":
                return self._entry(owner, symbol_of(owner), rests=False)
            case "rest":
                return self._entry(owner, symbol_of(owner), rests=True)
            case "cancel" if self._resting:
                key = self._resting.pop(self._chance.randrange(len(self._resting)))
                order_id = client_order_id(Environment.SIMULATION, key, 1)
                return CancelOrder(**self._common(), client_order_id=order_id)
            case "exit":
                return ForceExit(**self._common(), bot_id=owner)
            case _:
                return self._entry(None, self._chance.choice(SYMBOLS), rests=False)

    def _entry(self, owner: BotId | None, symbol: str, *, rests: bool) -> SubmitOrder:
        """Stops and targets so near that many are met within seconds."""
        self.orders += 1
        price = self._prices[symbol]
        away = Decimal(self._chance.choice(("0.0005", "0.001", "0.003")))
        limit_price = floor_to(price * (1 - away), _TICK) if rests else None
        entered_at = limit_price or price
        common = self._common()
        intent = OrderIntent(
            key=IntentKey(f"load:{common['command_id']}"),
            account_id=self._plant.account_id,
            bot_id=owner,
            symbol=symbol,
            side=Side.BUY,
            type=OrderType.LIMIT if rests else OrderType.MARKET,
            quantity=floor_to(_NOTIONAL / price, _LOT),
            purpose=OrderPurpose.ENTRY,
            limit_price=limit_price,
            stop_loss_price=floor_to(entered_at * (1 - away), _TICK),
            take_profit_price=floor_to(entered_at * (1 + away), _TICK),
        )
        if rests:
            self._resting.append(intent.key)
        return SubmitOrder(**common, intent=intent)

    def _common(self) -> dict[str, Any]:
        return {
            "trace_id": TraceId(f"trace-{new_id()}"),
            "occurred_at": self._market_now,
            "command_id": CommandId(new_id()),
            "account_id": self._plant.account_id,
        }

    async def _send(self, command: Command) -> None:
        stream = f"commands:{shard_of(self._plant.account_id, _SHARDS)}"
        await self._bus.publish(stream, [encode(command)], maxlen=100_000)
