"""Lockstep: the tape moves on only when everything that one step of it caused is done, in an order that never varies.

A mark travels behind the data of each step through every stage, and behind the reports of each account. When all have
arrived, the step is played: first what happened to our orders, then quotes, then candles or signals by name; each call
to the venue is answered before the next one leaves. Only then is the position acknowledged.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from tidegate.app.engine import AccountNews, Stimulus
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
from tidegate.domain.orders import AccountEvent, TapeMark

Offer = Callable[[Stimulus], Awaitable[None]]
Acknowledge = Callable[[int], Awaitable[None]]
_Ordered = tuple[str, int, int]


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
        self._reached: dict[AccountId | None, int] = dict.fromkeys([None, *accounts], 0)  # None: the market
        self._played = 0
        self._news: dict[AccountId, list[AccountEvent]] = {account: [] for account in accounts}
        self._quotes: dict[str, QuoteChanged] = {}
        self._bars: list[CandleClosed | Signal] = []

    async def begin(self) -> None:
        """Everybody is ready: the tape may take its first step."""
        await self._courier.drain()
        await self._acknowledge(0)

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
        else:
            self._news[account_id].append(event)

    async def _reach(self, source: AccountId | None, position: int) -> None:
        self._reached[source] = max(position, self._reached[source])
        position = min(self._reached.values())
        if position > self._played:
            self._played = position
            await self._play()
            await self._acknowledge(position)

    async def _play(self) -> None:
        for account_id in sorted(self._news):
            news, self._news[account_id] = self._news[account_id], []
            for event in news:
                await self._offer(AccountNews(account_id, event))
            await self._courier.drain()
        quotes, self._quotes = self._quotes, {}
        for symbol in sorted(quotes):
            await self._offer(quotes[symbol])
        bars, self._bars = self._bars, []
        for bar in sorted(bars, key=_place):
            await self._offer(bar)
            await self._courier.drain()


def _place(bar: CandleClosed | Signal) -> _Ordered:
    """Symbols in name order, short timeframes first, bars in the order of time; the sort keeps what belongs to one."""
    if isinstance(bar, CandleClosed):
        return bar.candle.symbol, duration_us(bar.candle.timeframe), bar.candle.opened_at
    return bar.symbol, duration_us(bar.timeframe), bar.bar_opened_at
