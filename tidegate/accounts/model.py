"""Who may do what, and the rules of names and passwords."""

from dataclasses import dataclass
from enum import StrEnum

from tidegate.domain.errors import Invalid
from tidegate.domain.ids import AccountId, Environment, TenantId, UserId

PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 10, 256
_EMAIL_LENGTH_MAX = 254
KEY_NAME_LENGTH_MAX = 80


class Role(StrEnum):
    """What a caller may do; every unsafe request needs more than `viewer`."""

    OWNER = "owner"
    TRADER = "trader"
    VIEWER = "viewer"


class Scope(StrEnum):
    """What an API key may do."""

    READ = "read"
    TRADE = "trade"

    @property
    def role(self) -> Role:
        """The role of a caller who shows such a key."""
        return Role.TRADER if self is Scope.TRADE else Role.VIEWER


@dataclass(frozen=True, slots=True)
class TradingAccount:
    """One account at one venue, owned by one tenant."""

    account_id: AccountId
    tenant_id: TenantId
    name: str
    venue: str
    environment: Environment
    created_at: int  # µs, wall time


@dataclass(frozen=True, slots=True)
class User:
    """A person; raising `session_epoch` ends every session and access token at once."""

    user_id: UserId
    tenant_id: TenantId
    email: str
    role: Role
    session_epoch: int
    created_at: int  # µs, wall time


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key for programs; its secret is shown once and kept as a hash."""

    key_id: str
    tenant_id: TenantId
    name: str
    scope: Scope
    created_at: int  # µs, wall time


def normal_email(text: str) -> str:
    """The address in the one spelling that is stored; `Invalid` when it cannot be one."""
    email = text.strip().lower()
    name, at, host = email.partition("@")
    if not (name and at and host) or "@" in host or " " in email or len(email) > _EMAIL_LENGTH_MAX:
        raise Invalid("email must be an address such as you@example.org.", code="accounts.email_invalid")
    return email


def check_password(text: str) -> None:
    """`Invalid` when the password is too short to keep anybody out, or long enough to be an attack."""
    if not PASSWORD_LENGTH_MIN <= len(text) <= PASSWORD_LENGTH_MAX:
        raise Invalid(
            f"password must have {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters.",
            code="accounts.password_invalid",
        )
