"""Tenants, trading accounts, users, sessions and keys in the database; hashes go in, never secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from tidegate.accounts.model import ApiKey, Role, Scope, TradingAccount, User
from tidegate.accounts.tables import accounts, api_keys, sessions, setup, tenants, users
from tidegate.domain.errors import NotFound
from tidegate.domain.ids import AccountId, Environment, TenantId, UserId
from tidegate.kit.db import Database, Store


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A user with the hash of the password."""

    user: User
    password_hash: str


async def load_accounts(store: Store) -> list[TradingAccount]:
    """Every trading account, for the engine that leases them."""
    return [_account(row) for row in await store.load(accounts)]


class VisibleAccounts:
    """Which trading accounts a tenant owns: nobody sees any other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        """The ids alone."""
        return frozenset(account.account_id for account in await self.of_tenant(tenant_id))

    async def of_tenant(self, tenant_id: TenantId) -> list[TradingAccount]:
        """Oldest first."""
        query = select(accounts).where(accounts.c.tenant_id == tenant_id).order_by(accounts.c.account_id)
        return [_account(row) for row in await self._database.fetch(query)]

    async def account(self, tenant_id: TenantId, account_id: AccountId | None) -> TradingAccount:
        """The named account, or the only one when none is named; `NotFound` names what to give."""
        owned = await self.of_tenant(tenant_id)
        found = [account for account in owned if account_id in (None, account.account_id)]
        if len(found) == 1:
            return found[0]
        if account_id is None and found:
            raise NotFound(
                "account_id is needed, because there are several accounts.", code="accounts.account_not_found"
            )
        raise NotFound(f"No account {account_id or 'at all'!r}.", code="accounts.account_not_found")


class UserStore:
    """Users, their sessions and keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def needs_setup(self) -> bool:
        """Whether nobody can log in yet."""
        return not await self._database.fetch(select(users.c.user_id).limit(1))

    async def add_owner(self, user: User, password_hash: str, token_hash: str) -> bool:
        """The first user, and the end of the set-up token; False when the token is not (or no longer) valid."""
        async with self._database.transaction() as connection:
            used = await connection.execute(
                delete(setup).where(setup.c.token_hash == token_hash, setup.c.tenant_id == user.tenant_id)
            )
            if used.rowcount != 1:
                return False
            await connection.execute(insert(users).values(**_user_row(user), password_hash=password_hash))
        return True

    async def tenant_of_setup(self, token_hash: str) -> TenantId | None:
        """Whose owner the token makes."""
        rows = await self._database.fetch(select(setup.c.tenant_id).where(setup.c.token_hash == token_hash))
        return TenantId(rows[0]["tenant_id"]) if rows else None

    async def by_email(self, email: str) -> StoredUser | None:
        """For a log-in."""
        rows = await self._database.fetch(select(users).where(users.c.email == email))
        return StoredUser(_user(rows[0]), rows[0]["password_hash"]) if rows else None

    async def by_id(self, user_id: UserId) -> User | None:
        """For an access token, whose epoch must be the user's."""
        rows = await self._database.fetch(select(users).where(users.c.user_id == user_id))
        return _user(rows[0]) if rows else None

    async def by_session(self, token_hash: str, now_us: int) -> User | None:
        """The user of a session that is neither over nor ended."""
        query = (
            select(users)
            .join(sessions, sessions.c.user_id == users.c.user_id)
            .where(
                sessions.c.token_hash == token_hash,
                sessions.c.expires_at > now_us,
                sessions.c.epoch == users.c.session_epoch,
            )
        )
        rows = await self._database.fetch(query)
        return _user(rows[0]) if rows else None

    async def add_session(self, user: User, token_hash: str, expires_at: int, now_us: int) -> None:
        """Begin a session, and forget those that are over."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= now_us))
            await connection.execute(
                insert(sessions).values(
                    token_hash=token_hash, user_id=user.user_id, epoch=user.session_epoch, expires_at=expires_at
                )
            )

    async def end_session(self, token_hash: str) -> None:
        """One session."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))

    async def end_all(self, user_id: UserId) -> None:
        """Every session and access token of a user."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(users).where(users.c.user_id == user_id).values(session_epoch=users.c.session_epoch + 1)
            )
            await connection.execute(delete(sessions).where(sessions.c.user_id == user_id))


class KeyStore:
    """API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, secret_hash: str) -> None:
        """A new key."""
        async with self._database.transaction() as connection:
            await connection.execute(
                insert(api_keys).values(
                    key_id=key.key_id,
                    secret_hash=secret_hash,
                    tenant_id=key.tenant_id,
                    name=key.name,
                    scope=key.scope.value,
                    created_at=key.created_at,
                )
            )

    async def by_secret(self, secret_hash: str) -> ApiKey | None:
        """The key with this secret."""
        rows = await self._database.fetch(select(api_keys).where(api_keys.c.secret_hash == secret_hash))
        return _key(rows[0]) if rows else None

    async def of_tenant(self, tenant_id: TenantId) -> list[ApiKey]:
        """Newest first."""
        query = select(api_keys).where(api_keys.c.tenant_id == tenant_id).order_by(api_keys.c.key_id.desc())
        return [_key(row) for row in await self._database.fetch(query)]

    async def remove(self, tenant_id: TenantId, key_id: str) -> bool:
        """Whether there was such a key."""
        async with self._database.transaction() as connection:
            gone = await connection.execute(
                delete(api_keys).where(api_keys.c.key_id == key_id, api_keys.c.tenant_id == tenant_id)
            )
            return gone.rowcount == 1


