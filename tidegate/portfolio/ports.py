"""What the portfolio reads of the other stages, in its own words."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tidegate.domain.ids import AccountId, BotId, TenantId
from tidegate.domain.orders import BalanceReport, Direction
from tidegate.measures.pnl import Execution


@dataclass(frozen=True, slots=True)
class Mark:
    """The price something is valued at, and how old it was when it was asked for."""

    price: Decimal  # quote per base
    age_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """A position that is not flat."""

    bot_id: BotId | None
    symbol: str
    direction: Direction
    quantity: Decimal  # base
    entry_price: Decimal  # quote per base
    realized_pnl: Decimal  # quote, of the running trade


class VisibleAccounts(Protocol):
    """Whose portfolio a caller may read."""

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        """The tenant's trading accounts; empty when there is none."""
        ...


class Holdings(Protocol):
    """What the ledger has booked."""

    async def holdings(self, account_id: AccountId) -> Sequence[BalanceReport]:
        """Free and held of every asset that is not zero."""
        ...


class Trading(Protocol):
    """What execution knows of an account."""

    async def open_positions(self, account_id: AccountId) -> Sequence[OpenPosition]:
        """As of the last commit."""
        ...

    async def executions(self, account_id: AccountId) -> Sequence[Execution]:
        """Every fill, in the order in which they were booked."""
        ...


class Marks(Protocol):
    """What the market says."""

    async def mark(self, symbol: str) -> Mark | None:
        """The mark price of a symbol now; None when none is known."""
        ...
