"""The signals role: candles from the market streams in, signals out, tape marks behind them.

The role keeps nothing that must survive: the streams hold the history too, and after a restart it warms up to the last
bar that it has published and says once more what came after, as far as ten minutes back. So a signal may come twice,
and a crash leaves none out; its key and bar tell a repetition.
"""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from tidegate.domain.messages import BarEvaluated, CandleClosed, Signal, TapeAdvanced, decode, encode
from tidegate.kit.bus import FROM_START, Bus, Entry
from tidegate.kit.clock import Clock
from tidegate.signals.model import SignalSpec
from tidegate.signals.ports import WantedSignals
from tidegate.signals.service import SignalService
from tidegate.signals.streams import MARKET_TAPE, SIGNALS_TAPE, market_stream, signals_stream

BLOCK_MS = 500
WANTED_REFRESH_S = 2.0
CATCH_UP_US = 600 * 1_000_000  # an older signal is news to nobody


class SignalsRole:
    """Reads, computes, publishes; a bus that fails stops it, and its next start repeats what may be missing."""

    def __init__(self, bus: Bus, wanted: WantedSignals, clock: Clock) -> None:
        self._bus = bus
        self._wanted = wanted
        self._clock = clock
        self._service = SignalService()
        self._running: dict[str, SignalSpec] = {}
        self._cursors: dict[str, str] = {MARKET_TAPE: FROM_START}
        self._refresh_at_s = 0.0
        self._is_restart = True  # until everything wanted at the start is warm

    async def run(self, ready: asyncio.Event) -> None:
        """Until cancelled; `ready` is set once everything wanted at the start is warm."""
        while True:
            if self._is_restart or self._clock.monotonic_s() >= self._refresh_at_s:
                await self._refresh()
                self._is_restart = False
                ready.set()
            await self._handle(await self._bus.read(self._cursors, BLOCK_MS))

    async def _refresh(self) -> None:
        self._refresh_at_s = self._clock.monotonic_s() + WANTED_REFRESH_S
        wanted = {spec.key: spec for spec in await self._wanted.wanted()}
        for key in self._running.keys() - wanted.keys():
            self._service.drop(self._running.pop(key))
        fresh = sorted((spec.symbol, spec.timeframe, key) for key, spec in wanted.items() if key not in self._running)
        for (symbol, timeframe), group in groupby(fresh, key=itemgetter(0, 1)):
            specs = [wanted[key] for _, _, key in group]
            await self._start(symbol, timeframe, specs)
            self._running.update((spec.key, spec) for spec in specs)
        streams = {market_stream(*series) for series in self._service.series} | {MARKET_TAPE}
        self._cursors = {stream: self._cursors.get(stream, FROM_START) for stream in sorted(streams)}

    async def _start(self, symbol: str, timeframe: str, specs: Sequence[SignalSpec]) -> None:
        """Warm up to the bar published last if the role was restarted, else to now; then say what came after it."""
        published = await self._published(signals_stream(symbol, timeframe)) if self._is_restart else {}
        past = await self._past(market_stream(symbol, timeframe))
        newest = past[-1].candle.opened_at if past else 0
        until = {spec.key: max(published.get(spec.key, newest), newest - CATCH_UP_US) for spec in specs}
        for spec in specs:
            self._service.require(spec)
            silent = (one.candle for one in past if one.candle.opened_at <= until[spec.key])
            self._service.warm_up(silent, spec)
        await self._hear([one for one in past if one.candle.opened_at > min(until.values())])

    async def _published(self, stream: str) -> dict[str, int]:
        """The newest bar that each signal on this stream has spoken of."""
        newest: dict[str, int] = {}
        for entry in (await self._read_all(stream))[0]:
            message = decode(entry.payload)
            if isinstance(message, BarEvaluated):
                newest[message.signal_key] = max(message.bar_opened_at, newest.get(message.signal_key, 0))
        return newest

    async def _past(self, stream: str) -> list[CandleClosed]:
        """The candles that the stream still holds, in time order: as they closed live, or else as history told them."""
        entries, cursor = await self._read_all(stream)
        messages = (decode(entry.payload) for entry in entries)
        closed = [message for message in messages if isinstance(message, CandleClosed)]
        past = {one.candle.opened_at: one for one in sorted(closed, key=lambda one: not one.is_history)}
        self._cursors.setdefault(stream, cursor)
        return [past[opened_at] for opened_at in sorted(past)]

    async def _read_all(self, stream: str) -> tuple[list[Entry], str]:
        entries: list[Entry] = []
        cursor, last = FROM_START, (await self._bus.last_ids([stream]))[stream]
        while cursor != last:
            found = await self._bus.read({stream: cursor}, 0)
            entries += found
            if found:
                cursor = found[-1].id
            else:
                last = (await self._bus.last_ids([stream]))[stream]
        return entries, cursor

    async def _handle(self, entries: Sequence[Entry]) -> None:
        marks = await self._take_in(entries)
        if marks:
            await self._drain()
            await self._bus.publish(SIGNALS_TAPE, marks)

    async def _drain(self) -> None:
        """A mark says that all data before it is on its stream, not that the same read has returned it."""
        streams = [stream for stream in self._cursors if stream != MARKET_TAPE]
        last = await self._bus.last_ids(streams)
        while behind := {stream: self._cursors[stream] for stream in streams if self._cursors[stream] != last[stream]}:
            found = await self._bus.read(behind, 0)
            await self._take_in(found)
            if not found:
                last = await self._bus.last_ids(streams)

    async def _take_in(self, entries: Sequence[Entry]) -> list[bytes]:
        """Publish what the candles say; the tape marks among the entries are returned."""
        messages = [(entry, decode(entry.payload)) for entry in entries]
        await self._hear([message for _, message in messages if isinstance(message, CandleClosed)])
        self._cursors.update((entry.stream, entry.id) for entry in entries)
        return [entry.payload for entry, message in messages if isinstance(message, TapeAdvanced)]

    async def _hear(self, closed: Sequence[CandleClosed]) -> None:
        signals: list[Signal] = []
        for one in closed:
            if one.is_history:
                self._service.warm_up([one.candle])
            else:
                signals += self._service.on_candle(one.candle, one.trace_id)
        await self._publish(signals)

    async def _publish(self, signals: Sequence[Signal]) -> None:
        payloads: dict[str, list[bytes]] = {}
        for signal in signals:
            stream = signals_stream(signal.symbol, signal.timeframe)
            payloads.setdefault(stream, []).append(encode(signal))
        for stream, messages in payloads.items():
            await self._bus.publish(stream, messages)
