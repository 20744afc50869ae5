"""Between Binance's words for orders and the exchange's."""

from tidegate.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from tidegate.exchange.model import EndReason, Order, Refusal, RefusalCode
from tidegate.venues.simulator.wire import WireError

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
TYPES = {
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
}
STATUSES = {
    OrderStatus.PENDING: "NEW",
    OrderStatus.OPEN: "NEW",
    OrderStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELLED: "CANCELED",
    OrderStatus.REJECTED: "REJECTED",
    OrderStatus.EXPIRED: "EXPIRED",
}
EXPIRY_REASONS = {
    EndReason.IOC_UNFILLED: "UNFILLED_IOC_QUANTITY_EXPIRED",
    EndReason.FOK_UNFILLED: "UNFILLED_FOK_ORDER_EXPIRED",
    EndReason.NO_LIQUIDITY: "INSUFFICIENT_LIQUIDITY",
    EndReason.INSUFFICIENT_BALANCE: "REJECTED",
    EndReason.OCO_TRIGGERED: "OCO_TRIGGER",
    EndReason.WOULD_MATCH: "REJECTED",
}
_TYPE_NAMES = {kind: name for name, kind in TYPES.items() if name != "LIMIT_MAKER"}
_REFUSALS = {
    RefusalCode.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    RefusalCode.INSUFFICIENT_BALANCE: (-2010, "Account has insufficient balance for requested action."),
    RefusalCode.DUPLICATE_ORDER: (-2010, "Duplicate order sent."),
    RefusalCode.WOULD_TRIGGER: (-2010, "Order would trigger immediately."),
    RefusalCode.WOULD_MATCH: (-2010, "Order would immediately match and take."),
    RefusalCode.OCO_PRICES: (-2010, "The relationship of the prices for the orders is not correct."),
    RefusalCode.MARKET_CLOSED: (-2010, "Market is closed."),
    RefusalCode.NO_PRICE: (-2010, "Market is closed."),
    RefusalCode.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
}


def type_name(order: Order) -> str:
    """LIMIT_MAKER for post-only, else the type's own word."""
    return "LIMIT_MAKER" if order.post_only else _TYPE_NAMES[order.type]


def wire_error(refusal: Refusal) -> WireError:
    """The code and sentence under which Binance says the same."""
    if refusal.code is RefusalCode.FILTER:
        return WireError(-1013, f"Filter failure: {refusal.filter_name}")
    code, message = _REFUSALS.get(refusal.code, (-1106, str(refusal)))
    return WireError(code, message)
