"""Today's candles; closed days stand in files."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from tidegate.kit.db import Exact, metadata

market_candles = Table(
    "market_candles",
    metadata,
    Column("venue", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("timeframe", Text, primary_key=True),  # 1m or 1s: longer ones are merged when they are read
    Column("opened_at", BigInteger, primary_key=True, autoincrement=False),  # µs
    Column("open", Exact, nullable=False),  # quote per base, as high, low and close
    Column("high", Exact, nullable=False),
    Column("low", Exact, nullable=False),
    Column("close", Exact, nullable=False),
    Column("volume", Exact, nullable=False),  # base
    Column("quote_volume", Exact, nullable=False),
    Column("trade_count", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)
