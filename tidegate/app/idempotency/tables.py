"""One row a key."""

from sqlalchemy import BigInteger, Column, String, Table

from tidegate.kit.db import metadata

idempotency_keys = Table(
    "app_idempotency_keys",
    metadata,
    Column("tenant_id", String(36), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("claimed_at", BigInteger, nullable=False),  # µs, wall time
)
