"""The real engine on a real SQLite file, at an exchange behind a bad line, under a clock that the test moves."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from tests.builders import ACCOUNT, NOON, an_intent
from tests.simulation.unknown.scripted import ScriptedVenue
from tidegate.app.account import Account, Surroundings
from tidegate.app.courier import SerialCourier
from tidegate.app.engine import AccountNews, Committed, Engine, Opened, Stimulus, Tick
from tidegate.app.loading import Origin, differences, load, open_books
from tidegate.app.marks import Marks
from tidegate.bots.model import Bot
from tidegate.domain.ids import AccountId, ClientOrderId, CommandId, Environment, IntentKey, TraceId, client_order_id
from tidegate.domain.messages import CancelOrder, QuoteChanged, SetKillSwitch, SubmitOrder
from tidegate.domain.money import ZERO
from tidegate.domain.orders import OrderStatus, StreamReset
from tidegate.exchange.exchange import Exchange
from tidegate.exchange.model import BookModel, ExchangeSymbol
from tidegate.execution.brackets import covered_quantity, sellable_quantity
from tidegate.execution.model import Order
from tidegate.execution.tables import fills
from tidegate.kit.clock import ManualClock
from tidegate.kit.db import SqliteStore, WriteSet, events, lease_of, metadata
from tidegate.kit.ids import new_id
from tidegate.risk.repository import LimitBook
from tidegate.venues.paper.venue import PaperVenue, instrument_of

BTC = "BTC/USDT"
FENCE_MS = 2_500
TICK_MS = 100
QUEUED = Decimal(1_000)  # base at the best bid and ask
DOUBTFUL = frozenset({OrderStatus.PENDING, OrderStatus.UNKNOWN})
_LEASE_US = 60_000_000
_MARKET = ExchangeSymbol(symbol=BTC, base="BTC", quote="USDT", tick_size=Decimal("0.01"), lot_size=Decimal("0.00001"))


class PowerCut(BaseException):
    """The process is gone from one instruction to the next; whatever was not committed is lost."""


class Outlet:
    """Counts the steps at which a power cut can come, and cuts at one of them."""

    def __init__(self) -> None:
        self.steps = 0
        self.cut_at: int | None = None

    def begin(self, cut_at: int | None) -> None:
        """Count from here; None never cuts."""
        self.steps, self.cut_at = 0, cut_at

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.cut_at:
            raise PowerCut


class FrailStore(SqliteStore):
    """Fails or loses power as a test says, around a commit that is otherwise real."""

    def __init__(self, path: Path, outlet: Outlet) -> None:
        super().__init__(path)
        self.before_commit: list[Exception] = []  # raised instead of the next commits
        self.after_commit: list[Exception] = []
        self._outlet = outlet

    async def commit(self, write_set: WriteSet) -> None:
        if self.before_commit:
            raise self.before_commit.pop()
        self._outlet.step()
        await super().commit(write_set)
        self._outlet.step()
        if self.after_commit:
            raise self.after_commit.pop()


class World:
    """What outlives a crash: the exchange, the file and the time; `running` is the engine of the moment."""

    def __init__(self, folder: Path, *, name: str = "tidegate.db") -> None:
        self.outlet = Outlet()
        self.clock = ManualClock(NOON)
        self.exchange = Exchange([_MARKET], BookModel())
        self.exchange.deposit(ACCOUNT, "USDT", Decimal(100_000), NOON)
        self.paper = PaperVenue(self.exchange, ACCOUNT, self.clock.now_us)
        self.venue = ScriptedVenue(self.paper, self.outlet.step)
        shutil.copy(_template(folder), folder / name)
        self.store = FrailStore(folder / name, self.outlet)
        self.bid = ZERO
        self._engines = 0

    async def start(self) -> "Running":
        """A new engine over what is stored; the one before it has lost its lease and hears nothing more."""
        if self._engines:
            before = f"engine-{self._engines}"
            await self.store.renew_lease(lease_of(0), before, self._engines, self.clock.now_us(), 0)
        self._engines += 1
        name = f"engine-{self._engines}"
        fence = await self.store.acquire_lease(lease_of(0), name, self.clock.now_us(), _LEASE_US)
        assert fence == self._engines, "a fence rises with each holder"
        self.venue.stream.clear()
        running = Running(self, fence)
        await running.begin()
        return running

    def quote(self, price: str) -> None:
        """The book moves to a bid at the price and an ask one cent above."""
        self.bid = Decimal(price)
        bids, asks = [(self.bid, QUEUED)], [(self.bid + Decimal("0.01"), QUEUED)]
        self.paper.hear(self.exchange.on_book(BTC, bids, asks, self.clock.now_us()))
        self.venue.hear_market()

    def trade_at_bid(self, price: str, quantity: Decimal) -> None:
        """The bid comes to the price, and somebody sells so much into it."""
        self.quote(price)
        at = self.clock.now_us()
        self.paper.hear(self.exchange.on_trade(BTC, self.bid, quantity, is_buyer_maker=True, at=at))
        self.venue.hear_market()

    def fall_to(self, price: str) -> None:
        """The market falls through everything above the price, and stays there."""
        self.trade_at_bid(price, Decimal(1))

    async def events(self) -> Counter[str]:
        """How often each event stands in the log."""
        return Counter(row["name"].split(".")[1] for row in await self.store.load(events))

    async def assert_whole(self, account: Account) -> None:
        """Our books are the venue's, nothing was doubled, and what is held is protected or being closed."""
        assert not any(order.status in DOUBTFUL for order in account.execution.orders.live())
        assert differences(account, await self.venue.balances()) == []
        sums: Counter[str] = Counter()
        for balance in account.books.balances():
            sums[balance.account.asset] += balance.units
        assert set(sums.values()) <= {0}
        trades = {(str(trade.order_id), str(trade.trade_id)) for trade in self.exchange.state.trades_of(ACCOUNT, BTC)}
        booked = {tuple(row["fill_id"].split(":")[-2:]) for row in await self.store.load(fills)}
        assert booked == trades
        self.assert_once()
        at_venue = {order.client_order_id for order in self.exchange.state.open_orders(ACCOUNT, BTC)}
        assert at_venue == {order.client_order_id for order in account.execution.orders.live()}
        for position in account.positions.running():
            live = account.live_orders_of(position)
            sellable = sellable_quantity(position, account.around.instruments[BTC], self.bid)
            assert position.exit_reason or covered_quantity(live) == sellable

    def assert_once(self) -> None:
        """No client order id has ever been accepted twice."""
        seen = Counter(order.client_order_id for order in self.exchange.state.orders[BTC].values())
        assert [order_id for order_id, count in seen.items() if count > 1] == []


