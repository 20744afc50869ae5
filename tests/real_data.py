"""Recorded market data beside the project, where a machine has it."""

from decimal import Decimal
from pathlib import Path

from tidegate.domain.candles import Candle

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
CANDLES = SHARED / "candles"
CAPTURES = SHARED / "ws_raw"


def real_candles(files: list[Path], timeframe: str = "1m") -> list[Candle]:
    """All files' candles by open time, then symbol, cut to the time that all of them have."""
    import polars as pl

    frames = {path.name.partition("USDT")[0] + "/USDT": pl.read_ipc(path) for path in files}
    series = [
        [
            Candle(symbol, timeframe, int(date.timestamp()) * 1_000_000, *map(_decimal, numbers))  # type: ignore[arg-type]
            for date, *numbers in frame.iter_rows()
        ]
        for symbol, frame in frames.items()
    ]
    start = max(candles[0].opened_at for candles in series)
    end = min(candles[-1].opened_at for candles in series)
    kept = [candle for candles in series for candle in candles if start <= candle.opened_at <= end]
    return sorted(kept, key=lambda candle: (candle.opened_at, candle.symbol))


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))
