"""What an engine of its own hears: quotes and signals from the streams, and in lockstep the marks behind them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from tidegate.domain.messages import (
    BarEvaluated,
    MarketMessage,
    QuoteChanged,
    Signal,
    SignalArmed,
    SignalDisarmed,
    SignalTriggered,
    TapeAdvanced,
    decode,
)
from tidegate.kit.bus import FROM_START, Bus, Entry
from tidegate.market.model import Series
from tidegate.market.streams import quote_stream
from tidegate.signals.streams import SIGNALS_TAPE, signals_stream

_BLOCK_MS = 500
Hear = Callable[[MarketMessage | Signal], Awaitable[None]]


class EngineStreams:
    """Reads from now on: what was said before an engine stood is history, on which nobody trades.

    Only the marks are read from the start, because the first one may have come already; the newest is all that counts.
    """

    def __init__(self, bus: Bus, hear: Hear) -> None:
        self._bus = bus
        self._hear = hear
        self._cursors: dict[str, str] = {SIGNALS_TAPE: FROM_START}

    async def follow(self, wanted: Sequence[Series]) -> None:
        """Hear these too."""
        names = {quote_stream(series.symbol) for series in wanted}
        names |= {signals_stream(series.symbol, series.timeframe) for series in wanted}
        self._cursors |= await self._bus.last_ids(sorted(names - self._cursors.keys()))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            marks = await self._take(await self._bus.read(dict(self._cursors), _BLOCK_MS))
            if marks:
                await self._drain()
                await self._hear(marks[-1])

    async def _drain(self) -> None:
        """A mark says that all data before it is on its stream, not that the same read has returned it."""
        names = [name for name in self._cursors if name != SIGNALS_TAPE]
        last = await self._bus.last_ids(names)
        while behind := {name: self._cursors[name] for name in names if self._cursors[name] != last[name]}:
            found = await self._bus.read(behind, 0)
            await self._take(found)
            if not found:
                last = await self._bus.last_ids(names)

    async def _take(self, entries: Iterable[Entry]) -> list[TapeAdvanced]:
        """Pass data on; the marks among it are returned."""
        marks = []
        for entry in entries:
            self._cursors[entry.stream] = entry.id
            message = decode(entry.payload)
            if isinstance(message, TapeAdvanced):
                marks.append(message)
            elif isinstance(message, QuoteChanged | SignalArmed | SignalDisarmed | SignalTriggered | BarEvaluated):
                await self._hear(message)
        return marks
