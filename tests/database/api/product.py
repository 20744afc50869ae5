"""A whole Tidegate in one loop: the api on a real database, a bus in memory, the real engine at its own exchange."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy
from httpx import ASGITransport, AsyncClient, Response
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr

from tests.waiting import eventually
from tidegate.accounts.model import TradingAccount
from tidegate.accounts.repository import load_accounts
from tidegate.accounts.secrets import Passwords
from tidegate.app.engine import AccountNews
from tidegate.app.engine_role import EngineParts, EngineRole
from tidegate.app.first_start import make_ready
from tidegate.app.main import Api, ApiParts, build
from tidegate.app.relay import Relay
from tidegate.app.settings import Settings
from tidegate.app.wanted import WantedByBots
from tidegate.domain.candles import Candle
from tidegate.domain.ids import TraceId
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import CandleClosed, MarketMessage, QuoteChanged, TradePrinted, encode
from tidegate.domain.ports import BookSnapshot
from tidegate.exchange.exchange import Exchange
from tidegate.exchange.model import CandleModel, ExchangeSymbol
from tidegate.kit.bus import MemoryBus
from tidegate.kit.clock import SystemClock
from tidegate.kit.db import Database, database_url, inbox, metadata, open_store
from tidegate.market.archive import DayArchive
from tidegate.market.model import Series
from tidegate.market.repository import CandleStore
from tidegate.market.streams import ask_for, candle_stream, quote_stream, trade_stream
from tidegate.venues.paper.venue import PaperVenue, instrument_of

BTC = "BTC/USDT"
VENUE = "simulator"
PASSWORD = "a long enough password"
EMAIL = "owner@example.org"
ORIGIN = "http://tidegate"
SECRET_KEY = SecretStr("k" * 40)
_SYMBOL = ExchangeSymbol(
    symbol=BTC, base="BTC", quote="USDT", tick_size=Decimal("0.01"), lot_size=Decimal("0.00001"), quote_scale=8
)


class OneMarket:
    """A venue's public side that lists one symbol."""

    async def instruments(self) -> Sequence[Instrument]:
        return [instrument_of(_SYMBOL)]

    async def candles(self, symbol: str, timeframe: str, start: int, end: int) -> list[Candle]:
        return []

    async def stream(self, symbols: Sequence[str], timeframes: Sequence[str]) -> AsyncIterator[MarketMessage]:
        nothing: list[MarketMessage] = []
        for message in nothing:
            yield message

    async def book(self, symbol: str, depth: int) -> BookSnapshot:
        return BookSnapshot(symbol, 1, ((Decimal(99), Decimal(1)),), ((Decimal(101), Decimal(1)),))


