"""Books to rows and back for the engine, and the queries behind the pages; the only SQL of the ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, select

from tidegate.domain.errors import Invalid, NotFound
from tidegate.domain.ids import AccountId, FillId, TenantId, TraceId, TransferId
from tidegate.domain.money import ZERO, from_minor
from tidegate.domain.orders import BalanceReport
from tidegate.kit.db import Database, Store, WriteSet
from tidegate.ledger.model import (
    AccountKind,
    AssetCheck,
    Balance,
    Books,
    Changes,
    Hold,
    LedgerAccount,
    Transfer,
    TransferKind,
    check,
)
from tidegate.ledger.ports import VisibleAccounts
from tidegate.ledger.tables import balances, holds, transfers


def write(write_set: WriteSet, account_id: AccountId, changes: Changes, trace_id: TraceId) -> None:
    """Add the rows of one step; a transfer key that is already booked fails the whole commit."""
    for transfer in changes.transfers:
        write_set.insert(
            transfers,
            id=transfer.id,
            account_id=account_id,
            key=transfer.key,
            debit=transfer.debit.kind.value,
            credit=transfer.credit.kind.value,
            asset=transfer.debit.asset,
            units=transfer.units,
            scale=transfer.scale,
            kind=transfer.kind.value,
            hold_key=transfer.hold_key,
            fill_id=transfer.fill_id,
            reason=transfer.reason,
            occurred_at=transfer.at,
            trace_id=trace_id,
        )
    for balance in changes.balances.values():
        write_set.upsert(
            balances,
            account_id=account_id,
            kind=balance.account.kind.value,
            asset=balance.account.asset,
            units=balance.units,
            scale=balance.scale,
        )
    for hold in changes.holds.values():
        write_set.upsert(
            holds,
            account_id=account_id,
            key=hold.key,
            asset=hold.asset,
            units=hold.units,
            remaining=hold.remaining,
            opened_at=hold.opened_at,
            is_open=hold.is_open,
        )


async def load(store: Store, books: Books) -> None:
    """Fill new books with what is stored: balances, open holds and the fills that used them.

    A fill of a closed hold that comes once more is refused by its transfer key, in the database.
    """
    account_id = books.account_id
    open_holds = [
        Hold(row["key"], row["asset"], row["units"], row["remaining"], row["opened_at"])
        for row in await store.load(holds, account_id=account_id, is_open=True)
    ]
    fill_ids = {
        FillId(row["fill_id"])
        for hold in open_holds
        for row in await store.load(transfers, account_id=account_id, hold_key=hold.key)
        if row["fill_id"] is not None
    }
    books.restore(_balances(await store.load(balances, account_id=account_id)), open_holds, fill_ids)


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """Which transfers are wanted; None does not filter."""

    account_id: AccountId | None = None
    asset: str | None = None
    kind: TransferKind | None = None
    hold_key: str | None = None
    trace_id: TraceId | None = None
    first_at: int | None = None  # µs, inclusive
    end_at: int | None = None  # µs, exclusive


@dataclass(frozen=True, slots=True)
class PostedTransfer:
    """A transfer with the trading account and the story it belongs to."""

    account_id: AccountId
    trace_id: TraceId
    transfer: Transfer


@dataclass(frozen=True, slots=True)
class AssetBalance:
    """What one trading account holds of one asset."""

    account_id: AccountId
    asset: str
    free: Decimal
    held: Decimal

    @property
    def total(self) -> Decimal:
        """Free and held."""
        return self.free + self.held


class LedgerReader:
    """Questions of users and pages; a caller sees the accounts of the own tenant and no others."""

    def __init__(self, database: Database, accounts: VisibleAccounts) -> None:
        self._database = database
        self._accounts = accounts

    async def transfers(
        self, tenant_id: TenantId, wanted: TransferFilter, *, limit: int, cursor: str | None
    ) -> tuple[list[PostedTransfer], str | None]:
        """Newest first, and the cursor of the next page; ids sort in the order in which they were booked."""
        query = _filtered(wanted).where(transfers.c.account_id.in_(await self._visible(tenant_id, wanted.account_id)))
        if cursor is not None:
            query = query.where(transfers.c.id < cursor)
        rows = await self._database.fetch(query.order_by(transfers.c.id.desc()).limit(limit + 1))
        page = [_posted(row) for row in rows[:limit]]
        return page, page[-1].transfer.id if len(rows) > limit else None

    async def transfer(self, tenant_id: TenantId, transfer_id: TransferId) -> PostedTransfer:
        """One transfer; not found when it belongs to another tenant."""
        visible = await self._visible(tenant_id, None)
        query = select(transfers).where(transfers.c.id == transfer_id, transfers.c.account_id.in_(visible))
        rows = await self._database.fetch(query)
        if not rows:
            raise NotFound(f"No transfer {transfer_id!r}.", code="ledger.transfer_not_found")
        return _posted(rows[0])

    async def balances(self, tenant_id: TenantId, account_id: AccountId | None) -> list[AssetBalance]:
        """Free and held of every asset that is not zero, by account and asset."""
        return await self._owned(await self._visible(tenant_id, account_id))

    async def holdings(self, account_id: AccountId) -> list[BalanceReport]:
        """The same for one account, in the words of a venue: ours to compare with its own, or to value."""
        return [
            BalanceReport(asset=balance.asset, free=balance.free, held=balance.held)
            for balance in await self._owned([account_id])
        ]

    async def check(self, account_id: AccountId, venue: Sequence[BalanceReport] | None) -> list[AssetCheck]:
        """The stored balances against zero, against the fold of every transfer, and against the venue if given."""
        stored = await self._database.fetch(select(balances).where(balances.c.account_id == account_id))
        return check(_balances(stored), venue, folded=await self._folded(account_id))

    async def check_own(self, tenant_id: TenantId, account_id: AccountId) -> list[AssetCheck]:
        """The same for an account of the caller's, without asking the venue."""
        await self._visible(tenant_id, account_id)
        return await self.check(account_id, None)

    async def _owned(self, accounts: Sequence[AccountId]) -> list[AssetBalance]:
        query = select(balances).where(
            balances.c.account_id.in_(accounts),
            balances.c.kind.in_([AccountKind.FREE.value, AccountKind.HELD.value]),
        )
        found: dict[tuple[AccountId, str], dict[str, Decimal]] = {}
        for row in await self._database.fetch(query):
            key = (AccountId(row["account_id"]), row["asset"])
            found.setdefault(key, {})[row["kind"]] = from_minor(row["units"], row["scale"])
        return [
            AssetBalance(account, asset, kinds.get(AccountKind.FREE, ZERO), kinds.get(AccountKind.HELD, ZERO))
            for (account, asset), kinds in sorted(found.items())
            if any(kinds.values())
        ]

    async def _folded(self, account_id: AccountId) -> dict[LedgerAccount, int]:
        folded: dict[LedgerAccount, int] = {}
        for side, sign in ((transfers.c.debit, 1), (transfers.c.credit, -1)):
            query = (
                select(side.label("kind"), transfers.c.asset, func.sum(transfers.c.units).label("units"))
                .where(transfers.c.account_id == account_id)
                .group_by(side, transfers.c.asset)
            )
            for row in await self._database.fetch(query):
                account = LedgerAccount(AccountKind(row["kind"]), row["asset"])
                folded[account] = folded.get(account, 0) + sign * int(row["units"])
        return folded

    async def _visible(self, tenant_id: TenantId, account_id: AccountId | None) -> list[AccountId]:
        visible = await self._accounts.visible_to(tenant_id)
        if account_id is None:
            return sorted(visible)
        if account_id not in visible:
            raise NotFound(f"No account {account_id!r}.", code="ledger.account_not_found")
        return [account_id]


