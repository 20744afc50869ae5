"""The order as a state machine, and the calls a venue may be asked to answer."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.errors import Conflict
from tidegate.domain.ids import ClientOrderId, TraceId, VenueOrderId
from tidegate.domain.money import ZERO
from tidegate.domain.orders import (
    FINAL_STATUSES,
    OcoTicket,
    OrderIntent,
    OrderPurpose,
    OrderStatus,
    OrderTicket,
    OrderType,
)

LIVE_STATUSES = frozenset({OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.UNKNOWN})
PROTECTIVE_PURPOSES = frozenset({OrderPurpose.STOP_LOSS, OrderPurpose.TAKE_PROFIT})


class IllegalTransition(Conflict):
    """The venue told something that cannot follow what it told before; the account is reconciled anew."""

    code = "execution.illegal_transition"


@dataclass(slots=True)
class Order:
    """One attempt at one intent: what was asked, what is known of it, and until when nobody can know."""

    intent: OrderIntent
    client_order_id: ClientOrderId
    attempt: int
    trace_id: TraceId
    hold_key: str  # both legs of a list share one hold
    submitted_at: int  # µs, market time
    fence_at: int  # µs, wall time after which the venue must refuse a delayed request
    list_id: str | None = None
    status: OrderStatus = OrderStatus.PENDING
    venue_order_id: VenueOrderId | None = None
    filled_quantity: Decimal = ZERO  # base
    filled_notional: Decimal = ZERO  # quote
    is_cancel_requested: bool = False  # somebody wants its end; true until it has ended
    reported_quantity: Decimal = ZERO  # the venue's cumulative fill; more than we booked means fills to fetch
    ending: tuple[OrderStatus, str] | None = None  # how it ended, while fills are still missing
    sequence: int = 0  # of the last state row
    detail: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it may still fill, as far as anybody knows."""
        return self.status in LIVE_STATUSES

    @property
    def is_protective(self) -> bool:
        return self.intent.purpose in PROTECTIVE_PURPOSES

    @property
    def open_quantity(self) -> Decimal:
        """What may still fill (base): for an unknown order all of it, since unknown counts as filled."""
        return self.intent.quantity - self.filled_quantity if self.is_live else ZERO

    @property
    def missing_quantity(self) -> Decimal:
        """What the venue says has filled and we have not booked yet (base)."""
        return max(self.reported_quantity - self.filled_quantity, ZERO)

    def ticket(self) -> OrderTicket:
        """The order as the venue is asked for it."""
        intent = self.intent
        return OrderTicket(
            client_order_id=self.client_order_id,
            symbol=intent.symbol,
            side=intent.side,
            type=intent.type,
            quantity=intent.quantity,
            limit_price=intent.limit_price,
            stop_price=intent.stop_price,
            time_in_force=intent.time_in_force,
            post_only=intent.post_only,
            reduces=intent.reduce_only,
        )

    def accept(self, venue_order_id: VenueOrderId) -> bool:
        """The venue has it, even if it was given up before; False when that is late news."""
        is_news = self.venue_order_id is None
        if not is_news and self.venue_order_id != venue_order_id:
            raise IllegalTransition(
                f"Order {self.client_order_id} is {self.venue_order_id} at the venue, so not {venue_order_id}."
            )
        self.venue_order_id = venue_order_id
        was_given_up = is_news and self.status is OrderStatus.REJECTED
        if was_given_up or self.status in (OrderStatus.PENDING, OrderStatus.UNKNOWN):
            self.status = OrderStatus.PARTIALLY_FILLED if self.filled_quantity else OrderStatus.OPEN
        return is_news

    def fill(self, quantity: Decimal, price: Decimal) -> None:
        """Part or all of it traded; a fill after the end is booked and changes no final status."""
        filled = self.filled_quantity + quantity
        if quantity <= 0 or filled > self.intent.quantity:
            raise IllegalTransition(
                f"Order {self.client_order_id} over {self.intent.quantity} cannot have filled {filled}."
            )
        self.filled_quantity = filled
        self.filled_notional += quantity * price
        self.reported_quantity = max(self.reported_quantity, filled)
        if self.status in FINAL_STATUSES and self.status is not OrderStatus.REJECTED:
            return
        is_complete = filled == self.intent.quantity
        self.status = OrderStatus.FILLED if is_complete else OrderStatus.PARTIALLY_FILLED

    def finish(self, status: OrderStatus, detail: str) -> bool:
        """It ended without filling (further); False when it had ended before."""
        if self.status in FINAL_STATUSES:
            return False
        self.status = status
        self.detail = detail
        self.ending = None
        return True

    def doubt(self) -> bool:
        """A request about it left and no answer came; False when the venue had told its state before."""
        if self.status is not OrderStatus.PENDING:
            return False
        self.status = OrderStatus.UNKNOWN
        return True


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Send one order, once."""

    ticket: OrderTicket
    purpose: OrderPurpose
    fence_at: int  # µs, wall time


@dataclass(frozen=True, slots=True)
class PlaceOco:
    """Send two legs of which one cancels the other, once."""

    ticket: OcoTicket
    fence_at: int  # µs, wall time


@dataclass(frozen=True, slots=True)
class CancelAtVenue:
    """Ask the matching engine to end an order; also the probe that tells whether it ever existed."""

    symbol: str
    client_order_id: ClientOrderId


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """Ask what became of an order, its fills included."""

    symbol: str
    client_order_id: ClientOrderId
    with_balances: bool = False  # where not finding it is to prove that it never existed


@dataclass(frozen=True, slots=True)
class FetchOpenOrders:
    """Ask which orders may still fill; what became of the others is asked of each."""


VenueCall = PlaceOrder | PlaceOco | CancelAtVenue | FetchOrder | FetchOpenOrders


def resting_price(intent: OrderIntent) -> Decimal | None:
    """The highest price a buyer (lowest a seller) may pay per base, or None for a pure market order."""
    if intent.type in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT):
        return intent.limit_price
    return intent.stop_price
