"""The verbs of accounts: set up, log in and out, keys, and who is calling."""

from dataclasses import dataclass

from tidegate.accounts.model import (
    KEY_NAME_LENGTH_MAX,
    ApiKey,
    Role,
    Scope,
    TradingAccount,
    User,
    check_password,
    normal_email,
)
from tidegate.accounts.repository import Founding, KeyStore, UserStore
from tidegate.accounts.secrets import ACCESS_TOKEN_S, AccessTokens, Passwords, digest
from tidegate.domain.errors import Conflict, Forbidden, Invalid, NotFound
from tidegate.domain.ids import AccountId, Environment, TenantId, UserId
from tidegate.kit.clock import SECOND_US, Clock
from tidegate.kit.db import Database
from tidegate.kit.http import Caller, Unauthenticated
from tidegate.kit.ids import new_id, secret_token

SESSION_S = 14 * 86_400
KEY_PREFIX = "tgk_"
PAPER_ACCOUNT = "paper"


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller, and the wall time (µs) at which the proof of it ends; None when it has no end of its own."""

    caller: Caller
    expires_at: int | None


class Accounts:
    """What people and programs may ask; secrets come in as given and leave only where they are first made."""

    def __init__(self, database: Database, *, clock: Clock, tokens: AccessTokens, passwords: Passwords) -> None:
        self._users = UserStore(database)
        self._keys = KeyStore(database)
        self._clock = clock
        self._tokens = tokens
        self._passwords = passwords

    async def needs_setup(self) -> bool:
        """Whether nobody can log in yet."""
        return await self._users.needs_setup()

    async def set_up(self, token: str, email: str, password: str) -> User:
        """Make the first owner; the token works once."""
        address = normal_email(email)
        check_password(password)
        if not await self._users.needs_setup():
            raise Conflict("Tidegate is set up already; log in instead.", code="accounts.set_up_already")
        tenant_id = await self._users.tenant_of_setup(digest(token))
        if tenant_id is None:
            raise _wrong_setup_token()
        user = User(UserId(new_id()), tenant_id, address, Role.OWNER, 0, self._clock.now_us())
        if not await self._users.add_owner(user, await self._passwords.hash(password), digest(token)):
            raise _wrong_setup_token()
        return user

    async def log_in(self, email: str, password: str) -> User:
        """The user; the same answer, as late, whether the address or the password is wrong."""
        stored = await self._users.by_email(email.strip().lower())
        if not await self._passwords.matches(password, stored.password_hash if stored else None) or stored is None:
            raise Unauthenticated("The e-mail address or the password is wrong.", code="accounts.login_refused")
        return stored.user

    async def open_session(self, user: User) -> str:
        """The token of a new session, for a cookie."""
        token, now = secret_token(), self._clock.now_us()
        await self._users.add_session(user, digest(token), now + SESSION_S * SECOND_US, now)
        return token

    async def close_session(self, token: str) -> None:
        """Log out here."""
        await self._users.end_session(digest(token))

    async def close_all_sessions(self, caller: Caller) -> None:
        """Log out everywhere: every session and access token of the caller ends now."""
        await self._users.end_all(caller.user_id)

    def access_token(self, user: User) -> tuple[str, int]:
        """A bearer token, and the seconds for which it holds."""
        return self._tokens.issue(user, self._clock.now_us()), ACCESS_TOKEN_S

    async def user(self, caller: Caller) -> User:
        """The person behind a request; a key is nobody."""
        found = await self._users.by_id(caller.user_id)
        if found is None:
            raise NotFound("This is an API key and no user.", code="accounts.user_not_found")
        return found

    async def identify(self, *, bearer: str | None, session: str | None) -> Identity:
        """Who shows an access token, an API key or a session; `Unauthenticated` for anything else."""
        now = self._clock.now_us()
        if bearer is not None and bearer.startswith(KEY_PREFIX):
            key = await self._keys.by_secret(digest(bearer))
            if key is not None:
                return Identity(Caller(UserId(key.key_id), key.tenant_id, key.scope.role.value), None)
        elif bearer is not None:
            claims = self._tokens.claims(bearer, now)
            user = await self._users.by_id(claims.user_id) if claims else None
            if claims is not None and user is not None and user.session_epoch == claims.epoch:
                return Identity(_caller(user), claims.expires_at_s * SECOND_US)
        elif session is not None:
            user = await self._users.by_session(digest(session), now)
            if user is not None:
                return Identity(_caller(user), None)
        raise Unauthenticated("Log in, or send an access token or an API key as `Authorization: Bearer …`.")


class ApiKeys:
    """Keys for programs, in the hands of the tenant's owner."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._keys = KeyStore(database)
        self._clock = clock

    async def create(self, caller: Caller, name: str, scope: Scope) -> tuple[ApiKey, str]:
        """A new key and its secret, which nobody can see again."""
        _must_own(caller)
        return await self.issue(caller.tenant_id, name, scope)

    async def issue(self, tenant_id: TenantId, name: str, scope: Scope) -> tuple[ApiKey, str]:
        """The same without a person behind it: for the command line on the same machine."""
        title = name.strip()
        if not 0 < len(title) <= KEY_NAME_LENGTH_MAX:
            raise Invalid(f"name must have 1 to {KEY_NAME_LENGTH_MAX} characters.", code="accounts.key_name_invalid")
        secret = KEY_PREFIX + secret_token()
        key = ApiKey(new_id(), tenant_id, title, scope, self._clock.now_us())
        await self._keys.add(key, digest(secret))
        return key, secret

    async def of_tenant(self, caller: Caller) -> list[ApiKey]:
        """Newest first."""
        return await self._keys.of_tenant(caller.tenant_id)

    async def revoke(self, caller: Caller, key_id: str) -> None:
        """Its next request is refused."""
        _must_own(caller)
        if not await self._keys.remove(caller.tenant_id, key_id):
            raise NotFound(f"No API key {key_id!r}.", code="accounts.key_not_found")

    async def is_valid(self, secret: str) -> bool:
        """Whether a key with this secret exists."""
        return await self._keys.by_secret(digest(secret)) is not None


async def ensure_tenant(database: Database, *, clock: Clock, venue: str, environment: Environment) -> TenantId:
    """The tenant of this installation; the first time it is made with one trading account named "paper"."""
    founding = Founding(database)
    found = await founding.first_tenant()
    if found is not None:
        return found
    tenant_id, now = TenantId(new_id()), clock.now_us()
    account = TradingAccount(AccountId(new_id()), tenant_id, PAPER_ACCOUNT, venue, environment, now)
    await founding.found(tenant_id, "Tidegate", [account], now)
    return tenant_id


async def renew_setup_token(database: Database, tenant_id: TenantId) -> str | None:
    """The one-time token of this start, or None when there is a user already."""
    if not await UserStore(database).needs_setup():
        return None
    token = secret_token(18)
    await Founding(database).replace_setup_token(tenant_id, digest(token))
    return token


def _caller(user: User) -> Caller:
    return Caller(user.user_id, user.tenant_id, user.role.value)


def _must_own(caller: Caller) -> None:
    if caller.role != Role.OWNER:
        raise Forbidden("Only an owner may do this.", code="accounts.owner_needed")


def _wrong_setup_token() -> Forbidden:
    return Forbidden(
        "token is not the set-up token of this start; the newest one is printed by `tidegate up`.",
        code="accounts.setup_token_wrong",
    )
