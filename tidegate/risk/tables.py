"""Rows of risk: limits by level, and the kill switch of each account."""

from sqlalchemy import BigInteger, Boolean, Column, Table, Text

from tidegate.kit.db import Document, metadata

limits = Table(
    "risk_limits",
    metadata,
    Column("level", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # account or bot id; empty for the platform
    Column("limits", Document, nullable=False),
    Column("set_at", BigInteger, nullable=False),  # µs
)

switches = Table(
    "risk_switches",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("is_on", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("set_at", BigInteger, nullable=False),  # µs
)