@dataclass
class Product:
    """What a test talks to."""

    api: Api
    parts: ApiParts
    client: AsyncClient
    database: Database
    bus: MemoryBus
    account: TradingAccount
    setup_token: str
    exchange: Exchange
    venue: PaperVenue
    settings: Settings
    tasks: asyncio.TaskGroup
    stack: AsyncExitStack
    engine: EngineRole | None = None

    async def log_in(self) -> None:
        """Become the owner, with a session cookie in the client."""
        body = {"token": self.setup_token, "email": EMAIL, "password": PASSWORD}
        made = await self.client.post("/api/v1/setup", json=body)
        assert made.status_code == 201, made.text
        opened = await self.client.post("/api/v1/sessions", json={"email": EMAIL, "password": PASSWORD})
        assert opened.status_code == 201, opened.text

    async def start_engine(self) -> EngineRole:
        """The real engine, with every shard."""
        store = open_store(self.settings.database)
        self.stack.push_async_callback(store.close)

        async def want(_: Sequence[Series]) -> None:
            return None

        parts = EngineParts(
            settings=self.settings,
            store=store,
            bus=self.bus,
            clock=SystemClock(),
            venues={self.account.account_id: self.venue},
            accounts=[self.account],
            instruments={BTC: instrument_of(_SYMBOL)},
            acknowledge=None,
            want=want,
            market_now=SystemClock().now_us,
            holder="engine",
            is_alone=True,
        )
        role = EngineRole(parts, self.tasks, computes_signals=True)
        await self.stack.enter_async_context(role.running())
        self.engine = role
        return role

    async def quote(self, price: str) -> None:
        """The market moves: for the engine and for the pages."""
        now, half = SystemClock().now_us(), Decimal("0.5")
        quote = QuoteChanged(
            trace_id=TraceId("quote"),
            occurred_at=now,
            symbol=BTC,
            bid_price=Decimal(price) - half,
            bid_quantity=Decimal(1),
            ask_price=Decimal(price) + half,
            ask_quantity=Decimal(1),
        )
        await ask_for(self.bus, [Series(BTC, "1m")])
        await self.bus.publish(quote_stream(BTC), [encode(quote)])
        if self.engine is not None:
            await self.engine.hear(quote)

    async def trades(self, *prices: str) -> None:
        """Somebody trades."""
        now = SystemClock().now_us()
        messages = [
            TradePrinted(
                trace_id=TraceId("print"),
                occurred_at=now,
                symbol=BTC,
                venue_trade_id=f"{now}-{number}",
                price=Decimal(price),
                quantity=Decimal(1),
                is_buyer_maker=False,
            )
            for number, price in enumerate(prices)
        ]
        await self.bus.publish(trade_stream(BTC), [encode(message) for message in messages])

    async def candle(self, minute: int, close: str) -> None:
        """A minute closes."""
        price = Decimal(close)
        bar = Candle(BTC, "1m", minute * 60_000_000, price, price + 1, price - 1, price, Decimal(3))
        closed = CandleClosed(trace_id=TraceId(f"bar-{minute}"), occurred_at=bar.closes_at, candle=bar)
        await self.bus.publish(candle_stream(Series(BTC, "1m")), [encode(closed)])

    async def open_at(self, price: str) -> None:
        """The exchange trades: market orders fill."""
        assert self.engine is not None
        self.venue.hear(self.exchange.on_open(BTC, Decimal(price), SystemClock().now_us()))
        for event in self.venue.take_events():
            await self.engine.engine.offer(AccountNews(self.account.account_id, event))

    async def place(self, key: str = "key-1", **changes: Any) -> Response:
        """A market order to buy 0.1 BTC."""
        body = {"symbol": BTC, "side": "buy", "type": "market", "quantity": "0.1"} | changes
        return await self.client.post("/api/v1/orders", json=body, headers={"idempotency-key": key})

    async def order(self, client_order_id: str) -> dict[str, Any]:
        """As the API tells it."""
        found = await self.client.get(f"/api/v1/orders/{client_order_id}")
        assert found.status_code == 200, found.text
        shown: dict[str, Any] = found.json()
        return shown

    async def until_status(self, client_order_id: str, status: str) -> None:
        """Wait until the order is there."""
        for _ in range(500):
            if (await self.order(client_order_id))["status"] == status:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"order {client_order_id} never became {status}")

    async def until_decided(self) -> None:
        """Wait until the inbox holds an answer."""
        for _ in range(500):
            if await self.database.fetch(sqlalchemy.select(inbox.c.command_id)):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("no command was decided")

    async def until_live(self) -> None:
        """Wait until the pages have heard of the market."""
        from tidegate.market.reader import MarketReader

        market: MarketReader = self.api.app.state.provided[MarketReader]
        await eventually(lambda: bool(market.tickers(BTC)), what="the pages hear the market")


@asynccontextmanager
async def a_product(url: str, folder: Path, *, decision_s: float = 2.0) -> AsyncIterator[Product]:
    """A fresh database with one tenant and its paper account, and the api over it."""
    config = Settings(data_dir=folder, database_url=url, SECRET_KEY=SECRET_KEY, symbols=(BTC,), lease_s=5, shards=2)
    clock, bus = SystemClock(), MemoryBus()
    _create_tables(url)
    async with AsyncExitStack() as stack:
        database = Database(url)
        stack.push_async_callback(database.close)
        store = open_store(url)
        stack.push_async_callback(store.close)
        token = (await make_ready(database, folder, clock)).setup_token
        assert token is not None
        (account,) = await load_accounts(store)
        parts = ApiParts(
            settings=config,
            database=database,
            bus=bus,
            clock=clock,
            source=OneMarket(),
            candles=CandleStore(database, DayArchive(folder / "candles"), venue=VENUE),
            wanted=WantedByBots(store),
            venue=VENUE,
            decision_s=decision_s,
            passwords=Passwords(Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)),
        )
        api = build(parts)
        exchange = Exchange([_SYMBOL], CandleModel())
        exchange.deposit(account.account_id, "USDT", Decimal(10_000), clock.now_us())
        exchange.on_open(BTC, Decimal(100), clock.now_us())
        venue = PaperVenue(exchange, account.account_id, clock.now_us)
        client = AsyncClient(transport=ASGITransport(api.app), base_url=ORIGIN, headers={"origin": ORIGIN})
        await stack.enter_async_context(client)
        async with api.services.running(), asyncio.TaskGroup() as tasks:
            relay = tasks.create_task(Relay(database, store, bus, SystemClock()).run())
            try:
                async with AsyncExitStack() as inner:
                    yield Product(
                        api=api,
                        parts=parts,
                        client=client,
                        database=database,
                        bus=bus,
                        account=account,
                        setup_token=token,
                        exchange=exchange,
                        venue=venue,
                        settings=config,
                        tasks=tasks,
                        stack=inner,
                    )
            finally:
                relay.cancel()


def _create_tables(url: str) -> None:
    driver = "sqlite" if url.startswith("sqlite") else "postgresql+psycopg"
    engine = sqlalchemy.create_engine(database_url(url).set(drivername=driver))
    metadata.create_all(engine)
    engine.dispose()
