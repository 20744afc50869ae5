"""The engine: decide in memory, commit once, then act.

    stimulus ─▶ signals ─▶ bots ─▶ risk ─▶ ledger hold ─▶ execution ═ one commit ═▶ venue calls
    answers and reports come back as stimuli of their own; facts go to the log, and from there to everybody else

A stimulus is anything from outside: a market message, a signal of another process, news of an account, the answer of
a call, a command, a tick. One is handled after the other; the cascade never waits, only its commit does.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tidegate.app.account import Account
from tidegate.app.answers import take_answer, take_event
from tidegate.app.commands import Outcome, obey
from tidegate.app.courier import CallAnswered, Courier
from tidegate.app.crash_points import AFTER_COMMIT, BEFORE_COMMIT, around_commit
from tidegate.app.gate import converge, take_signal
from tidegate.app.loading import signal_key
from tidegate.app.marks import Marks
from tidegate.app.writing import write_account, write_outcome
from tidegate.bots.model import Bot
from tidegate.bots.repository import load_bot
from tidegate.domain.candles import Candle
from tidegate.domain.errors import Conflict, Unavailable
from tidegate.domain.ids import AccountId, ClientOrderId, TraceId, shard_of
from tidegate.domain.messages import (
    BarEvaluated,
    CancelOrder,
    CandleClosed,
    Command,
    ForceExit,
    GapRepaired,
    MarketMessage,
    Message,
    PauseBot,
    QuoteChanged,
    Request,
    SetKillSwitch,
    Signal,
    SignalArmed,
    SignalDisarmed,
    SignalTriggered,
    StartBot,
    StopBot,
    SubmitOrder,
    TapeAdvanced,
    TradePrinted,
)
from tidegate.domain.orders import AccountEvent, FillReport, OrderReport
from tidegate.execution.repository import load_fill_ids, load_order
from tidegate.kit.clock import Clock
from tidegate.kit.db import Store, WriteSet, inbox


@dataclass(frozen=True, slots=True)
class AccountNews:
    """Something that a venue's private stream said of one account."""

    account_id: AccountId
    event: AccountEvent


