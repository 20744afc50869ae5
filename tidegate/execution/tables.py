"""The rows of stage 5."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from tidegate.kit.db import Document, Exact, metadata

orders = Table(
    "execution_orders",
    metadata,
    Column("client_order_id", Text, primary_key=True),
    Column("intent_key", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("bot_id", Text),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("quantity", Exact, nullable=False),  # base
    Column("limit_price", Exact),  # quote per base
    Column("stop_price", Exact),
    Column("filled_quantity", Exact, nullable=False),
    Column("filled_notional", Exact, nullable=False),  # quote
    Column("venue_order_id", Text),
    Column("list_id", Text),
    Column("hold_key", Text, nullable=False),
    Column("submitted_at", BigInteger, nullable=False),  # µs, market time
    Column("fence_at", BigInteger, nullable=False),  # µs, wall time
    Column("is_cancel_requested", Boolean, nullable=False),
    Column("reported_quantity", Exact, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("intent", Document, nullable=False),
    UniqueConstraint("intent_key", "attempt"),
    Index("ix_execution_orders_account", "account_id", "status"),
    Index("ix_execution_orders_submitted", "account_id", "submitted_at"),
)

order_states = Table(
    "execution_order_states",
    metadata,
    Column("client_order_id", Text, ForeignKey(orders.c.client_order_id), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),  # µs, market time
    Column("source", Text, nullable=False),
)

fills = Table(
    "execution_fills",
    metadata,
    Column("fill_id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("client_order_id", Text, ForeignKey(orders.c.client_order_id), nullable=False),
    Column("bot_id", Text),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("fee_asset", Text, nullable=False),
    Column("is_maker", Boolean, nullable=False),
    Column("filled_at", BigInteger, nullable=False),  # µs, market time
    Column("trace_id", Text, nullable=False),
    Index("ix_execution_fills_account", "account_id", "filled_at"),
    Index("ix_execution_fills_order", "client_order_id"),
)

positions = Table(
    "execution_positions",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("bot_id", Text, primary_key=True),  # "" for orders by hand
    Column("symbol", Text, primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("entry_price", Exact, nullable=False),
    Column("trade_id", Text),
    Column("document", Document, nullable=False),  # the whole Position
)

trades = Table(
    "execution_trades",
    metadata,
    Column("trade_id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("bot_id", Text),
    Column("symbol", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("entry_price", Exact, nullable=False),
    Column("exit_price", Exact, nullable=False),
    Column("fees", Exact, nullable=False),  # quote
    Column("realized_pnl", Exact, nullable=False),  # quote
    Column("opened_at", BigInteger, nullable=False),  # µs
    Column("closed_at", BigInteger, nullable=False),
    Column("exit_reason", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Index("ix_execution_trades_account", "account_id", "closed_at"),
)

daily_pnl = Table(
    "execution_daily_pnl",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # UTC days since the epoch, market time
    Column("realized_pnl", Exact, nullable=False),  # quote, of round trips closed that day
)
