"""What this stage reads and feeds beyond `domain.ports.MarketSource`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from tidegate.domain.candles import Candle
from tidegate.domain.messages import CandleClosed, MarketMessage

MarketSink = Callable[[MarketMessage], Awaitable[None]]
HistorySink = Callable[[Sequence[CandleClosed]], Awaitable[None]]


class CandleHistory(Protocol):
    """Candles that were kept before; what they say of a bar is revision n, a correction is n+1."""

    async def read(self, symbol: str, timeframe: str, start: int, end: int) -> list[Candle]:
        """Candles with `start <= opened_at < end` (µs), oldest first."""
        ...
