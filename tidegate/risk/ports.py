"""What risk asks of others for its pages; the engine hands its checks a `RiskView` instead."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tidegate.domain.ids import AccountId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What the limits of an account are measured against now; None is unknown, never zero."""

    open_orders: int | None = None
    position_notional: Decimal | None = None  # quote, of the largest position
    daily_pnl: Decimal | None = None  # quote, since 00:00 UTC


class VisibleAccounts(Protocol):
    """Whose limits a caller may read."""

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        """The tenant's trading accounts; empty when there is none."""
        ...


class Exposures(Protocol):
    """How much of its limits an account uses."""

    async def exposure(self, account_id: AccountId) -> Exposure:
        """As of the last commit."""
        ...
