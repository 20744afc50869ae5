"""What the endpoints of accounts take and answer."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tidegate.accounts.model import Role, Scope
from tidegate.domain.ids import Environment
from tidegate.kit.http import Moment

Text = Annotated[str, Field(max_length=300)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SetupState(BaseModel):
    """Whether the first owner is still missing."""

    is_needed: bool


class SetupIn(_In):
    """The token that `tidegate up` printed, and the first owner."""

    token: Text
    email: Text
    password: SecretStr


class LoginIn(_In):
    """An e-mail address and its password."""

    email: Text
    password: SecretStr


class UserOut(_Out):
    """A person."""

    user_id: str
    email: str
    role: Role
    created_at: Moment


class TokenOut(BaseModel):
    """A bearer token; `expires_in_s` counts from now."""

    access_token: str
    token_type: str = "bearer"
    expires_in_s: int


class KeyIn(_In):
    """A name to know it by, and what it may do."""

    name: Text
    scope: Scope = Scope.READ


class KeyOut(_Out):
    """A key without its secret."""

    key_id: str
    name: str
    scope: Scope
    created_at: Moment


class NewKeyOut(KeyOut):
    """A key with its secret, this once."""

    secret: str


class AccountOut(_Out):
    """A trading account."""

    account_id: str
    name: str
    venue: str
    environment: Environment
    created_at: Moment
