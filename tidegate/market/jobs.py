"""What the ingest does beside the stream: it keeps base candles, and moves closed days into files."""

import asyncio
from collections.abc import Sequence

import structlog

from tidegate.domain.candles import Candle, floor_time
from tidegate.domain.errors import Unavailable
from tidegate.domain.messages import CandleClosed, MarketMessage
from tidegate.market.model import BASES
from tidegate.market.repository import CandleStore

_PAUSE_S = 2.0
_PENDING_MAX = 200_000
_LATE_US = 600_000_000  # a day is closed ten minutes after its end: most corrections have come by then

_log = structlog.get_logger(__name__)


class CandleRecorder:
    """Takes candles at once, writes them in short transactions; losing some is healed by the next backfill."""

    def __init__(self, store: CandleStore) -> None:
        self._store = store
        self._pending: dict[tuple[str, str, int], Candle] = {}
        self._market_at = 0
        self._closed_until = 0

    def take(self, message: MarketMessage) -> None:
        """Note a base candle; everything else is not kept."""
        if isinstance(message, CandleClosed) and message.candle.timeframe in BASES:
            candle = message.candle
            self._pending[candle.symbol, candle.timeframe, candle.opened_at] = candle
            self._market_at = max(self._market_at, candle.closes_at)
            if len(self._pending) > _PENDING_MAX:
                del self._pending[next(iter(self._pending))]

    def take_history(self, candles: Sequence[CandleClosed]) -> None:
        """Note the candles of a backfill."""
        for candle in candles:
            self.take(candle)

    async def run(self) -> None:
        """Write every two seconds until cancelled; a busy database is tried again."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            try:
                await self.flush()
            except Unavailable as error:
                _log.warning("market.candles_waiting", candles=len(self._pending), reason=str(error))

    async def flush(self) -> None:
        """Write what is pending, then close the days that are over in market time."""
        pending = self._pending
        self._pending = {}
        try:
            await self._store.keep(list(pending.values()))
        except Unavailable:
            self._pending = pending | self._pending
            raise
        midnight = floor_time(self._market_at - _LATE_US, "1d")
        if midnight > self._closed_until:
            await self._store.close_days(midnight)
            self._closed_until = midnight
