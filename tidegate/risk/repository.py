"""Limits and kill switches to rows and back; the only SQL of risk."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from tidegate.domain.errors import NotFound
from tidegate.domain.ids import AccountId, BotId, TenantId
from tidegate.domain.messages import from_json, to_json
from tidegate.kit.db import Database, Store, WriteSet
from tidegate.risk.model import Limits, Switch, Usage, tightest, usage
from tidegate.risk.ports import Exposures, VisibleAccounts
from tidegate.risk.tables import limits, switches

_NONE = Limits()
_NEVER_SET = Switch(is_on=False, reason="", set_at=None)


class Level(StrEnum):
    """Where a limit was set; all three apply, the tightest decides."""

    PLATFORM = "platform"
    ACCOUNT = "account"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class LimitBook:
    """Every limit that was set, by level and key."""

    by_key: Mapping[tuple[Level, str], Limits] = field(default_factory=dict)

    def above(self, defaults: Limits) -> "LimitBook":
        """The same limits under the defaults of the platform."""
        platform = (Level.PLATFORM, "")
        return LimitBook({**self.by_key, platform: tightest(defaults, self.by_key.get(platform, defaults))})

    def in_force(self, account_id: AccountId, bot_id: BotId | None = None) -> Limits:
        """The tightest of platform, account and bot."""
        levels = [(Level.PLATFORM, ""), (Level.ACCOUNT, str(account_id))]
        if bot_id is not None:
            levels.append((Level.BOT, str(bot_id)))
        return tightest(*(self.by_key.get(level, _NONE) for level in levels))


def write_limits(write_set: WriteSet, level: Level, key: str, value: Limits, *, at: int) -> None:
    """Replace the limits of one level; `key` is empty for the platform, else the account or bot id."""
    write_set.upsert(limits, level=level.value, key=key, limits=to_json(value), set_at=at)


def write_switch(write_set: WriteSet, account_id: AccountId, switch: Switch) -> None:
    """Replace the state of an account's kill switch."""
    write_set.upsert(switches, account_id=account_id, is_on=switch.is_on, reason=switch.reason, set_at=switch.set_at)


async def load_limits(store: Store) -> LimitBook:
    """Every limit that was set."""
    return _limit_book(await store.load(limits))


async def load_switch(store: Store, account_id: AccountId) -> Switch:
    """The account's kill switch; off when nobody has ever set it."""
    rows = await store.load(switches, account_id=account_id)
    return _switch(rows[0]) if rows else _NEVER_SET


@dataclass(frozen=True, slots=True)
class RiskState:
    """What one account may do, how much of it is used, and whether it is locked."""

    account_id: AccountId
    limits: Limits
    switch: Switch
    usage: tuple[Usage, ...]


class RiskReader:
    """Questions of users and pages; a caller sees the accounts of the own tenant and no others."""

    def __init__(
        self, database: Database, accounts: VisibleAccounts, exposures: Exposures, *, defaults: Limits = _NONE
    ) -> None:
        self._defaults = defaults
        self._database = database
        self._accounts = accounts
        self._exposures = exposures

    async def states(self, tenant_id: TenantId) -> list[RiskState]:
        """One state for each account of the tenant, by account id."""
        return [await self._state(account_id) for account_id in sorted(await self._accounts.visible_to(tenant_id))]

    async def state(self, tenant_id: TenantId, account_id: AccountId) -> RiskState:
        """The state of one account; not found when it belongs to another tenant."""
        if account_id not in await self._accounts.visible_to(tenant_id):
            raise NotFound(f"No account {account_id!r}.", code="risk.account_not_found")
        return await self._state(account_id)

    async def _state(self, account_id: AccountId) -> RiskState:
        book = _limit_book(await self._database.fetch(select(limits))).above(self._defaults)
        found = await self._database.fetch(select(switches).where(switches.c.account_id == account_id))
        in_force = book.in_force(account_id)
        exposure = await self._exposures.exposure(account_id)
        return RiskState(
            account_id=account_id,
            limits=in_force,
            switch=_switch(found[0]) if found else _NEVER_SET,
            usage=usage(
                in_force,
                open_orders=exposure.open_orders,
                position_notional=exposure.position_notional,
                daily_pnl=exposure.daily_pnl,
            ),
        )


def _limit_book(rows: Iterable[Any]) -> LimitBook:
    return LimitBook({(Level(row["level"]), row["key"]): from_json(row["limits"], Limits) for row in rows})


def _switch(row: Any) -> Switch:
    return Switch(is_on=row["is_on"], reason=row["reason"], set_at=row["set_at"])
