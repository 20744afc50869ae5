"""Everything that one simulated exchange is: its tape, markets, accounts, journal and the streams to its clients."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal

from tidegate.domain.candles import SECOND_US
from tidegate.domain.ids import AccountId
from tidegate.domain.money import ZERO
from tidegate.exchange import BookModel, CandleModel, Exchange
from tidegate.exchange.exchange import replay
from tidegate.exchange.model import (
    BalancesChanged,
    Deposited,
    Event,
    Events,
    ListChanged,
    OrderAccepted,
    OrderEnded,
    OrderWorking,
    Traded,
)
from tidegate.kit.clock import Clock
from tidegate.kit.ids import seeded_random
from tidegate.venues.simulator import order_frames
from tidegate.venues.simulator.accounts import AccountStreams
from tidegate.venues.simulator.faults import Faults
from tidegate.venues.simulator.frames import Json
from tidegate.venues.simulator.journal import Journal
from tidegate.venues.simulator.limits import Limits
from tidegate.venues.simulator.market import Market
from tidegate.venues.simulator.options import SimulatorOptions
from tidegate.venues.simulator.sign import Keys
from tidegate.venues.simulator.streams import Streams
from tidegate.venues.simulator.symbols import listing
from tidegate.venues.simulator.tape import BookChange, Item, Print, Tape
from tidegate.venues.simulator.wire import WireError

BOOK_LEVELS = 100  # a side, as deep as orders may walk
FAST_LIMITS_SCALE = 100  # rate limits are kept in wall time, which a fast tape compresses
_LATE_S = 0.002


class World:
    """Opened once; requests and the tape take turns on one event loop."""

    def __init__(self, options: SimulatorOptions, tape: Tape, journal: Journal, clock: Clock) -> None:
        self.options = options
        self.tape = tape
        self.journal = journal
        self.clock = clock
        self.position = journal.number("position", 0)
        self.mark = journal.number("mark", 0)
        if self.follows_wall:
            self.position = max(self.position, (clock.now_us() - tape.starts_at) // SECOND_US)
        self.at = tape.starts_at
        symbols = [listing(symbol, tape.price_of(symbol)) for symbol in tape.symbols]
        model = BookModel() if tape.fill_model == "book" else CandleModel()
        self.exchange = Exchange(symbols, model)
        self.moved_at: dict[AccountId, int] = {}  # µs of the last change of a balance
        self.streams = Streams()
        self.accounts = AccountStreams()
        self.limits = Limits(1 if options.speed == 1 else FAST_LIMITS_SCALE)
        self.keys = Keys(options.credentials)
        self.faults = Faults()
        self.markets: dict[str, Market] = {}
        self._stale_books: set[str] = set()
        self._random = seeded_random(options.seed)
        self._late: deque[tuple[AccountId, Json]] = deque()
        self._saved_at_s = clock.monotonic_s()

    @property
    def follows_wall(self) -> bool:
        """Whether market time is this machine's time."""
        return self.options.speed == 1 and not self.options.replay

    def open(self) -> None:
        """Live through the journal, read the market's past, open accounts that are new."""
        events = list(self.journal.events())
        replay(self.exchange, events)
        for event in events:
            self._notice(event)
        for symbol in self.tape.symbols:
            market = Market(symbol, self.tape, self.streams, self.tape.starts_at)
            self.markets[market.wire_symbol] = market
        for step in self.tape.past(self.position):
            for part in step.parts:
                self.at = max(self.at, part.at)
                for market in self.markets.values():
                    told = [item for item in part.items if item.symbol == market.symbol]
                    market.remember(told, part.at)
        if self.tape.fill_model == "book":
            for market in self.markets.values():
                self._show(market)
        self._open_accounts()

    def market(self, wire_symbol: str) -> Market:
        """The market of BTCUSDT, or -1121."""
        found = self.markets.get(wire_symbol)
        if found is None:
            raise WireError(-1121, "Invalid symbol.")
        return found

    def now_ms(self) -> int:
        """Wall time, which signs requests."""
        return self.clock.now_us() // 1_000

    def request_at(self) -> int:
        """Market time (µs) of a request that comes now."""
        if self.follows_wall:
            self.at = max(self.at, self.clock.now_us())
        return self.at

    def trade(self, symbol: str, verb: Callable[[int], Events]) -> Events:
        """Let a request meet the latest book; its events are on disk when this returns."""
        at = self.request_at()
        events = [*self.refreshed_book(symbol), *verb(at)]
        self.record(events)
        return events

    def refreshed_book(self, symbol: str) -> Events:
        """Show the exchange the book if it has changed since it last looked."""
        if symbol not in self._stale_books or self.tape.fill_model != "book":
            return ()
        self._stale_books.discard(symbol)
        book = self.markets[symbol.replace("/", "")].book
        bids, asks = book.bids(BOOK_LEVELS), book.asks(BOOK_LEVELS)
        return self.exchange.on_book(symbol, bids, asks, self.at) if bids and asks else ()

    def meet(self, item: Item) -> Events:
        """What the movement of a book tape does to resting orders."""
        if isinstance(item, Print):
            return self.exchange.on_trade(
                item.symbol,
                item.price,
                item.quantity,
                is_buyer_maker=item.is_buyer_maker,
                at=max(self.at, item.at),
            )
        if isinstance(item, BookChange):
            self._stale_books.add(item.symbol)
            if self.exchange.state.has_open(item.symbol):
                return self.refreshed_book(item.symbol)
        return ()

    def record(self, events: Events) -> None:
        """Journal, then tell; nothing is told that is not on disk."""
        if not events:
            return
        first = self.journal.sequence + 1
        self.journal.append(events, {"position": self.position, "mark": self.mark})
        told: list[tuple[AccountId, Json]] = []
        for number, event in enumerate(events, start=first):
            self._notice(event)
            account_id = account_of(event)
            payload = order_frames.account_event(event, number, self.at)
            if account_id is not None:
                self._count(account_id, event)
                if payload is not None:
                    told.append((account_id, payload))
        self._tell(told)

    def save_position(self) -> None:
        """Remember how far the tape is, at most once a second: between events nothing depends on it."""
        now_s = self.clock.monotonic_s()
        if now_s - self._saved_at_s >= 1:
            self._saved_at_s = now_s
            self.journal.append((), {"position": self.position, "mark": self.mark})

    def deposit(self, account_id: AccountId, asset: str, quantity: Decimal) -> None:
        """Bring money in from outside."""
        self.record(self.exchange.deposit(account_id, asset, quantity, self.request_at()))

    def drop_connections(self) -> int:
        """Close every WebSocket; how many there were."""
        return self.streams.close_all() + self.accounts.close_all()

    def _show(self, market: Market) -> None:
        """Give the exchange the last price and the book of a market that it has not seen yet."""
        price = market.last_price
        if price is not None:
            self.record(self.exchange.on_trade(market.symbol, price, ZERO, is_buyer_maker=True, at=self.at))
        self._stale_books.add(market.symbol)
        self.record(self.refreshed_book(market.symbol))

    def _open_accounts(self) -> None:
        known = set(self.exchange.state.accounts())
        for credential in self.options.credentials:
            if credential.account_id not in known:
                for asset, quantity in self.options.balances.items():
                    self.deposit(credential.account_id, asset, quantity)

    def _notice(self, event: Event) -> None:
        if isinstance(event, BalancesChanged):
            self.moved_at[event.account_id] = event.changed_at

    def _count(self, account_id: AccountId, event: Event) -> None:
        now_ms = self.now_ms()
        if isinstance(event, OrderAccepted):
            self.limits.count_orders(account_id, 1, now_ms)
        elif isinstance(event, Traded) and event.order.filled_quantity == event.trade.quantity:
            self.limits.count_orders(account_id, -5 if event.trade.is_maker else -1, now_ms)

    def _tell(self, told: Sequence[tuple[AccountId, Json]]) -> None:
        # The venue promises no order between an answer and its events: in lockstep events go first, else chance.
        waits = bool(self._late)
        if not waits and (self.options.is_lockstep or self._random.random() < 0.5):
            for account_id, payload in told:
                self.accounts.tell(account_id, payload)
            return
        self._late.extend(told)
        if not waits:
            asyncio.get_running_loop().call_later(_LATE_S, self._tell_late)

    def _tell_late(self) -> None:
        while self._late:
            self.accounts.tell(*self._late.popleft())


def account_of(event: Event) -> AccountId | None:
    """Whose event it is; None for those of a symbol."""
    match event:
        case OrderAccepted(order) | OrderWorking(order) | OrderEnded(order) | Traded(order, _):
            return order.account_id
        case ListChanged(changed):
            return changed.account_id
        case BalancesChanged() | Deposited():
            return event.account_id
        case _:
            return None
