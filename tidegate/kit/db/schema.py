"""The metadata that every stage's tables join, and the tables of the log, the leases and the inbox themselves."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

from tidegate.kit.db.types import Document

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Append-only: outbox, audit of orders and source of every read model. Nothing updates or deletes an event.
events = Table(
    "events",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # from 1, gapless
    Column("name", Text, nullable=False),
    Column("payload", Document, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),  # µs, market time
    Column("trace_id", Text, nullable=False),
)

# The last sequence of each account: a reader compares it with its cursor and need not scan the log.
event_heads = Table(
    "event_heads",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

event_cursors = Table(
    "event_cursors",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),  # the last one that was handled
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),  # rises with each change of holder
    Column("expires_at", BigInteger, nullable=False),  # µs, wall time
)

# One row a command: the same id is obeyed once.
inbox = Table(
    "inbox",
    metadata,
    Column("command_id", Text, primary_key=True),
    Column("shard", Integer, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("answer", Document),
    Column("handled_at", BigInteger, nullable=False),  # µs, wall time
)
