"""The exact backtest: the live engine, step by step, under a manual clock, on the paper venue and a store in memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

from tidegate.app.account import Account, Surroundings
from tidegate.app.courier import CallAnswered, SerialCourier
from tidegate.app.engine import AccountNews, Committed, Engine
from tidegate.app.loading import Origin, load, open_books, signal_key, spec_of
from tidegate.app.marks import Marks
from tidegate.bots.model import Bot, BotConfig, BotState
from tidegate.domain.candles import Candle
from tidegate.domain.ids import AccountId, BotId, Environment
from tidegate.domain.messages import CandleClosed, Message
from tidegate.exchange.exchange import Exchange
from tidegate.exchange.model import CandleModel, Events, ExchangeSymbol
from tidegate.kit.clock import ManualClock
from tidegate.kit.db import MemoryStore, lease_of
from tidegate.kit.ids import SeededIds
from tidegate.market.model import Series, Track, base_of, candle_trace_id
from tidegate.risk.model import Limits
from tidegate.risk.repository import Level, LimitBook
from tidegate.signals.service import SignalService
from tidegate.venues.paper.venue import PaperVenue, instrument_of

_ACCOUNT = AccountId("backtest")
_VENUE = "paper"
_FINEST_FIRST = ("1s", "1m")
_KEPT_BARS = 128  # base candles that stay open to correction; a file has none


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """What is tried: bots on markets, with money, under limits."""

    symbols: Sequence[ExchangeSymbol]
    bots: Sequence[BotConfig]
    balances: Mapping[str, Decimal]
    limits: Limits = field(default_factory=Limits)
    seed: int = 1


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Everything that was committed, and the account as it stands at the end."""

    facts: list[Message]
    account: Account


class Backtest:
    """Feed it base candles of all symbols in the order of their open times; the same candles give the same facts."""

    def __init__(self, plan: BacktestPlan) -> None:
        self.facts: list[Message] = []
        self._plan = plan
        self._clock = ManualClock(0)
        self._exchange = Exchange(plan.symbols, CandleModel())
        self.venue = PaperVenue(self._exchange, _ACCOUNT, self._clock.now_us)
        self._signals = SignalService()
        self._marks = Marks()
        self._tracks: dict[str, Track] = {}
        self._courier = SerialCourier({_ACCOUNT: self.venue}, self._deliver)
        self._store = MemoryStore()
        self._engine = Engine(
            store=self._store,
            clock=self._clock,
            marks=self._marks,
            courier=self._courier,
            keeper=self,
            signals=self._signals,
        )

    async def run(self, candles: Iterable[Candle]) -> BacktestResult:
        """Play all candles; market orders fill at the next open, stops and targets inside the bars."""
        for opened_at, group in groupby(candles, key=lambda candle: candle.opened_at):
            bars = sorted(group, key=lambda candle: candle.symbol)
            if not self._engine.accounts:
                await self._begin(opened_at)
            await self._play(opened_at, bars)
        return BacktestResult(self.facts, self._engine.accounts[_ACCOUNT])

    async def _begin(self, at: int) -> None:
        self._clock.advance_to(at)
        for asset, quantity in self._plan.balances.items():
            self._exchange.deposit(_ACCOUNT, asset, quantity, at)
        fence = await self._store.acquire_lease(lease_of(0), _VENUE, at, 1)
        assert fence is not None, "nobody else knows this store"
        self._engine.fences[0] = fence
        account = await self.load(_ACCOUNT)
        await open_books(account, self.venue, candle_trace_id(_VENUE, Series("", ""), at), at)
        account.hindrance, account.is_stream_up = None, True
        for number, config in enumerate(self._plan.bots, start=1):
            bot = Bot(BotId(f"bot{number}"), _ACCOUNT, config, signal_key(config), BotState.RUNNING)
            account.bots.add(bot)
            self._signals.require(spec_of(config))
        base = min((base_of(config.timeframe) for config in self._plan.bots), default="1m", key=_FINEST_FIRST.index)
        for symbol in self._exchange.symbols:
            track = self._tracks[symbol] = Track(Series(symbol, base), keep=_KEPT_BARS)
            track.widen([config.timeframe for config in self._plan.bots if config.symbol == symbol], [])

    async def _play(self, opened_at: int, bars: list[Candle]) -> None:
        self._clock.advance_to(opened_at)
        for bar in bars:
            await self._hear(self._exchange.on_open(bar.symbol, bar.open, opened_at))
        self._clock.advance_to(bars[0].closes_at - 1)
        is_over = False
        while not is_over:  # in rounds: what one symbol caused may be answered in another
            told = [await self._hear(self._exchange.on_candle(bar)) for bar in bars]
            is_over = not any(told)
        self._clock.advance_to(bars[0].closes_at)
        closed = [longer for bar in bars for longer in self._tracks[bar.symbol].accept(bar)]
        for candle in closed:
            trace_id = candle_trace_id(_VENUE, Series(candle.symbol, candle.timeframe), candle.opened_at)
            await self._engine.offer(CandleClosed(trace_id=trace_id, occurred_at=candle.closes_at, candle=candle))
            await self._courier.drain()

    async def _hear(self, events: Events) -> bool:
        """What the market did to our orders, and all that follows before it moves on; False when it did nothing."""
        self.venue.hear(events)
        for event in self.venue.take_events():
            await self._engine.offer(AccountNews(_ACCOUNT, event))
        await self._courier.drain()
        return bool(events)

    async def _deliver(self, answered: CallAnswered) -> None:
        await self._engine.offer(answered)

    async def committed(self, committed: Committed) -> None:
        """Everything that happens is the result."""
        self.facts.extend(committed.facts)

    def meet(self, bot: Bot) -> None:
        """All bots of a backtest are there from the start."""

    async def load(self, account_id: AccountId) -> Account:
        around = Surroundings(
            instruments={symbol.symbol: instrument_of(symbol) for symbol in self._plan.symbols},
            marks=self._marks,
            limits=LimitBook({(Level.PLATFORM, ""): self._plan.limits}),
            wall_now=self._clock.now_us,
            fence_ms=0,
            holds_oco=True,
        )
        origin = Origin(account_id, _VENUE, Environment.PAPER)
        account, sequence = await load(self._store, origin, around, SeededIds(self._plan.seed).draw)
        self._engine.adopt(account, sequence)
        return account
