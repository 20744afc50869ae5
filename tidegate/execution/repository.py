"""Orders, fills, positions and round trips: rows into a write set, and rows back into memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.ids import AccountId, BotId, ClientOrderId, FillId, TraceId, VenueOrderId
from tidegate.domain.messages import OrderFilled, TradeClosed, from_json, to_json
from tidegate.domain.orders import OrderIntent, OrderStatus
from tidegate.execution.model import LIVE_STATUSES, Order
from tidegate.execution.positions import Position
from tidegate.execution.service import Changes
from tidegate.execution.tables import daily_pnl, fills, order_states, orders, positions, trades
from tidegate.kit.db import Row, Store, WriteSet


@dataclass(frozen=True, slots=True)
class Stored:
    """What an account's earlier life left that still matters."""

    orders: list[Order]
    fill_ids: list[FillId]
    positions: list[Position]
    realized_by_day: dict[int, Decimal]


def write_changes(changes: Changes, write_set: WriteSet) -> None:
    """Orders first, then what refers to them."""
    for order in changes.orders.values():
        write_set.upsert(orders, **_order_row(order))
    for state in changes.states:
        write_set.insert(
            order_states,
            client_order_id=state.client_order_id,
            sequence=state.sequence,
            status=state.status.value,
            changed_at=state.changed_at,
            source=state.source,
        )
    for fill in changes.fills:
        write_set.insert(fills, **_fill_row(fill))


def write_positions(changed: Iterable[Position], write_set: WriteSet) -> None:
    """The positions as they stand now."""
    for position in changed:
        write_set.upsert(
            positions,
            account_id=position.account_id,
            bot_id=position.bot_id or "",
            symbol=position.symbol,
            quantity=position.quantity,
            entry_price=position.entry_price,
            trade_id=position.trade_id,
            document=to_json(position),
        )


def write_trade(trade: TradeClosed, write_set: WriteSet) -> None:
    """A round trip that ended."""
    write_set.insert(
        trades,
        trade_id=trade.trade_key,
        account_id=trade.account_id,
        bot_id=trade.bot_id,
        symbol=trade.symbol,
        direction=trade.direction.value,
        quantity=trade.quantity,
        entry_price=trade.entry_price,
        exit_price=trade.exit_price,
        fees=trade.fees,
        realized_pnl=trade.realized_pnl,
        opened_at=trade.opened_at,
        closed_at=trade.occurred_at,
        exit_reason=trade.exit_reason,
        trace_id=trade.trace_id,
    )


def write_daily_pnl(account_id: AccountId, realized_by_day: Mapping[int, Decimal], write_set: WriteSet) -> None:
    """What closed round trips made on these days."""
    for day, realized in realized_by_day.items():
        write_set.upsert(daily_pnl, account_id=account_id, day=day, realized_pnl=realized)


async def load_account(store: Store, account_id: AccountId) -> Stored:
    """Live orders with their fills, every position, the results by day; finished orders are loaded when named."""
    live = [
        _order(row)
        for status in sorted(LIVE_STATUSES)
        for row in await store.load(orders, account_id=account_id, status=status.value)
    ]
    fill_ids = [fill for order in live for fill in await load_fill_ids(store, order.client_order_id)]
    return Stored(
        orders=sorted(live, key=lambda order: (order.submitted_at, order.client_order_id)),
        fill_ids=fill_ids,
        positions=[from_json(row["document"], Position) for row in await store.load(positions, account_id=account_id)],
        realized_by_day={row["day"]: row["realized_pnl"] for row in await store.load(daily_pnl, account_id=account_id)},
    )


async def load_order(store: Store, account_id: AccountId, order_id: ClientOrderId) -> Order | None:
    """A finished order that a late report names."""
    found = await store.load(orders, client_order_id=order_id, account_id=account_id)
    return _order(found[0]) if found else None


async def load_fill_ids(store: Store, order_id: ClientOrderId) -> list[FillId]:
    """The executions of one order that are booked."""
    return [FillId(row["fill_id"]) for row in await store.load(fills, client_order_id=order_id)]


def _order_row(order: Order) -> Row:
    intent = order.intent
    return {
        "client_order_id": order.client_order_id,
        "intent_key": intent.key,
        "attempt": order.attempt,
        "account_id": intent.account_id,
        "bot_id": intent.bot_id,
        "symbol": intent.symbol,
        "side": intent.side.value,
        "type": intent.type.value,
        "purpose": intent.purpose.value,
        "status": order.status.value,
        "quantity": intent.quantity,
        "limit_price": intent.limit_price,
        "stop_price": intent.stop_price,
        "filled_quantity": order.filled_quantity,
        "filled_notional": order.filled_notional,
        "venue_order_id": order.venue_order_id,
        "list_id": order.list_id,
        "hold_key": order.hold_key,
        "submitted_at": order.submitted_at,
        "fence_at": order.fence_at,
        "is_cancel_requested": order.is_cancel_requested,
        "reported_quantity": order.reported_quantity,
        "sequence": order.sequence,
        "detail": order.detail[:400],
        "trace_id": order.trace_id,
        "intent": to_json(intent),
    }


def _order(row: Row) -> Order:
    venue_order_id = row["venue_order_id"]
    return Order(
        intent=from_json(row["intent"], OrderIntent),
        client_order_id=ClientOrderId(row["client_order_id"]),
        attempt=row["attempt"],
        trace_id=TraceId(row["trace_id"]),
        hold_key=row["hold_key"],
        submitted_at=row["submitted_at"],
        fence_at=row["fence_at"],
        list_id=row["list_id"],
        status=OrderStatus(row["status"]),
        venue_order_id=None if venue_order_id is None else VenueOrderId(venue_order_id),
        filled_quantity=row["filled_quantity"],
        filled_notional=row["filled_notional"],
        is_cancel_requested=bool(row["is_cancel_requested"]),
        reported_quantity=row["reported_quantity"],
        sequence=row["sequence"],
        detail=row["detail"],
    )


def _fill_row(fill: OrderFilled) -> Row:
    bot_id: BotId | None = fill.bot_id
    return {
        "fill_id": fill.fill_id,
        "account_id": fill.account_id,
        "client_order_id": fill.client_order_id,
        "bot_id": bot_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": fill.quantity,
        "price": fill.price,
        "fee": fill.fee.quantity,
        "fee_asset": fill.fee.asset,
        "is_maker": fill.is_maker,
        "filled_at": fill.occurred_at,
        "trace_id": fill.trace_id,
    }
