"""The rows of accounts; whatever is secret stands here as a hash."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table

from tidegate.kit.db import metadata

tenants = Table(
    "accounts_tenants",
    metadata,
    Column("tenant_id", String(36), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("created_at", BigInteger, nullable=False),  # µs, wall time
)

accounts = Table(
    "accounts_accounts",
    metadata,
    Column("account_id", String(36), primary_key=True),
    Column("tenant_id", String(36), ForeignKey(tenants.c.tenant_id), nullable=False),
    Column("name", String(80), nullable=False),
    Column("venue", String(40), nullable=False),
    Column("environment", String(1), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_accounts_accounts_tenant", "tenant_id"),
)

users = Table(
    "accounts_users",
    metadata,
    Column("user_id", String(36), primary_key=True),
    Column("tenant_id", String(36), ForeignKey(tenants.c.tenant_id), nullable=False),
    Column("email", String(254), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(12), nullable=False),
    Column("session_epoch", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

sessions = Table(
    "accounts_sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", String(36), ForeignKey(users.c.user_id), nullable=False),
    Column("epoch", Integer, nullable=False),  # of the user when the session began
    Column("expires_at", BigInteger, nullable=False),  # µs, wall time
    Index("ix_accounts_sessions_user", "user_id"),
)

api_keys = Table(
    "accounts_api_keys",
    metadata,
    Column("key_id", String(36), primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("tenant_id", String(36), ForeignKey(tenants.c.tenant_id), nullable=False),
    Column("name", String(80), nullable=False),
    Column("scope", String(8), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_accounts_api_keys_tenant", "tenant_id"),
)

# At most one row: the token that lets the first owner in, until somebody has used it.
setup = Table(
    "accounts_setup",
    metadata,
    Column("tenant_id", String(36), ForeignKey(tenants.c.tenant_id), primary_key=True),
    Column("token_hash", String(64), nullable=False),
)
