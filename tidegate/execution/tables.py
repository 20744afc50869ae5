"""The rows of stage 5."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from tidegate.kit.db import Document, Exact, metadata

orders = Table(
    "execution_orders",
    metadata,
    Column("client_order_id", String(32), primary_key=True),
    Column("intent_key", String(160), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("account_id", String(36), nullable=False),
    Column("bot_id", String(36)),
    Column("symbol", String(32), nullable=False),
    Column("side", String(4), nullable=False),
    Column("type", String(20), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("status", String(16), nullable=False),
    Column("quantity", Exact, nullable=False),  # base
    Column("limit_price", Exact),  # quote per base
    Column("stop_price", Exact),
    Column("filled_quantity", Exact, nullable=False),
    Column("filled_notional", Exact, nullable=False),  # quote
    Column("venue_order_id", String(64)),
    Column("list_id", String(32)),
    Column("hold_key", String(160), nullable=False),
    Column("submitted_at", BigInteger, nullable=False),  # µs, market time
    Column("fence_at", BigInteger, nullable=False),  # µs, wall time
    Column("is_cancel_requested", Boolean, nullable=False),
    Column("reported_quantity", Exact, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("detail", String(400), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("intent", Document, nullable=False),
    UniqueConstraint("intent_key", "attempt"),
    Index("ix_execution_orders_account", "account_id", "status"),
    Index("ix_execution_orders_submitted", "account_id", "submitted_at"),
)

order_states = Table(
    "execution_order_states",
    metadata,
    Column("client_order_id", String(32), ForeignKey(orders.c.client_order_id), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("changed_at", BigInteger, nullable=False),  # µs, market time
    Column("source", String(24), nullable=False),
)

fills = Table(
    "execution_fills",
    metadata,
    Column("fill_id", String(200), primary_key=True),
    Column("account_id", String(36), nullable=False),
    Column("client_order_id", String(32), ForeignKey(orders.c.client_order_id), nullable=False),
    Column("bot_id", String(36)),
    Column("symbol", String(32), nullable=False),
    Column("side", String(4), nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("fee_asset", String(16), nullable=False),
    Column("is_maker", Boolean, nullable=False),
    Column("filled_at", BigInteger, nullable=False),  # µs, market time
    Column("trace_id", String(32), nullable=False),
    Index("ix_execution_fills_account", "account_id", "filled_at"),
    Index("ix_execution_fills_order", "client_order_id"),
)

positions = Table(
    "execution_positions",
    metadata,
    Column("account_id", String(36), primary_key=True),
    Column("bot_id", String(36), primary_key=True),  # "" for orders by hand
    Column("symbol", String(32), primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("entry_price", Exact, nullable=False),
    Column("trade_id", String(160)),
    Column("document", Document, nullable=False),  # the whole Position
)

trades = Table(
    "execution_trades",
    metadata,
    Column("trade_id", String(160), primary_key=True),
    Column("account_id", String(36), nullable=False),
    Column("bot_id", String(36)),
    Column("symbol", String(32), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("entry_price", Exact, nullable=False),
    Column("exit_price", Exact, nullable=False),
    Column("fees", Exact, nullable=False),  # quote
    Column("realized_pnl", Exact, nullable=False),  # quote
    Column("opened_at", BigInteger, nullable=False),  # µs
    Column("closed_at", BigInteger, nullable=False),
    Column("exit_reason", String(200), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Index("ix_execution_trades_account", "account_id", "closed_at"),
)

daily_pnl = Table(
    "execution_daily_pnl",
    metadata,
    Column("account_id", String(36), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # UTC days since the epoch, market time
    Column("realized_pnl", Exact, nullable=False),  # quote, of round trips closed that day
)
