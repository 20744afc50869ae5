"""What execution asks of others for its pages and for orders by hand."""

from typing import Protocol

from tidegate.domain.ids import AccountId, Environment, TenantId
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import CancelOrder, SubmitOrder


class OwnAccount(Protocol):
    """The part of a trading account that orders depend on."""

    @property
    def account_id(self) -> AccountId: ...

    @property
    def environment(self) -> Environment: ...


class TradingAccounts(Protocol):
    """Whose orders a caller may see and place."""

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        """The tenant's trading accounts; empty when there is none."""
        ...

    async def account(self, tenant_id: TenantId, account_id: AccountId | None) -> OwnAccount:
        """The named account, or the only one; `NotFound` otherwise."""
        ...


class Instruments(Protocol):
    """What the venue lists."""

    async def instrument(self, symbol: str) -> Instrument:
        """The rules of a symbol; `NotFound` where the venue does not list it."""
        ...


class Commands(Protocol):
    """The way to the engine that owns an account."""

    async def send(self, command: SubmitOrder | CancelOrder) -> bool:
        """True when it is done, False when nobody has decided in time; a denial or refusal raises its coded error."""
        ...


class IdempotencyKeys(Protocol):
    """Which requests were made before."""

    async def claim(self, tenant_id: TenantId, key: str, body: bytes) -> None:
        """Remember a key with its request; `Conflict` when it was used for another one."""
        ...
