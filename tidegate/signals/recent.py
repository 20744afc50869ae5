"""What pages read of the signals: the newest ones, kept in memory from the streams that the signals role fills."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.domain.errors import Invalid
from tidegate.domain.messages import BarEvaluated, Signal, SignalArmed, SignalDisarmed, SignalTriggered, decode
from tidegate.kit.bus import FROM_START, Bus
from tidegate.signals.ports import WantedSignals
from tidegate.signals.streams import signals_stream

KEPT_PER_STREAM = 1_000


@dataclass(frozen=True, slots=True)
class HeardSignal:
    """One signal and the place where it stands, `stream@id`."""

    id: str
    signal: Signal


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """What to leave out; None leaves out nothing."""

    symbol: str | None = None
    timeframe: str | None = None
    with_bars: bool = False  # also `BarEvaluated`, one a bar and signal

    def takes(self, signal: Signal) -> bool:
        return (
            self.symbol in (None, signal.symbol)
            and self.timeframe in (None, signal.timeframe)
            and (self.with_bars or not isinstance(signal, BarEvaluated))
        )


class SignalReader:
    """Reads on from where the last call stopped, so a call costs what is new; keeps 1,000 events and bars a stream."""

    def __init__(self, bus: Bus, wanted: WantedSignals) -> None:
        self._bus = bus
        self._wanted = wanted
        self._cursors: dict[str, str] = {}
        self._events: dict[str, deque[HeardSignal]] = {}
        self._bars: dict[str, deque[HeardSignal]] = {}
        self._turn = asyncio.Lock()

    async def recent(
        self, wanted: SignalFilter, *, limit: int, cursor: str | None
    ) -> tuple[list[HeardSignal], str | None]:
        """Newest first, from behind `cursor` on; the second value continues the list, None at its end."""
        async with self._turn:
            await self._read_on()
        heard = sorted(
            (one for one in self._kept() if wanted.takes(one.signal)), key=lambda one: one.signal.occurred_at
        )
        heard.reverse()
        begin = 0
        if cursor is not None:
            ids = [one.id for one in heard]
            if cursor not in ids:
                raise Invalid(
                    f"cursor {cursor!r} is not known or too old; start again without one.",
                    code="signals.cursor_invalid",
                )
            begin = ids.index(cursor) + 1
        page = heard[begin : begin + limit]
        return page, page[-1].id if begin + limit < len(heard) else None

    def _kept(self) -> Iterator[HeardSignal]:
        for stream in sorted(self._cursors):
            yield from self._events[stream]
            yield from self._bars[stream]

    async def _read_on(self) -> None:
        for spec in await self._wanted.wanted():
            stream = signals_stream(spec.symbol, spec.timeframe)
            if stream not in self._cursors:
                self._cursors[stream] = FROM_START
                self._events[stream] = deque(maxlen=KEPT_PER_STREAM)
                self._bars[stream] = deque(maxlen=KEPT_PER_STREAM)
        if not self._cursors:
            return
        while entries := await self._bus.read(self._cursors, 0):
            for entry in entries:
                self._cursors[entry.stream] = entry.id
                message = decode(entry.payload)
                if isinstance(message, BarEvaluated):
                    self._bars[entry.stream].append(HeardSignal(f"{entry.stream}@{entry.id}", message))
                elif isinstance(message, SignalArmed | SignalDisarmed | SignalTriggered):
                    self._events[entry.stream].append(HeardSignal(f"{entry.stream}@{entry.id}", message))