class Running:
    """One life of an engine."""

    def __init__(self, world: World, fence: int) -> None:
        self._world = world
        self._marks = Marks()
        self._courier = SerialCourier({ACCOUNT: world.venue}, self.offer)
        self.engine = Engine(
            store=world.store,
            clock=world.clock,
            marks=self._marks,
            courier=self._courier,
            keeper=self,
            signals=None,
        )
        self.engine.fences[0] = fence

    @property
    def account(self) -> Account:
        return self.engine.accounts[ACCOUNT]

    def order(self, order_id: ClientOrderId) -> Order:
        return self.account.execution.orders.get(order_id)

    async def begin(self) -> None:
        """Load and reconcile, as the role does."""
        account = await self.load(ACCOUNT)
        await open_books(account, self._world.venue, TraceId("opening"), self._world.clock.now_us())
        account.hindrance = None
        await self.offer(Opened(ACCOUNT))
        await self.offer(AccountNews(ACCOUNT, StreamReset()))
        await self.settle()

    async def offer(self, stimulus: Stimulus) -> None:
        await self.engine.offer(stimulus)

    async def submit(self, key: str, *, command_id: str = "", **changes: Any) -> ClientOrderId:
        """A market order to buy 1 BTC with a stop at 90 and a target at 120."""
        values = {"bot_id": None, "stop_loss_price": Decimal(90), "take_profit_price": Decimal(120), **changes}
        intent = an_intent(key=IntentKey(key), **values)
        await self.hear_quote()
        await self.offer(
            SubmitOrder(
                trace_id=TraceId(key),
                occurred_at=self._world.clock.now_us(),
                command_id=CommandId(command_id or key),
                account_id=ACCOUNT,
                intent=intent,
            )
        )
        return id_of(key)

    async def cancel(self, order_id: ClientOrderId, command_id: str = "cancel") -> None:
        await self.offer(
            CancelOrder(
                trace_id=TraceId(command_id),
                occurred_at=self._world.clock.now_us(),
                command_id=CommandId(command_id),
                account_id=ACCOUNT,
                client_order_id=order_id,
            )
        )

    async def flatten(self) -> None:
        """Lock the account and sell what it holds."""
        await self.offer(
            SetKillSwitch(
                trace_id=TraceId("flatten"),
                occurred_at=self._world.clock.now_us(),
                command_id=CommandId("flatten"),
                account_id=ACCOUNT,
                is_on=True,
                flatten=True,
                reason="a test",
            )
        )

    async def hear_quote(self) -> None:
        """Hear the price of the moment."""
        bid = self._world.bid
        await self.offer(
            QuoteChanged(
                trace_id=TraceId("quote"),
                occurred_at=self._world.clock.now_us(),
                symbol=BTC,
                bid_price=bid,
                bid_quantity=Decimal(1),
                ask_price=bid + Decimal("0.01"),
                ask_quantity=Decimal(1),
            )
        )

    async def settle_calls(self) -> None:
        """Carry every call; what the stream says waits."""
        await self._courier.drain()

    async def settle_without_stream(self) -> None:
        """Carry every call; what the stream says is lost."""
        await self._courier.drain()
        self._world.venue.stream.clear()

    async def settle(self) -> None:
        """Carry every call and hear every report, until nothing is left."""
        stream = self._world.venue.stream
        await self._courier.drain()
        while stream:
            await self.offer(AccountNews(ACCOUNT, stream.popleft()))
            await self._courier.drain()

    async def pass_time(self, ms: int) -> None:
        """Let the clock tick."""
        for _ in range(ms // TICK_MS):
            self._world.clock.advance_to(self._world.clock.now_us() + TICK_MS * 1_000)
            await self.offer(Tick())
            await self.settle()

    # ── what an engine asks of its keeper ──

    async def load(self, account_id: AccountId) -> Account:
        world = self._world
        around = Surroundings(
            instruments={BTC: instrument_of(_MARKET)},
            marks=self._marks,
            limits=LimitBook(),
            wall_now=world.clock.now_us,
            fence_ms=FENCE_MS,
            holds_oco=True,
        )
        account, sequence = await load(world.store, Origin(account_id, "paper", Environment.SIMULATION), around, new_id)
        self.engine.adopt(account, sequence)
        return account

    def meet(self, bot: Bot) -> None:
        """There are no bots here."""

    async def committed(self, committed: Committed) -> None:
        self._world.outlet.step()


def _template(folder: Path) -> Path:
    """An empty database with every table."""
    path = folder / "template.db"
    if not path.exists():
        schema = create_engine(f"sqlite:///{path}")
        metadata.create_all(schema)
        schema.dispose()
    return path


def id_of(key: str) -> ClientOrderId:
    """The client order id of the intent with this key."""
    return client_order_id(Environment.SIMULATION, IntentKey(key), 1)


def play(folder: Path, story: Callable[[World, Running], Awaitable[None]]) -> None:
    """Tell a story that begins with a market at 100 and a fresh engine."""

    async def told() -> None:
        world = World(folder)
        world.fall_to("100")
        try:
            await story(world, await world.start())
        finally:
            await world.store.close()

    asyncio.run(told())
