"""What bots ask of others for their pages and for commands by hand."""

from typing import Protocol

from tidegate.domain.ids import AccountId, TenantId
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import ForceExit, PauseBot, StartBot, StopBot


class OwnAccount(Protocol):
    """The part of a trading account that bots depend on."""

    @property
    def account_id(self) -> AccountId: ...


class TradingAccounts(Protocol):
    """Whose bots a caller may see and direct."""

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

    async def send(self, command: StartBot | PauseBot | StopBot | ForceExit) -> bool:
        """True when it is done, False when nobody has decided in time; a refusal raises its coded error."""
        ...
