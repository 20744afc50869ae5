"""The rows of stage 3."""

from sqlalchemy import BigInteger, Column, Index, String, Table, UniqueConstraint

from tidegate.kit.db import Document, metadata

bots = Table(
    "bots_bots",
    metadata,
    Column("bot_id", String(36), primary_key=True),
    Column("account_id", String(36), nullable=False),
    Column("name", String(80), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("timeframe", String(8), nullable=False),
    Column("strategy", String(40), nullable=False),
    Column("config", Document, nullable=False),  # the whole BotConfig
    Column("state", String(12), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("created_at", BigInteger, nullable=False),  # µs, wall time
    UniqueConstraint("account_id", "name"),
)

decisions = Table(
    "bots_decisions",
    metadata,
    Column("bot_id", String(36), primary_key=True),
    Column("bar_opened_at", BigInteger, primary_key=True),  # µs, market time
    Column("account_id", String(36), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("timeframe", String(8), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("verdict", String(400), nullable=False),
    Column("values", Document, nullable=False),
    Column("trace_id", String(32), nullable=False),
    Index("ix_bots_decisions_account", "account_id", "bar_opened_at"),
)
