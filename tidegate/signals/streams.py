"""The names of the streams that this stage reads and writes."""

from tidegate.domain.instruments import stream_symbol

MARKET_TAPE, SIGNALS_TAPE = "market:tape", "signals:tape"


def market_stream(symbol: str, timeframe: str) -> str:
    """Where closed candles come from: `market:BTCUSDT:1m`."""
    return f"market:{stream_symbol(symbol)}:{timeframe}"


def signals_stream(symbol: str, timeframe: str) -> str:
    """Where the signals of a symbol and timeframe go: `signals:BTCUSDT:1m`."""
    return f"signals:{stream_symbol(symbol)}:{timeframe}"
