"""Orders, trades and balances as Binance writes them: in REST answers and in account events."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tidegate.domain.instruments import stream_symbol
from tidegate.domain.money import ZERO
from tidegate.domain.orders import OrderStatus, Side
from tidegate.exchange.model import (
    Balance,
    BalancesChanged,
    Deposited,
    Event,
    ListChanged,
    Order,
    OrderAccepted,
    OrderEnded,
    OrderList,
    OrderWorking,
    Trade,
    Traded,
)
from tidegate.venues.simulator.frames import Json, milliseconds, number
from tidegate.venues.simulator.words import EXPIRY_REASONS, STATUSES, type_name


def acknowledged(order: Order, at: int) -> Json:
    """`newOrderRespType=ACK`."""
    return {
        "symbol": stream_symbol(order.symbol),
        "orderId": order.order_id,
        "orderListId": _list_id(order.list_id),
        "clientOrderId": order.client_order_id,
        "transactTime": milliseconds(at),
    }


def result(order: Order, at: int) -> Json:
    """`newOrderRespType=RESULT`."""
    return acknowledged(order, at) | _state(order)


def full(order: Order, trades: Iterable[Trade], at: int) -> Json:
    """`newOrderRespType=FULL`: with the fills that came at once."""
    fills = [
        {
            "price": number(trade.price),
            "qty": number(trade.quantity),
            "commission": number(trade.fee),
            "commissionAsset": trade.fee_asset,
            "tradeId": trade.trade_id,
        }
        for trade in trades
    ]
    return result(order, at) | {"fills": fills}


def queried(order: Order) -> Json:
    """A row of GET order, openOrders and allOrders."""
    return {
        "symbol": stream_symbol(order.symbol),
        "orderId": order.order_id,
        "orderListId": _list_id(order.list_id),
        "clientOrderId": order.client_order_id,
        "stopPrice": _price(order.stop_price),
        "icebergQty": number(ZERO),
        "time": milliseconds(order.created_at),
        "updateTime": milliseconds(order.updated_at),
        "isWorking": order.is_working,
    } | _state(order)


def cancelled(order: Order, at: int) -> Json:
    """The answer to a cancel: `clientOrderId` is the cancel's own id."""
    return (
        acknowledged(order, at)
        | {
            "origClientOrderId": order.client_order_id,
            "clientOrderId": order.cancel_client_id,
        }
        | _state(order)
    )


def _state(order: Order) -> Json:
    shown: Json = {
        "price": _price(order.limit_price),
        "origQty": number(order.quantity),
        "executedQty": number(order.filled_quantity),
        "origQuoteOrderQty": _price(order.quote_quantity),
        "cummulativeQuoteQty": number(order.filled_notional),
        "status": STATUSES[order.status],
        "timeInForce": order.time_in_force.value.upper(),
        "type": type_name(order),
        "side": order.side.value.upper(),
        "workingTime": -1 if order.working_at is None else milliseconds(order.working_at),
        "selfTradePreventionMode": "NONE",
    }
    if order.stop_price is not None:
        shown["stopPrice"] = number(order.stop_price)
    if order.end_reason in EXPIRY_REASONS and order.status is OrderStatus.EXPIRED:
        shown["expiryReason"] = EXPIRY_REASONS[order.end_reason]
    return shown


def order_list(changed: OrderList) -> Json:
    """GET orderList."""
    return {
        "orderListId": changed.list_id,
        "contingencyType": "OCO",
        "listStatusType": "ALL_DONE" if changed.is_done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if changed.is_done else "EXECUTING",
        "listClientOrderId": changed.list_client_id,
        "transactionTime": milliseconds(changed.updated_at),
        "symbol": stream_symbol(changed.symbol),
        "orders": _list_rows(changed, "symbol", "orderId", "clientOrderId"),
    }


