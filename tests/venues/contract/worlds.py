"""The venues under contract: each opens a small world with a market, one account, and a way to misbehave on purpose."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

import aiohttp

from tests.waiting import eventually
from tidegate.domain.ids import ClientOrderId
from tidegate.domain.orders import (
    AccountEvent,
    FillReport,
    OcoTicket,
    OrderReport,
    OrderStatus,
    OrderTicket,
    OrderType,
    Side,
    StreamReset,
)
from tidegate.domain.ports import MarketSource, Venue
from tidegate.kit.clock import Clock, SystemClock
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.hosts import simulator_hosts
from tidegate.venues.binance.market import BinanceMarket
from tidegate.venues.binance.venue import BinanceVenue
from tidegate.venues.simulator.options import SimulatorOptions
from tidegate.venues.simulator.server import Ready, Simulator
from tidegate.venues.simulator.sign import Credential

BTC = "BTC/USDT"
KEY, SECRET = "contract-key", "contract-secret"
QUANTITY = Decimal("0.01")
START_BALANCES = {"USDT": Decimal(100_000), "BTC": Decimal(2)}


class SkewedClock:
    """This machine's clock, off by so much."""

    def __init__(self, off_ms: int) -> None:
        self._off_us = off_ms * 1_000
        self._clock = SystemClock()

    def now_us(self) -> int:
        return self._clock.now_us() + self._off_us

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


class Misbehaviour(Protocol):
    """What a venue under test can be told to do."""

    async def fault(self, kind: str, **details: object) -> None:
        """The next order request is dropped, delayed, or answered with a status or a page of HTML."""
        ...

    async def drop_connections(self) -> None:
        """Close every WebSocket."""
        ...

    async def order_ids(self) -> list[str]:
        """The client order ids that the venue ever accepted, read past the adapter."""
        ...

    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Free and held, read past the adapter."""
        ...


@dataclass
class World:
    """One venue with one account."""

    market: MarketSource
    venue: Venue
    control: Misbehaviour
    connect: Callable[..., Awaitable[Venue]]  # another adapter to the same account: key, secret, clock
    heard: list[AccountEvent] = field(default_factory=list)
    last_id: int = 0

    async def best(self) -> tuple[Decimal, Decimal]:
        """Bid and ask now."""
        book = await self.market.book(BTC, 5)
        return book.bids[0][0], book.asks[0][0]

    def next_id(self) -> ClientOrderId:
        """A client order id that was never used."""
        self.last_id += 1
        return ClientOrderId(f"contract-{self.last_id}")

    def ticket(self, kind: OrderType, side: Side = Side.BUY, **changes: object) -> OrderTicket:
        """An order of 0.01 BTC."""
        values: dict[str, object] = {
            "client_order_id": self.next_id(),
            "symbol": BTC,
            "side": side,
            "type": kind,
            "quantity": QUANTITY,
        }
        return OrderTicket(**(values | changes))  # type: ignore[arg-type]

    async def resting(self) -> OrderTicket:
        """A limit order that will not fill."""
        bid, _ = await self.best()
        return self.ticket(OrderType.LIMIT, limit_price=bid - 2_000)

    async def oco(self, **changes: object) -> OcoTicket:
        """A target and a stop, both far from the market."""
        bid, ask = await self.best()
        values: dict[str, object] = {
            "list_client_id": f"list-{self.next_id()}",
            "symbol": BTC,
            "side": Side.SELL,
            "quantity": QUANTITY,
            "take_profit_id": self.next_id(),
            "take_profit_price": ask + 2_000,
            "stop_loss_id": self.next_id(),
            "stop_price": bid - 2_000,
        }
        return OcoTicket(**(values | changes))  # type: ignore[arg-type]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[list[AccountEvent]]:
        """Everything that the account stream says, from the moment on when it is open."""

        async def listen() -> None:
            async for event in self.venue.events():
                self.heard.append(event)

        task = asyncio.create_task(listen())
        try:
            await eventually(lambda: StreamReset() in self.heard, what="the account stream opens")
            yield self.heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def told_status(self, client_order_id: str) -> list[OrderStatus]:
        """What the stream has told of one order, in order of arrival."""
        return [e.status for e in self.heard if isinstance(e, OrderReport) and e.client_order_id == client_order_id]

    def told_fills(self, client_order_id: str) -> list[FillReport]:
        """The fills that the stream has told of one order."""
        return [e for e in self.heard if isinstance(e, FillReport) and e.client_order_id == client_order_id]


class SimulatorControl:
    """The simulator's control door."""

    def __init__(self, ready: Ready, session: aiohttp.ClientSession) -> None:
        self._url = ready.control
        self._headers = {"X-Control-Token": ready.control_token}
        self._session = session

    async def post(self, name: str, **body: object) -> None:
        async with self._session.post(f"{self._url}/{name}", json=body, headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()

    async def fault(self, kind: str, **details: object) -> None:
        await self.post("faults", kind=kind, **details)

    async def drop_connections(self) -> None:
        await self.post("drop")

    async def order_ids(self) -> list[str]:
        return [str(order["clientOrderId"]) for order in (await self._account())["orders"]]

    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        rows = (await self._account())["balances"]
        return {str(row["asset"]): (Decimal(str(row["free"])), Decimal(str(row["locked"]))) for row in rows}

    async def _account(self) -> dict[str, Sequence[dict[str, object]]]:
        async with self._session.get(f"{self._url}/state", headers=self._headers) as answer:
            state = await answer.json()
        account: dict[str, Sequence[dict[str, object]]] = state["accounts"][KEY]
        return account


@asynccontextmanager
async def binance_world(*, speed: float = 1) -> AsyncIterator[World]:
    """The Binance adapter against the simulator, both in this process."""
    simulator = Simulator(
        SimulatorOptions(
            credentials=(Credential(KEY, SECRET),),
            balances=START_BALANCES,
            symbols=(BTC, "ETH/USDT"),
            seed=7,
            speed=speed,
        )
    )
    ready = await simulator.start()
    hosts = simulator_hosts(ready.rest, ready.stream, ready.ws_api)
    clients: list[RestClient] = []

    async def client(clock: Clock | None = None, timeout_s: float = 1.0) -> RestClient:
        made = RestClient(hosts, clock=clock, timeout_s=timeout_s)
        clients.append(made)
        await made.open()
        return made

    async def connect(key: str = KEY, secret: str = SECRET, clock: Clock | None = None) -> Venue:
        return BinanceVenue(await client(clock), api_key=key, secret=secret)

    try:
        async with aiohttp.ClientSession() as session:
            yield World(
                market=BinanceMarket(await client()),
                venue=await connect(),
                control=SimulatorControl(ready, session),
                connect=connect,
            )
    finally:
        for made in clients:
            await made.close()
        await simulator.stop()


OpenWorld = Callable[..., AbstractAsyncContextManager[World]]
WORLDS: dict[str, OpenWorld] = {"binance": binance_world}
