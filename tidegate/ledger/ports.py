"""What the ledger asks of others."""

from typing import Protocol

from tidegate.domain.ids import AccountId, TenantId


class VisibleAccounts(Protocol):
    """Whose books a caller may read."""

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        """The tenant's trading accounts; empty when there is none."""
        ...