def own_trade(trade: Trade) -> Json:
    """A row of GET myTrades."""
    return {
        "symbol": stream_symbol(trade.symbol),
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": _list_id(trade.list_id),
        "price": number(trade.price),
        "qty": number(trade.quantity),
        "quoteQty": number(trade.notional),
        "commission": number(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": milliseconds(trade.traded_at),
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def balance(entry: Balance) -> Json:
    """A row of GET account."""
    return {"asset": entry.asset, "free": number(entry.free), "locked": number(entry.locked)}


# ── account events ───────────────────────────────────────────────────────────────────────────────────────


def account_event(event: Event, execution_id: int, at: int) -> Json | None:
    """The payload that tells an event to its account, or None for what is not told; `at` is µs of the telling."""
    match event:
        case OrderAccepted(order):
            return _execution(order, "NEW", execution_id, at)
        case OrderWorking(order):
            return None if order.stop_price is None else _execution(order, "NEW", execution_id, at)
        case Traded(order, trade):
            return _execution(order, "TRADE", execution_id, at) | _last_fill(trade)
        case OrderEnded(order):
            return _ended(order, execution_id, at)
        case ListChanged(changed):
            return _list_status(changed, at)
        case BalancesChanged():
            return _position(event.balances, event.changed_at, at)
        case Deposited():
            return {
                "e": "balanceUpdate",
                "E": milliseconds(at),
                "a": event.asset,
                "d": number(event.quantity),
                "T": milliseconds(event.deposited_at),
            }
        case _:
            return None


def _execution(order: Order, execution: str, execution_id: int, at: int) -> Json:
    shown: Json = {
        "e": "executionReport",
        "E": milliseconds(at),
        "s": stream_symbol(order.symbol),
        "c": order.client_order_id,
        "S": order.side.value.upper(),
        "o": type_name(order),
        "f": order.time_in_force.value.upper(),
        "q": number(order.quantity),
        "p": _price(order.limit_price),
        "P": _price(order.stop_price),
        "F": number(ZERO),
        "g": _list_id(order.list_id),
        "C": "",
        "x": execution,
        "X": STATUSES[order.status],
        "r": "NONE",
        "i": order.order_id,
        "l": number(ZERO),
        "z": number(order.filled_quantity),
        "L": number(ZERO),
        "n": "0",
        "N": None,
        "T": milliseconds(order.updated_at),
        "t": -1,
        "I": execution_id,
        "w": order.is_working and order.is_open,
        "m": False,
        "M": False,
        "O": milliseconds(order.created_at),
        "Z": number(order.filled_notional),
        "Y": number(ZERO),
        "Q": _price(order.quote_quantity),
        "V": "NONE",
    }
    if order.working_at is not None:
        shown["W"] = milliseconds(order.working_at)
    return shown


def _last_fill(trade: Trade) -> Json:
    return {
        "l": number(trade.quantity),
        "L": number(trade.price),
        "Y": number(trade.notional),
        "n": number(trade.fee),
        "N": trade.fee_asset,
        "t": trade.trade_id,
        "m": trade.is_maker,
        "M": True,
    }


def _ended(order: Order, execution_id: int, at: int) -> Json:
    if order.status is OrderStatus.CANCELLED:
        # In a cancel `c` is the id of the cancel and `C` that of the order.
        ids: Json = {"c": order.cancel_client_id, "C": order.client_order_id}
        return _execution(order, "CANCELED", execution_id, at) | ids
    shown = _execution(order, "EXPIRED", execution_id, at)
    if order.end_reason in EXPIRY_REASONS:
        shown["eR"] = EXPIRY_REASONS[order.end_reason]
    return shown


def _list_status(changed: OrderList, at: int) -> Json:
    return {
        "e": "listStatus",
        "E": milliseconds(at),
        "s": stream_symbol(changed.symbol),
        "g": changed.list_id,
        "c": "OCO",
        "l": "ALL_DONE" if changed.is_done else "EXEC_STARTED",
        "L": "ALL_DONE" if changed.is_done else "EXECUTING",
        "r": "NONE",
        "C": changed.list_client_id,
        "T": milliseconds(changed.updated_at),
        "O": _list_rows(changed, "s", "i", "c"),
    }


def _position(balances: Sequence[Balance], changed_at: int, at: int) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": milliseconds(at),
        "u": milliseconds(changed_at),
        "B": [{"a": b.asset, "f": number(b.free), "l": number(b.locked)} for b in balances],
    }


def _list_rows(changed: OrderList, symbol: str, order_id: str, client_id: str) -> list[Json]:
    return [
        {symbol: stream_symbol(changed.symbol), order_id: number_, client_id: client}
        for number_, client in zip(changed.order_ids, changed.client_order_ids, strict=True)
    ]


def _list_id(list_id: int | None) -> int:
    return -1 if list_id is None else list_id


def _price(price: Decimal | None) -> str:
    return number(price or ZERO)
