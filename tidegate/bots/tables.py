"""The rows of stage 3."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, UniqueConstraint

from tidegate.kit.db import Document, metadata

bots = Table(
    "bots_bots",
    metadata,
    Column("bot_id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("config", Document, nullable=False),  # the whole BotConfig
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),  # µs, wall time
    UniqueConstraint("account_id", "name"),
)

decisions = Table(
    "bots_decisions",
    metadata,
    Column("bot_id", Text, primary_key=True),
    Column("bar_opened_at", BigInteger, primary_key=True),  # µs, market time
    Column("account_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("values", Document, nullable=False),
    Column("trace_id", Text, nullable=False),
    Index("ix_bots_decisions_account", "account_id", "bar_opened_at"),
)
