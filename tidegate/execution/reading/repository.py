"""Orders, fills, round trips and positions for pages; a caller sees the accounts of the own tenant and no others."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Select, Table, select, tuple_

from tidegate.domain.errors import Invalid, NotFound
from tidegate.domain.ids import AccountId, TenantId
from tidegate.domain.messages import from_json
from tidegate.domain.orders import OrderIntent
from tidegate.execution.model import LIVE_STATUSES
from tidegate.execution.ports import TradingAccounts
from tidegate.execution.positions import Position
from tidegate.execution.tables import daily_pnl, fills, order_states, orders, positions, trades
from tidegate.kit.db import Database, Row

T = TypeVar("T")
_LIVE = sorted(status.value for status in LIVE_STATUSES)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """One page, newest first; `next_cursor` is None on the last."""

    items: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows; None leaves out nothing, and a name that a table lacks is not asked of it."""

    account_id: AccountId | None = None
    symbol: str | None = None
    bot_id: str | None = None
    trace_id: str | None = None
    status: str | None = None
    side: str | None = None
    client_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order with what was intended."""

    row: Row
    intent: OrderIntent


@dataclass(frozen=True, slots=True)
class OrderStory:
    """One order, every state it was in, and its fills."""

    order: OrderRow
    states: Sequence[Row]
    fills: Sequence[Row]


class _Reader:
    def __init__(self, database: Database, accounts: TradingAccounts) -> None:
        self._database = database
        self._accounts = accounts

    async def _page(
        self, table: Table, tenant_id: TenantId, wanted: Wanted, *, newest: Column[Any], limit: int, cursor: str | None
    ) -> Found[Row]:
        """Newest first by time and key, so that equal times are neither lost nor repeated."""
        key = next(iter(table.primary_key))
        query = await self._own(table, tenant_id, wanted)
        if cursor is not None:
            query = query.where(tuple_(newest, key) < tuple_(*_position(cursor)))
        rows = await self._database.fetch(query.order_by(newest.desc(), key.desc()).limit(limit + 1))
        last = rows[limit - 1] if len(rows) > limit else None
        return Found(
            [dict(row) for row in rows[:limit]], f"{last[newest.name]}~{last[key.name]}" if last is not None else None
        )

    async def _one(self, table: Table, tenant_id: TenantId, key: str, noun: str) -> Row:
        query = await self._own(table, tenant_id, Wanted())
        rows = await self._database.fetch(query.where(next(iter(table.primary_key)) == key))
        if not rows:
            raise NotFound(f"No {noun} {key!r}.", code=f"execution.{noun}_not_found")
        return dict(rows[0])

    async def _own(self, table: Table, tenant_id: TenantId, wanted: Wanted) -> Select[Any]:
        visible = await self._accounts.visible_to(tenant_id)
        if wanted.account_id is not None and wanted.account_id not in visible:
            raise NotFound(f"No account {wanted.account_id!r}.", code="execution.account_not_found")
        query = select(table).where(
            table.c.account_id.in_([wanted.account_id] if wanted.account_id else sorted(visible))
        )
        for name in ("symbol", "bot_id", "trace_id", "status", "side", "client_order_id"):
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(table.c[name] == value)
        return query


class OrderReader(_Reader):
    """Orders, live or finished."""

    async def orders(
        self, tenant_id: TenantId, wanted: Wanted, *, limit: int, cursor: str | None = None
    ) -> Found[OrderRow]:
        """Newest first."""
        found = await self._page(orders, tenant_id, wanted, newest=orders.c.submitted_at, limit=limit, cursor=cursor)
        return Found([_order(row) for row in found.items], found.next_cursor)

    async def order(self, tenant_id: TenantId, client_order_id: str) -> OrderRow:
        """One order; not found when it belongs to another tenant."""
        return _order(await self._one(orders, tenant_id, client_order_id, "order"))

    async def story(self, tenant_id: TenantId, client_order_id: str) -> OrderStory:
        """One order with its states and fills, oldest first."""
        order = await self.order(tenant_id, client_order_id)
        states = await self._database.fetch(
            select(order_states)
            .where(order_states.c.client_order_id == client_order_id)
            .order_by(order_states.c.sequence)
        )
        executed = await self._database.fetch(
            select(fills).where(fills.c.client_order_id == client_order_id).order_by(fills.c.filled_at, fills.c.fill_id)
        )
        return OrderStory(order, [dict(row) for row in states], [dict(row) for row in executed])

    async def live_count(self, account_id: AccountId) -> int:
        """How many orders may still fill."""
        query = select(orders.c.client_order_id).where(orders.c.account_id == account_id, orders.c.status.in_(_LIVE))
        return len(await self._database.fetch(query))


class FillReader(_Reader):
    """Single executions."""

    async def fills(self, tenant_id: TenantId, wanted: Wanted, *, limit: int, cursor: str | None = None) -> Found[Row]:
        """Newest first."""
        return await self._page(fills, tenant_id, wanted, newest=fills.c.filled_at, limit=limit, cursor=cursor)

    async def fill(self, tenant_id: TenantId, fill_id: str) -> Row:
        """One fill; not found when it belongs to another tenant."""
        return await self._one(fills, tenant_id, fill_id, "fill")

    async def all_of(self, account_id: AccountId) -> Sequence[Row]:
        """Every fill of an account, in the order of the market."""
        query = select(fills).where(fills.c.account_id == account_id).order_by(fills.c.filled_at, fills.c.fill_id)
        return [dict(row) for row in await self._database.fetch(query)]


class TradeReader(_Reader):
    """Round trips, from the entry to the exit."""

    async def trades(self, tenant_id: TenantId, wanted: Wanted, *, limit: int, cursor: str | None = None) -> Found[Row]:
        """Last closed first."""
        return await self._page(trades, tenant_id, wanted, newest=trades.c.closed_at, limit=limit, cursor=cursor)

    async def trade(self, tenant_id: TenantId, trade_id: str) -> Row:
        """One round trip; not found when it belongs to another tenant."""
        return await self._one(trades, tenant_id, trade_id, "trade")

    async def realized_on(self, account_id: AccountId, at: int) -> Decimal:
        """What the round trips that closed on the UTC day of `at` (µs) made, in quote."""
        query = select(daily_pnl.c.realized_pnl).where(
            daily_pnl.c.account_id == account_id, daily_pnl.c.day == at // _DAY_US
        )
        rows = await self._database.fetch(query)
        return Decimal(rows[0]["realized_pnl"]) if rows else Decimal(0)


class PositionReader(_Reader):
    """Positions that are not flat."""

    async def positions(self, tenant_id: TenantId, wanted: Wanted) -> list[Position]:
        """By account, bot and symbol."""
        query = await self._own(positions, tenant_id, wanted)
        return await self._open(query)

    async def of_account(self, account_id: AccountId) -> list[Position]:
        """The same for one account whose caller is known to own it."""
        return await self._open(select(positions).where(positions.c.account_id == account_id))

    async def _open(self, query: Select[Any]) -> list[Position]:
        ordered = query.where(positions.c.trade_id.is_not(None)).order_by(*positions.primary_key)
        found = [from_json(row["document"], Position) for row in await self._database.fetch(ordered)]
        return [position for position in found if position.quantity]


def _order(row: Row) -> OrderRow:
    return OrderRow(row, from_json(row["intent"], OrderIntent))


def _position(cursor: str) -> tuple[int, str]:
    at, found, key = cursor.partition("~")
    if not found or not at.isdecimal() or len(at) > 18:
        raise Invalid(
            "cursor must be the next_cursor of an earlier page; begin again without it.",
            code="execution.cursor_invalid",
        )
    return int(at), key
