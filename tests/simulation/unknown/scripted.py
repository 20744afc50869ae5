"""A venue with a bad line: it loses requests or answers, delays, repeats and refuses, as a script says."""

from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from enum import Enum

from tidegate.domain.errors import Unavailable
from tidegate.domain.ids import ClientOrderId, VenueOrderId
from tidegate.domain.orders import (
    AccountEvent,
    BalanceReport,
    FillReport,
    OcoTicket,
    OrderReport,
    OrderTicket,
    OutcomeUnknown,
    PlaceAnswer,
    Placed,
    Refused,
)
from tidegate.venues.paper.venue import PaperVenue

Act = Callable[[], Awaitable[PlaceAnswer]]


class Fate(Enum):
    """What happens to one request."""

    ANSWERED = "answered"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    LATE = "late"  # the client gives up, the request arrives when `arrive` says so
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    BLIND = "blind"  # the answer hides what has filled


class ScriptedVenue:
    """One account at a paper exchange, over that line."""

    def __init__(self, paper: PaperVenue, step: Callable[[], None]) -> None:
        self.capabilities = paper.capabilities
        self.fates: dict[str, deque[Fate]] = defaultdict(deque)  # by verb; none left: answered
        self.before_cancel: Callable[[], None] = lambda: None  # what the market does while a cancel is on its way
        self.calls: list[tuple[str, str]] = []  # verb and client order id
        self.stream: deque[AccountEvent] = deque()
        self.is_blind = False  # look-ups find nothing, as a stale read does
        self.is_dumb = False  # look-ups fail
        self._paper = paper
        self._late: list[Act] = []
        self._step = step

    def count(self, verb: str) -> int:
        """How often the verb was called."""
        return Counter(name for name, _ in self.calls)[verb]

    async def arrive(self) -> None:
        """Requests that everybody had given up reach the exchange."""
        late, self._late = self._late, []
        for act in late:
            self._tell(await act())

    def hear_market(self) -> None:
        """What the market did to our orders goes onto the stream."""
        self.stream.extend(self._paper.take_events())

    # ── trading ──

    async def place(self, ticket: OrderTicket) -> PlaceAnswer:
        return await self._meet("place", ticket.client_order_id, lambda: self._paper.place(ticket))

    async def place_oco(self, ticket: OcoTicket) -> PlaceAnswer:
        return await self._meet("place_oco", ticket.stop_loss_id, lambda: self._paper.place_oco(ticket))

    async def cancel(self, symbol: str, client_order_id: ClientOrderId) -> PlaceAnswer:
        act, self.before_cancel = self.before_cancel, lambda: None
        act()
        return await self._meet("cancel", client_order_id, lambda: self._paper.cancel(symbol, client_order_id))

    async def _meet(self, verb: str, order_id: str, act: Act) -> PlaceAnswer:
        self.calls.append((verb, order_id))
        self._step()
        fate = self.fates[verb].popleft() if self.fates[verb] else Fate.ANSWERED
        match fate:
            case Fate.REQUEST_LOST:
                return OutcomeUnknown("no answer")
            case Fate.LATE:
                self._late.append(act)
                return OutcomeUnknown("no answer")
            case Fate.REFUSED:
                return Refused("venue.refused", "the venue does not like it")
            case Fate.UNREACHABLE:
                return Refused("venue.unreachable", "nobody listens")
        answer = await act()
        self._step()
        self._tell(answer)
        if fate is Fate.ANSWER_LOST:
            return OutcomeUnknown("no answer")
        if fate is Fate.BLIND and isinstance(answer, Placed):
            return Placed(tuple(replace(report, filled_quantity=Decimal(0)) for report in answer.reports))
        return answer

    def _tell(self, answer: PlaceAnswer) -> None:
        """The stream says what the answer says, each fill with the report that counts it."""
        if isinstance(answer, Placed):
            self.stream.extend((*answer.fills, *answer.reports))

    # ── questions ──

    async def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        self.calls.append(("look", client_order_id))
        self._step()
        if self.is_dumb:
            raise Unavailable("The venue does not answer.")
        return None if self.is_blind else await self._paper.order(symbol, client_order_id)

    async def open_orders(self) -> list[OrderReport]:
        self.calls.append(("look at all", ""))
        self._step()
        if self.is_dumb:
            raise Unavailable("The venue does not answer.")
        return await self._paper.open_orders()

    async def fills(self, symbol: str, after_trade_id: str | None) -> list[FillReport]:
        return await self._paper.fills(symbol, after_trade_id)

    async def order_fills(self, symbol: str, venue_order_id: VenueOrderId) -> list[FillReport]:
        return await self._paper.order_fills(symbol, venue_order_id)

    async def balances(self) -> list[BalanceReport]:
        return await self._paper.balances()

    async def time_offset_ms(self) -> float:
        return 0.0

    def events(self) -> AsyncIterator[AccountEvent]:
        return self._paper.events()
