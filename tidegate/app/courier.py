"""Carries calls to the venues after their commit, and the answers back as stimuli."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tidegate.app.account import NOT_SENT
from tidegate.domain.errors import TidegateError
from tidegate.domain.ids import AccountId
from tidegate.domain.orders import BalanceReport, FillReport, OrderPurpose, OrderReport, PlaceAnswer, Refused
from tidegate.domain.ports import Venue
from tidegate.execution.model import CancelAtVenue, FetchOpenOrders, FetchOrder, PlaceOco, PlaceOrder, VenueCall
from tidegate.kit.crash import CrashKind, CrashPoint, crash_point


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """What a look-up found; `report` is None when the venue knows no such order, which proves nothing by itself."""

    report: OrderReport | None
    fills: tuple[FillReport, ...] = ()
    balances: tuple[BalanceReport, ...] | None = None  # of the account, where they were asked for


@dataclass(frozen=True, slots=True)
class OpenOrders:
    """What the venue had open when it was asked."""

    reports: tuple[OrderReport, ...]


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The look-up itself failed; it may be repeated."""

    detail: str


_LEAVE_SHARE = 5  # a placement leaves in the first fifth of its fence; the rest is for the way and the venue

Answer = PlaceAnswer | OrderAnswer | OpenOrders | NoAnswer


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A stimulus: what became of one call."""

    account_id: AccountId
    call: VenueCall
    answer: Answer


Deliver = Callable[[CallAnswered], Awaitable[None]]


class Courier(Protocol):
    """Takes calls that are durable and brings each answer back exactly once."""

    def send(self, account_id: AccountId, call: VenueCall) -> None:
        """Start the call; never waits."""
        ...


async def ask(venue: Venue, call: VenueCall) -> Answer:
    """One call, one answer; nothing is ever sent twice."""
    crash_point(CrashPoint.BEFORE_SEND, kind_of(call))
    answer = await _asked(venue, call)
    crash_point(CrashPoint.AFTER_ANSWER, kind_of(call))
    return answer


def kind_of(call: VenueCall) -> CrashKind:
    """What a call is about, for the crash points."""
    match call:
        case PlaceOrder(purpose=OrderPurpose.ENTRY):
            return CrashKind.ENTRY
        case PlaceOrder(purpose=OrderPurpose.EXIT):
            return CrashKind.EXIT
        case PlaceOrder() | PlaceOco():
            return CrashKind.STOP
        case CancelAtVenue():
            return CrashKind.CANCEL
        case FetchOrder() | FetchOpenOrders():
            return CrashKind.LOOK


async def _asked(venue: Venue, call: VenueCall) -> Answer:
    match call:
        case PlaceOrder(ticket=ticket):
            return await venue.place(ticket)
        case PlaceOco(ticket=ticket):
            return await venue.place_oco(ticket)
        case CancelAtVenue(symbol=symbol, client_order_id=order_id):
            return await venue.cancel(symbol, order_id)
        case FetchOrder(symbol=symbol, client_order_id=order_id, with_balances=with_balances):
            try:
                report = await venue.order(symbol, order_id)
                if report is None:
                    return OrderAnswer(None, balances=tuple(await venue.balances()) if with_balances else None)
                return OrderAnswer(report, tuple(await venue.order_fills(symbol, report.venue_order_id)))
            except TidegateError as error:
                return NoAnswer(str(error))
        case FetchOpenOrders():
            try:
                return OpenOrders(tuple(await venue.open_orders()))
            except TidegateError as error:
                return NoAnswer(str(error))


class ConcurrentCourier:
    """Every call at once, as a task of its own; an order that is late for its fence does not leave any more."""

    def __init__(
        self,
        venues: Mapping[AccountId, Venue],
        deliver: Deliver,
        tasks: asyncio.TaskGroup,
        *,
        wall_now: Callable[[], int],
        fence_ms: int,
    ) -> None:
        self._venues = venues
        self._deliver = deliver
        self._tasks = tasks
        self._wall_now = wall_now
        self._way_us = fence_ms * 1_000 * (_LEAVE_SHARE - 1) // _LEAVE_SHARE
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, account_id: AccountId, call: VenueCall) -> None:
        task = self._tasks.create_task(self._carry(account_id, call), name=f"call:{type(call).__name__}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def drain(self) -> None:
        """Wait until no call is under way, those included that the answers cause."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _carry(self, account_id: AccountId, call: VenueCall) -> None:
        if isinstance(call, PlaceOrder | PlaceOco) and self._wall_now() > call.fence_at - self._way_us:
            # A pause this long may have cost the lease: another engine may be about to prove the order dead.
            answer: Answer = Refused(NOT_SENT, "The order was not sent, because it had waited too long for it.")
        else:
            answer = await ask(self._venues[account_id], call)
        await self._deliver(CallAnswered(account_id, call, answer))


class SerialCourier:
    """One call after the other, in the order of their commits: the courier of lockstep and backtest."""

    def __init__(self, venues: Mapping[AccountId, Venue], deliver: Deliver) -> None:
        self._venues = venues
        self._deliver = deliver
        self._waiting: deque[tuple[AccountId, VenueCall]] = deque()

    def send(self, account_id: AccountId, call: VenueCall) -> None:
        self._waiting.append((account_id, call))

    async def drain(self) -> None:
        """Carry everything that waits, and what the answers cause, until nothing is left."""
        while self._waiting:
            account_id, call = self._waiting.popleft()
            answer = await ask(self._venues[account_id], call)
            await self._deliver(CallAnswered(account_id, call, answer))
