"""From a request to one command an account."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tidegate.domain.errors import NotFound
from tidegate.domain.ids import AccountId, CommandId, TenantId
from tidegate.domain.messages import SetKillSwitch
from tidegate.kit.ids import new_id, new_trace_id
from tidegate.risk.ports import VisibleAccounts


class Commands(Protocol):
    """The way to the engine that owns an account."""

    async def send(self, command: SetKillSwitch) -> bool:
        """True when it is done, False when nobody has decided in time; a refusal raises its coded error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the switch shall be; `flatten` also closes what is open."""

    is_on: bool
    flatten: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Thrown:
    """One account, and whether its engine has obeyed already."""

    account_id: AccountId
    is_decided: bool


class KillSwitch:
    """Locks or frees one account of the caller, or all of them."""

    def __init__(self, *, accounts: VisibleAccounts, commands: Commands, market_now: Callable[[], int]) -> None:
        self._accounts = accounts
        self._commands = commands
        self._market_now = market_now

    async def throw(self, tenant_id: TenantId, account_id: AccountId | None, wish: Wish) -> list[Thrown]:
        """By account id; not found when the account belongs to another tenant."""
        visible = await self._accounts.visible_to(tenant_id)
        if account_id is not None and account_id not in visible:
            raise NotFound(f"No account {account_id!r}.", code="risk.account_not_found")
        return [await self._send(each, wish) for each in ([account_id] if account_id else sorted(visible))]

    async def _send(self, account_id: AccountId, wish: Wish) -> Thrown:
        command = SetKillSwitch(
            trace_id=new_trace_id(),
            occurred_at=self._market_now(),
            command_id=CommandId(new_id()),
            account_id=account_id,
            is_on=wish.is_on,
            flatten=wish.flatten,
            reason=wish.reason,
        )
        return Thrown(account_id, await self._commands.send(command))
