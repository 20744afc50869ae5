"""A tape from raw recordings: each line a local receive time (ns), a space and one frame as it came off the socket.

Frames are sent again byte for byte. Market time is the latest event time E among the frames so far, because recorders'
clocks drift and not every frame carries a time. One step holds 100 ms.
"""

import gzip
import heapq
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import msgspec

from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import from_stream_symbol
from tidegate.venues.simulator.bars import Bar
from tidegate.venues.simulator.book import Level
from tidegate.venues.simulator.candle_files import CandleFile
from tidegate.venues.simulator.tape import BookChange, Item, Part, Print, Quote, Step

STEP_US = 100_000
_KINDS = ("depth@100ms", "depth", "trade", "bookTicker")


class _Frame(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class _Time(msgspec.Struct):
    E: int = 0


class _Trade(msgspec.Struct):
    E: int
    t: int
    p: Decimal
    q: Decimal
    T: int
    m: bool


class _Depth(msgspec.Struct):
    E: int
    U: int
    u: int
    b: list[Level]
    a: list[Level]


class _Best(msgspec.Struct):
    u: int
    b: Decimal
    B: Decimal
    a: Decimal
    A: Decimal


class _Snapshot(msgspec.Struct):
    lastUpdateId: int
    bids: list[Level]
    asks: list[Level]


@dataclass(slots=True)
class _Line:
    received_ns: int
    at: int  # µs, event time, 0 where the frame has none
    symbol: str
    kind: str
    data: bytes


_frame_decoder = msgspec.json.Decoder(_Frame)
_snapshot_decoder = msgspec.json.Decoder(_Snapshot)
_time_decoder = msgspec.json.Decoder(_Time)
_trade_decoder = msgspec.json.Decoder(_Trade)
_depth_decoder = msgspec.json.Decoder(_Depth)
_best_decoder = msgspec.json.Decoder(_Best)


class CaptureTape:
    """One or several recordings side by side, with candle files as the history before them."""

    fill_model = "book"
    bases = ("1s", "1m")
    lateness_us = 2 * STEP_US

    def __init__(self, paths: Sequence[Path], candles: Sequence[CandleFile]) -> None:
        recordings = [_read(path) for path in paths]
        lines = list(heapq.merge(*(lines for lines, _ in recordings), key=lambda line: line.received_ns))
        self._snapshots = {symbol: found for _, snapshots in recordings for symbol, found in snapshots.items()}
        self._candles = {(candle.symbol, candle.timeframe): candle for candle in candles}
        first = next((line.at for line in lines if line.at), 0)
        if not first:
            names = ", ".join(path.name for path in paths)
            raise Invalid(f"{names} holds no frame with an event time E.", code="simulator.replay_empty")
        self.symbols = tuple(sorted({line.symbol for line in lines}))
        self.starts_at = first - first % STEP_US
        latest = first
        for line in lines:
            line.at = latest = max(latest, line.at)
        self._steps = [list(group) for _, group in groupby(lines, key=lambda line: line.at // STEP_US)]

    def price_of(self, symbol: str) -> float:
        """The first price that was traded or bid."""
        for lines in self._steps:
            for line in lines:
                if line.symbol == symbol and line.kind == "trade":
                    return float(_trade_decoder.decode(line.data).p)
        snapshot = self._snapshots.get(symbol)
        return float(snapshot.bids[0][0]) if snapshot is not None and snapshot.bids else 100.0

    def steps(self, after: int) -> Iterator[Step]:
        """Step n holds the n-th tenth of a second in which anything was received."""
        for number, lines in enumerate(self._steps[after:], start=after + 1):
            yield Step(number, [Part((lines[0].at // STEP_US + 1) * STEP_US, [_item(line) for line in lines])])

    def past(self, position: int) -> Iterator[Step]:
        """Everything from the beginning; first the book as the recorder was told it."""
        snapshots = [
            BookChange(
                symbol,
                found.lastUpdateId,
                found.lastUpdateId,
                found.bids,
                found.asks,
                self.starts_at,
                is_snapshot=True,
            )
            for symbol, found in self._snapshots.items()
        ]
        yield Step(0, [Part(self.starts_at, snapshots)])
        for step in self.steps(0):
            if step.position > position:
                return
            yield step

    def history(self, symbol: str, base: str, start: int, end: int) -> list[Bar]:
        """What the candle files know."""
        found = self._candles.get((symbol, base))
        return [] if found is None else found.bars(start, end)


def is_capture(path: Path) -> bool:
    """Whether the name is that of a recording."""
    return path.name.endswith((".jsonl", ".jsonl.gz"))


def _item(line: _Line) -> Item:
    match line.kind:
        case "trade":
            trade = _trade_decoder.decode(line.data)
            return Print(line.symbol, trade.t, trade.p, trade.q, trade.m, trade.T * 1_000, line.data)
        case "bookTicker":
            best = _best_decoder.decode(line.data)
            return Quote(line.symbol, best.u, (best.b, best.B), (best.a, best.A), line.data)
        case _:
            depth = _depth_decoder.decode(line.data)
            return BookChange(line.symbol, depth.U, depth.u, depth.b, depth.a, depth.E * 1_000, frame=line.data)


_DECODERS: dict[str, msgspec.json.Decoder[_Trade] | msgspec.json.Decoder[_Best] | msgspec.json.Decoder[_Depth]] = {
    "trade": _trade_decoder,
    "bookTicker": _best_decoder,
    "depth": _depth_decoder,
    "depth@100ms": _depth_decoder,
}


def _read(path: Path) -> tuple[list[_Line], dict[str, _Snapshot]]:
    lines: list[_Line] = []
    snapshots: list[_Snapshot] = []
    number = 0  # of the line that is read, for whoever has to find it
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for raw in file:
                number += 1
                line = _line(raw)
                if isinstance(line, _Snapshot):
                    snapshots.append(line)
                elif line is not None:
                    lines.append(line)
    except (OSError, EOFError, zlib.error) as problem:
        raise Invalid(
            f"{path} cannot be read after line {number} ({problem}): record or copy it again.",
            code="simulator.replay_unreadable",
        ) from None
    except (msgspec.DecodeError, ValueError) as problem:
        raise Invalid(
            f"{path} line {number} is no recorded frame ({problem}): each line is a time in ns, a space and JSON; "
            "remove the line or record again.",
            code="simulator.replay_corrupt",
        ) from None
    if not lines:
        raise Invalid(f"{path} holds no trade, depth or bookTicker frame.", code="simulator.replay_empty")
    symbols = sorted({line.symbol for line in lines})
    if snapshots and len(symbols) > 1:
        raise Invalid(
            f"{path} has frames of {', '.join(symbols)}, but its snapshot does not say of which: one file a symbol.",
            code="simulator.replay_ambiguous",
        )
    return lines, {symbols[0]: snapshots[0]} if snapshots else {}


def _line(raw: bytes) -> _Line | _Snapshot | None:
    """A frame, a book snapshot as REST gave it, or None for streams that are not played."""
    received, _, frame = raw.partition(b" ")
    received_ns = int(received)
    if frame.startswith(b'{"lastUpdateId"'):
        return _snapshot_decoder.decode(frame)
    decoded = _frame_decoder.decode(frame)
    name, _, kind = decoded.stream.partition("@")
    if kind not in _KINDS:
        return None
    data = bytes(decoded.data)
    _DECODERS[kind].decode(data)  # all is checked now, so that playing meets no surprise
    at = _time_decoder.decode(data).E * 1_000
    return _Line(received_ns, at, from_stream_symbol(name), kind, data)
