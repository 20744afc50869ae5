"""Rows of the ledger: transfers are only ever added, balances and holds are what they add up to."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from tidegate.kit.db import Minor, metadata

transfers = Table(
    "ledger_transfers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("debit", Text, nullable=False),  # kind of the ledger account that receives
    Column("credit", Text, nullable=False),  # kind of the ledger account that gives
    Column("asset", Text, nullable=False),
    Column("units", Minor, nullable=False),
    Column("scale", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("hold_key", Text),
    Column("fill_id", Text),
    Column("reason", Text, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),  # µs, market time
    Column("trace_id", Text, nullable=False),
    UniqueConstraint("account_id", "key"),
    Index(None, "account_id", "hold_key"),
    Index(None, "trace_id"),
)

balances = Table(
    "ledger_balances",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("units", Minor, nullable=False),
    Column("scale", Integer, nullable=False),  # decimals of the asset, fixed at first use
)

holds = Table(
    "ledger_holds",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("units", Minor, nullable=False),
    Column("remaining", Minor, nullable=False),  # units
    Column("opened_at", BigInteger, nullable=False),  # µs, market time
    Column("is_open", Boolean, nullable=False),
    Index(None, "account_id", "is_open"),
)
