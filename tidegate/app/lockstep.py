"""Lockstep: the tape moves on only when everything that one step of it caused is done, in an order that never varies.

A mark travels behind the data of each step through every stage, and behind the reports of each account. When all have
arrived, the step is played: first what is due, then what happened to our orders, then quotes, then bar by bar what the
candles or signals say; each call to the venue is answered before the next one leaves. Only then is the position
acknowledged. Position 0 is reached once every stream stands.
"""

from collections.abc import Awaitable, Callable, Iterable
from itertools import groupby
from typing import Protocol

from tidegate.app.engine import AccountNews, Stimulus, Tick
from tidegate.domain.candles import duration_us
from tidegate.domain.ids import AccountId
from tidegate.domain.messages import (
    BarEvaluated,
    CandleClosed,
    MarketMessage,
    QuoteChanged,
    Signal,
    SignalArmed,
    SignalDisarmed,
    SignalTriggered,
    TapeAdvanced,
)
from tidegate.domain.orders import AccountEvent, StreamReset, TapeMark
from tidegate.kit.clock import Clock

Offer = Callable[[Stimulus], Awaitable[None]]
Acknowledge = Callable[[int], Awaitable[None]]
_Ordered = tuple[str, int, int]
_NOWHERE = -1  # before position 0


class WaitingClock:
    """By what the engine waits and ages in lockstep: the tape's time, so that a retry comes at the same step each time.

    Until the tape moves wall time passes, because an engine that starts anew first waits for what was in doubt.
    """

    def __init__(self, clock: Clock, market_now: Callable[[], int]) -> None:
        self._clock = clock
        self._market_now = market_now
        self._began_at, self._began_us = market_now(), clock.now_us()

    def now_us(self) -> int:
        at = self._market_now()
        return at if at != self._began_at else at + self._clock.now_us() - self._began_us

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


class Drain(Protocol):
    """A courier that can finish what it carries."""

    async def drain(self) -> None:
        """Carry everything, and what the answers cause, until nothing is left."""
        ...


class StepGate:
    """Stands between the streams and the engine."""

    def __init__(self, offer: Offer, courier: Drain, accounts: Iterable[AccountId], acknowledge: Acknowledge) -> None:
        self._offer = offer
        self._courier = courier
        self._acknowledge = acknowledge
        self._reached: dict[AccountId | None, int] = dict.fromkeys([None, *accounts], _NOWHERE)  # None: the market
        self._played = _NOWHERE
        self._has_begun = False
        self._news: dict[AccountId, list[AccountEvent]] = {account: [] for account in accounts}
        self._quotes: dict[str, QuoteChanged] = {}
        self._bars: list[CandleClosed | Signal] = []

    async def begin(self) -> None:
        """The engine is ready; what has come by now is played as soon as every stream has come so far."""
        await self._courier.drain()
        self._has_begun = True
        await self._advance()

    async def on_market(self, message: MarketMessage | Signal) -> None:
        """Data of the running step, or the mark behind it."""
        match message:
            case QuoteChanged(symbol=symbol):
                self._quotes[symbol] = message
            case CandleClosed() | SignalArmed() | SignalDisarmed() | SignalTriggered() | BarEvaluated():
                self._bars.append(message)
            case TapeAdvanced(position=position):
                await self._reach(None, position)
            case _:
                pass

    async def on_account(self, account_id: AccountId, event: AccountEvent) -> None:
        """A report of the running step, or the mark behind it."""
        if isinstance(event, TapeMark):
            await self._reach(account_id, event.position)
            return
        self._news[account_id].append(event)
        if isinstance(event, StreamReset):
            await self._reach(account_id, 0)

    async def _reach(self, source: AccountId | None, position: int) -> None:
        self._reached[source] = max(position, self._reached[source])
        await self._advance()

    async def _advance(self) -> None:
        position = min(self._reached.values())
        if self._has_begun and position > self._played:
            self._played = position
            await self._play()
            await self._acknowledge(position)

    async def _play(self) -> None:
        # All of the step is here now; what our own calls cause while it is played belongs to the next one.
        told, self._news = self._news, {account_id: [] for account_id in self._news}
        quotes, self._quotes = self._quotes, {}
        await self._offer(Tick())
        await self._courier.drain()
        for account_id in sorted(told):
            for event in told[account_id]:
                await self._offer(AccountNews(account_id, event))
            await self._courier.drain()
        for symbol in sorted(quotes):
            await self._offer(quotes[symbol])
        bars, self._bars = self._bars, []
        for _, bar in groupby(sorted(bars, key=_place), key=_place):
            for message in bar:  # a candle, or in the same order all that it makes the signals say
                await self._offer(message)
            await self._courier.drain()


def _place(bar: CandleClosed | Signal) -> _Ordered:
    """Symbols in name order, short timeframes first, bars in the order of time; the sort keeps what belongs to one."""
    if isinstance(bar, CandleClosed):
        return bar.candle.symbol, duration_us(bar.candle.timeframe), bar.candle.opened_at
    return bar.symbol, duration_us(bar.timeframe), bar.bar_opened_at