class Founding:
    """What a first start puts into an empty database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first_tenant(self) -> TenantId | None:
        """The tenant that the first start made."""
        rows = await self._database.fetch(select(func.min(tenants.c.tenant_id).label("tenant_id")))
        found = rows[0]["tenant_id"]
        return None if found is None else TenantId(found)

    async def found(self, tenant_id: TenantId, name: str, owned: Sequence[TradingAccount], now_us: int) -> None:
        """A tenant with its trading accounts."""
        async with self._database.transaction() as connection:
            await connection.execute(insert(tenants).values(tenant_id=tenant_id, name=name, created_at=now_us))
            for account in owned:
                await connection.execute(
                    insert(accounts).values(
                        account_id=account.account_id,
                        tenant_id=account.tenant_id,
                        name=account.name,
                        venue=account.venue,
                        environment=account.environment.value,
                        created_at=account.created_at,
                    )
                )

    async def replace_setup_token(self, tenant_id: TenantId, token_hash: str) -> None:
        """The token of this start; that of an earlier one no longer opens anything."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(setup))
            await connection.execute(insert(setup).values(tenant_id=tenant_id, token_hash=token_hash))


def _account(row: Any) -> TradingAccount:
    return TradingAccount(
        account_id=AccountId(row["account_id"]),
        tenant_id=TenantId(row["tenant_id"]),
        name=row["name"],
        venue=row["venue"],
        environment=Environment(row["environment"]),
        created_at=row["created_at"],
    )


def _user_row(user: User) -> dict[str, object]:
    return {
        "user_id": user.user_id,
        "tenant_id": user.tenant_id,
        "email": user.email,
        "role": user.role.value,
        "session_epoch": user.session_epoch,
        "created_at": user.created_at,
    }


def _user(row: Any) -> User:
    return User(
        user_id=UserId(row["user_id"]),
        tenant_id=TenantId(row["tenant_id"]),
        email=row["email"],
        role=Role(row["role"]),
        session_epoch=row["session_epoch"],
        created_at=row["created_at"],
    )


def _key(row: Any) -> ApiKey:
    return ApiKey(
        key_id=row["key_id"],
        tenant_id=TenantId(row["tenant_id"]),
        name=row["name"],
        scope=Scope(row["scope"]),
        created_at=row["created_at"],
    )
