"""Builders of domain values: a test says only what it is about."""

from decimal import Decimal
from typing import Any

from tidegate.domain.ids import AccountId, BotId, ClientOrderId, IntentKey, TraceId, VenueOrderId
from tidegate.domain.instruments import Instrument
from tidegate.domain.orders import FillReport, OrderIntent, OrderPurpose, OrderReport, OrderStatus, OrderType, Side
from tidegate.execution.model import Order

ACCOUNT = AccountId("account-1")
BOT = BotId("bot-1")
TRACE = TraceId("trace-1")
NOON = 1_700_000_000_000_000  # µs


def an_instrument(**changes: Any) -> Instrument:
    """BTC/USDT with cents and 0.00001 lots."""
    values: dict[str, Any] = {
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal("0.00001"),
        "notional_min": Decimal(5),
        "maker_fee_rate": Decimal("0.001"),
        "taker_fee_rate": Decimal("0.001"),
    }
    return Instrument(**{**values, **changes})


def an_intent(**changes: Any) -> OrderIntent:
    """A market entry over one base unit."""
    values: dict[str, Any] = {
        "key": IntentKey("bot-1:1:entry"),
        "account_id": ACCOUNT,
        "bot_id": BOT,
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal(1),
        "purpose": OrderPurpose.ENTRY,
    }
    return OrderIntent(**{**values, **changes})


def an_order(*, status: OrderStatus = OrderStatus.OPEN, client_order_id: str = "s-1", **changes: Any) -> Order:
    """An open order; changes go to its intent."""
    intent = an_intent(**changes)
    return Order(
        intent=intent,
        client_order_id=ClientOrderId(client_order_id),
        attempt=1,
        trace_id=TRACE,
        hold_key=str(intent.key),
        submitted_at=NOON,
        fence_at=NOON + 3_000_000,
        status=status,
    )


def a_report(order: Order, status: OrderStatus = OrderStatus.OPEN, **changes: Any) -> OrderReport:
    """What the venue says of an order."""
    values: dict[str, Any] = {
        "client_order_id": order.client_order_id,
        "venue_order_id": VenueOrderId("77"),
        "symbol": order.intent.symbol,
        "side": order.intent.side,
        "status": status,
        "quantity": order.intent.quantity,
        "filled_quantity": Decimal(0),
        "reported_at": NOON + 1_000,
    }
    return OrderReport(**{**values, **changes})


def a_fill_report(order: Order, quantity: str = "1", **changes: Any) -> FillReport:
    """One execution of an order at 100 quote, free of fees."""
    values: dict[str, Any] = {
        "client_order_id": order.client_order_id,
        "venue_order_id": VenueOrderId("77"),
        "venue_trade_id": "1",
        "symbol": order.intent.symbol,
        "side": order.intent.side,
        "quantity": Decimal(quantity),
        "price": Decimal(100),
        "fee": Decimal(0),
        "fee_asset": "USDT",
        "is_maker": False,
        "filled_at": NOON + 2_000,
    }
    return FillReport(**{**values, **changes})
