"""What a position needs next: protection for what is held, or a way out. The same answer after any crash.

Pure and memoryless: it looks at the position and its live orders and names the next steps. Nothing is done while an
outcome is unknown or a cancel is under way, so that total exits never exceed the position.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tidegate.domain.ids import ClientOrderId
from tidegate.domain.instruments import Instrument
from tidegate.domain.money import ZERO
from tidegate.domain.orders import OrderPurpose, OrderStatus, OrderType, TimeInForce
from tidegate.execution.model import Order
from tidegate.execution.positions import Position

_SETTLING = frozenset({OrderStatus.PENDING, OrderStatus.UNKNOWN})
_LIMIT_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


@dataclass(frozen=True, slots=True)
class Protect:
    """Put a stop (and a target, if there is one) under so much base."""

    quantity: Decimal
    stop_price: Decimal
    take_profit_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """End one order; ending one leg ends its list."""

    client_order_id: ClientOrderId


@dataclass(frozen=True, slots=True)
class Close:
    """Sell so much base at market."""

    quantity: Decimal


Step = Protect | Withdraw | Close


def next_steps(
    position: Position, live: Sequence[Order], instrument: Instrument, mark_price: Decimal | None
) -> list[Step]:
    """The steps that bring the position to where it should be; none when it is there or must wait."""
    if any(order.status in _SETTLING or order.is_cancel_requested or order.missing_quantity for order in live):
        return []
    entries = [order for order in live if order.intent.purpose is OrderPurpose.ENTRY]
    protection = [order for order in live if order.is_protective]
    exits = [order for order in live if order.intent.purpose is OrderPurpose.EXIT]
    if any(not _may_rest(order) for order in exits):
        return []
    promised = sum((order.open_quantity for order in exits), ZERO)
    unpromised = replace(position, quantity=position.quantity - promised)
    sellable = sellable_quantity(unpromised, instrument, mark_price)
    if position.exit_reason:
        at_once = min(sellable, instrument.market_quantity_max or sellable)
        return _way_out(at_once, [*entries, *exits], protection)
    if any(not _may_rest(order) for order in entries):
        return []
    return _protection(position, sellable, protection)


def sellable_quantity(position: Position, instrument: Instrument, mark_price: Decimal | None) -> Decimal:
    """What the venue would let us sell (base): whole lots above its minimum; the rest is dust."""
    quantity = instrument.snap_quantity(position.quantity)
    price = mark_price if mark_price is not None else position.entry_price
    if quantity <= 0 or quantity < instrument.quantity_min or quantity * price < instrument.notional_min:
        return ZERO
    return quantity


def covered_quantity(live: Sequence[Order]) -> Decimal:
    """Base under live stops."""
    return sum((order.open_quantity for order in live if order.intent.purpose is OrderPurpose.STOP_LOSS), ZERO)


def _way_out(sellable: Decimal, entries: Sequence[Order], protection: Sequence[Order]) -> list[Step]:
    in_the_way = [*entries, *_one_per_list(protection)]
    if in_the_way:
        return [Withdraw(order.client_order_id) for order in in_the_way]
    return [Close(sellable)] if sellable else []


def _protection(position: Position, sellable: Decimal, protection: Sequence[Order]) -> list[Step]:
    if position.stop_loss_price is None or covered_quantity(protection) == sellable:
        return []
    if protection:
        return [Withdraw(order.client_order_id) for order in _one_per_list(protection)]
    return [Protect(sellable, position.stop_loss_price, position.take_profit_price)]


def _one_per_list(orders: Sequence[Order]) -> list[Order]:
    return list({order.list_id or order.client_order_id: order for order in orders}.values())


def _may_rest(order: Order) -> bool:
    """Whether the order can stay as it is for long; the others settle by themselves at once."""
    if order.intent.type in _LIMIT_TYPES:
        return order.intent.time_in_force is TimeInForce.GTC
    return order.intent.type is not OrderType.MARKET and not order.filled_quantity  # not triggered yet