def _filtered(wanted: TransferFilter) -> Select[Any]:
    if wanted.first_at is not None and wanted.end_at is not None and wanted.first_at >= wanted.end_at:
        raise Invalid("until must be later than since.", code="ledger.time_range_invalid")
    equals = {
        transfers.c.asset: wanted.asset,
        transfers.c.kind: wanted.kind.value if wanted.kind else None,
        transfers.c.hold_key: wanted.hold_key,
        transfers.c.trace_id: wanted.trace_id,
    }
    query = select(transfers).where(*(column == value for column, value in equals.items() if value is not None))
    if wanted.first_at is not None:
        query = query.where(transfers.c.occurred_at >= wanted.first_at)
    if wanted.end_at is not None:
        query = query.where(transfers.c.occurred_at < wanted.end_at)
    return query


def _balances(rows: Iterable[Any]) -> list[Balance]:
    return [Balance(LedgerAccount(AccountKind(row["kind"]), row["asset"]), row["units"], row["scale"]) for row in rows]


def _posted(row: Any) -> PostedTransfer:
    transfer = Transfer(
        id=TransferId(row["id"]),
        key=row["key"],
        debit=LedgerAccount(AccountKind(row["debit"]), row["asset"]),
        credit=LedgerAccount(AccountKind(row["credit"]), row["asset"]),
        units=row["units"],
        scale=row["scale"],
        kind=TransferKind(row["kind"]),
        at=row["occurred_at"],
        hold_key=row["hold_key"],
        fill_id=row["fill_id"],
        reason=row["reason"],
    )
    return PostedTransfer(AccountId(row["account_id"]), TraceId(row["trace_id"]), transfer)