@dataclass(frozen=True, slots=True)
class Opened:
    """The books of an account were begun: what that changed is written."""

    account_id: AccountId


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: orders in doubt are asked about, refused ones tried again."""


Stimulus = MarketMessage | Signal | AccountNews | CallAnswered | Request | Opened | Tick


class Signals(Protocol):
    """The computation of signals, in this process."""

    def on_candle(self, candle: Candle, trace_id: TraceId) -> Iterable[Signal]:
        """What every rule makes of a closed candle."""
        ...


@dataclass(frozen=True, slots=True)
class Committed:
    """What one stimulus made durable: for whoever listens inside this process."""

    facts: tuple[Message, ...]
    outcome: Outcome | None


class Keeper(Protocol):
    """Whoever runs an engine: a role, or a backtest."""

    async def load(self, account_id: AccountId) -> Account:
        """Build an account from what is committed and let the engine adopt it."""
        ...

    def meet(self, bot: Bot) -> None:
        """A bot begins to listen; met again it changes nothing. Never waits: candles may be on their way through us."""
        ...

    async def committed(self, committed: Committed) -> None:
        """Something became durable."""
        ...


class Engine:
    """Holds the accounts whose shards it has leased, and nothing that the database could not give back."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        marks: Marks,
        courier: Courier,
        keeper: Keeper,
        signals: Signals | None,
        shards: int = 1,
    ) -> None:
        self.accounts: dict[AccountId, Account] = {}
        self.fences: dict[int, int] = {}
        self._store = store
        self._clock = clock
        self._marks = marks
        self._courier = courier
        self._keeper = keeper
        self._signals = signals
        self._shards = shards
        self._waiting: deque[Stimulus] = deque()
        self._is_handling = False
        self._is_over = False
        self._sequences: dict[AccountId, int] = {}

    def adopt(self, account: Account, sequence: int) -> None:
        """Take an account over that was loaded; `sequence` is the last event of its log."""
        self.accounts[account.account_id] = account
        self._sequences[account.account_id] = sequence

    async def offer(self, stimulus: Stimulus) -> None:
        """Handle a stimulus now, or right after those that wait already; after a cancelled one there are no others."""
        if self._is_over:
            return
        self._waiting.append(stimulus)
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._waiting:
                await self._handle(self._waiting.popleft())
        except asyncio.CancelledError:
            # Memory is ahead of the database now, and nothing may be written on top of it.
            self._is_over = True
            raise
        finally:
            self._is_handling = False

    async def _handle(self, stimulus: Stimulus) -> None:
        if isinstance(stimulus, AccountNews):
            await self._recall_reported(self.accounts[stimulus.account_id], stimulus.event)
        elif isinstance(stimulus, Command):
            if await self._was_obeyed(stimulus):
                return
            await self._recall_named(self.accounts[stimulus.account_id], stimulus)
        touched, outcome = self._cascade(stimulus)
        for account in touched:
            converge(account)
        await self._commit(stimulus, touched, outcome)

    def _cascade(self, stimulus: Stimulus) -> tuple[list[Account], Outcome | None]:
        """Everything one stimulus causes, in memory: the accounts it touched, and what a command came to."""
        now = self._clock.now_us()
        match stimulus:
            case QuoteChanged():
                self._marks.on_quote(stimulus, now)
            case CandleClosed(is_history=True):
                pass  # the keeper warms the rules up with it; nothing is traded on it
            case CandleClosed(candle=candle):
                self._marks.on_close(candle.symbol, candle.close, candle.closes_at, now)
                if self._signals is not None:
                    return self._take_signals(self._signals.on_candle(candle, stimulus.trace_id)), None
            case SignalArmed() | SignalDisarmed() | SignalTriggered() | BarEvaluated():
                self._marks.on_close(stimulus.symbol, stimulus.close, stimulus.occurred_at, now)
                return self._take_signals([stimulus]), None
            case AccountNews(account_id=account_id, event=event):
                take_event(self.accounts[account_id], event)
                return [self.accounts[account_id]], None
            case CallAnswered(account_id=account_id):
                take_answer(self.accounts[account_id], stimulus, now)
                return [self.accounts[account_id]], None
            case Opened(account_id=account_id):
                return [self.accounts[account_id]], None
            case Tick():
                return [account for account in self.accounts.values() if account.on_tick(now)], None
            case SubmitOrder() | CancelOrder() | StartBot() | PauseBot() | StopBot() | ForceExit() | SetKillSwitch():
                account = self.accounts[stimulus.account_id]
                account.begin(self._marks.at, stimulus.trace_id)  # the asker may not know the market's time
                return [account], obey(account, stimulus)
            case TradePrinted() | GapRepaired() | TapeAdvanced():
                pass
        return [], None

    def _take_signals(self, signals: Iterable[Signal]) -> list[Account]:
        touched: dict[AccountId, Account] = {}
        for signal in signals:
            for account in self.accounts.values():
                if account.bots.listening_to(signal.signal_key):
                    account.begin(signal.occurred_at, signal.trace_id)
                    take_signal(account, signal)
                    touched[account.account_id] = account
        return list(touched.values())

    async def _was_obeyed(self, command: Command) -> bool:
        return bool(await self._store.load(inbox, command_id=command.command_id))

    async def _recall_reported(self, account: Account, event: AccountEvent) -> None:
        """Load a finished order that a late report names; an order that nobody knows is foreign and stays so."""
        if not isinstance(event, OrderReport | FillReport):
            return
        if account.execution.orders.find(event.client_order_id, event.symbol, event.venue_order_id) is None:
            await self._recall(account, event.client_order_id)

    async def _recall_named(self, account: Account, command: Command) -> None:
        """Load what a command names and this engine has not met yet: a new bot, a finished order."""
        match command:
            case StartBot(bot_id=bot_id) | PauseBot(bot_id=bot_id) | StopBot(bot_id=bot_id) | ForceExit(bot_id=bot_id):
                bot = next((bot for bot in account.bots.all() if bot.bot_id == bot_id), None)
                if bot is None and (bot := await load_bot(self._store, bot_id, account.account_id, signal_key)):
                    account.bots.add(bot)
                if bot is not None and isinstance(command, StartBot):
                    self._keeper.meet(bot)
            case SubmitOrder(intent=intent):
                await self._recall(account, account.execution.id_of(intent))
            case CancelOrder(client_order_id=order_id):
                await self._recall(account, order_id)
            case _:
                pass

    async def _recall(self, account: Account, order_id: ClientOrderId) -> None:
        """Bring an order of an earlier life back, if there is one."""
        if account.execution.orders.has(order_id):
            return
        order = await load_order(self._store, account.account_id, order_id)
        if order is not None:
            account.execution.restore([order], await load_fill_ids(self._store, order_id))

    async def _commit(self, stimulus: Stimulus, touched: list[Account], outcome: Outcome | None) -> None:
        """One commit for all that changed; the venue is called only afterwards."""
        write_set = WriteSet()
        if outcome is not None:
            write_outcome(outcome, touched[0].account_id, self._shard(touched[0]), self._clock.now_us(), write_set)
        written = [
            (account, write_account(account, self._sequences[account.account_id], write_set)) for account in touched
        ]
        if not write_set.is_empty():
            write_set.fences = {shard: self.fences[shard] for shard in {self._shard(account) for account in touched}}
            around_commit(stimulus, written, BEFORE_COMMIT)
            try:
                await self._store.commit(write_set)
            except (Conflict, Unavailable):
                # What memory holds now was never promised to anybody: the database says what is true.
                for account in touched:
                    await self._keeper.load(account.account_id)
                raise
        around_commit(stimulus, written, AFTER_COMMIT)
        for account, (facts, calls) in written:
            self._sequences[account.account_id] += len(facts)
            for call in calls:
                self._courier.send(account.account_id, call)
        if written or outcome:
            facts = tuple(fact for _, (facts, _) in written for fact in facts)
            await self._keeper.committed(Committed(facts, outcome))

    def _shard(self, account: Account) -> int:
        return shard_of(account.account_id, self._shards)
