"""Bots and their decision logs for pages; a caller sees the accounts of the own tenant and no others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.exc import IntegrityError

from tidegate.bots.model import Bot, BotConfig, BotState
from tidegate.bots.ports import TradingAccounts
from tidegate.bots.repository import bot_row
from tidegate.bots.tables import bots, decisions
from tidegate.domain.errors import Conflict, Invalid, NotFound
from tidegate.domain.ids import AccountId, BotId, TenantId
from tidegate.domain.messages import from_json
from tidegate.kit.db import Database, Row


@dataclass(frozen=True, slots=True)
class BotPage:
    """Bots, newest first; `next_cursor` is None on the last page."""

    items: Sequence[Bot]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Lines of a decision log, newest first; `next_cursor` is None on the last page."""

    items: Sequence[Row]
    next_cursor: str | None


class BotReader:
    """Reads as of the last commit; `add` is the only thing that is written here."""

    def __init__(self, database: Database, accounts: TradingAccounts) -> None:
        self._database = database
        self._accounts = accounts

    async def bots(
        self,
        tenant_id: TenantId,
        *,
        state: str | None = None,
        symbol: str | None = None,
        limit: int,
        cursor: str | None,
    ) -> BotPage:
        """Newest first; ids sort in the order of creation."""
        query = await self._own(tenant_id)
        for column, value in ((bots.c.state, state), (bots.c.symbol, symbol)):
            if value is not None:
                query = query.where(column == value)
        if cursor is not None:
            query = query.where(bots.c.bot_id < cursor)
        rows = await self._database.fetch(query.order_by(bots.c.bot_id.desc()).limit(limit + 1))
        items = [_bot(row) for row in rows[:limit]]
        return BotPage(items, items[-1].bot_id if len(rows) > limit else None)

    async def bot(self, tenant_id: TenantId, bot_id: BotId) -> Bot:
        """One bot; not found when it belongs to another tenant."""
        rows = await self._database.fetch((await self._own(tenant_id)).where(bots.c.bot_id == bot_id))
        if not rows:
            raise NotFound(f"No bot {bot_id!r}.", code="bots.bot_not_found")
        return _bot(rows[0])

    async def decisions(self, tenant_id: TenantId, bot_id: BotId, *, limit: int, cursor: str | None) -> DecisionPage:
        """What the bot made of each bar, newest first."""
        await self.bot(tenant_id, bot_id)
        query = select(decisions).where(decisions.c.bot_id == bot_id)
        if cursor is not None:
            query = query.where(decisions.c.bar_opened_at < _time(cursor))
        rows = await self._database.fetch(query.order_by(decisions.c.bar_opened_at.desc()).limit(limit + 1))
        items = [dict(row) for row in rows[:limit]]
        return DecisionPage(items, str(items[-1]["bar_opened_at"]) if len(rows) > limit else None)

    async def add(self, bot: Bot) -> None:
        """A new bot; `Conflict` when its account has one of this name."""
        try:
            async with self._database.transaction() as connection:
                await connection.execute(insert(bots).values(**bot_row(bot)))
        except IntegrityError:
            raise Conflict(
                f"name {bot.config.name!r} is taken by another bot of this account; choose another.",
                code="bots.name_taken",
            ) from None

    async def _own(self, tenant_id: TenantId) -> Select[Any]:
        visible = await self._accounts.visible_to(tenant_id)
        return select(bots).where(bots.c.account_id.in_(sorted(visible)))


def _bot(row: Any) -> Bot:
    return Bot(
        bot_id=BotId(row["bot_id"]),
        account_id=AccountId(row["account_id"]),
        config=from_json(row["config"], BotConfig),
        signal_key="",
        state=BotState(row["state"]),
        reason=row["reason"],
        created_at=row["created_at"],
    )


def _time(cursor: str) -> int:
    if not cursor.isdecimal() or len(cursor) > 18:
        raise Invalid(
            "cursor must be the next_cursor of an earlier page; begin again without it.", code="bots.cursor_invalid"
        )
    return int(cursor)
