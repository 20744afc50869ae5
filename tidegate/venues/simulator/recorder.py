"""Writes a generated tape as a recording and as candles: the sample that comes along, and small ones for tests."""

import gzip
from pathlib import Path

import msgspec

from tidegate.domain.candles import SECOND_US
from tidegate.domain.instruments import stream_symbol
from tidegate.venues.simulator import frames
from tidegate.venues.simulator.book import Book
from tidegate.venues.simulator.generator import GeneratedTape
from tidegate.venues.simulator.streams import wrapped
from tidegate.venues.simulator.tape import BookChange, Item, Print

SEED = 20_260_101
SYMBOL = "BTC/USDT"
STARTS_AT = 1_767_225_600 * SECOND_US  # 2026-01-01
RECORDER_LAG_NS = 40_000_000
_encoder = msgspec.json.Encoder()


def write_recording(path: Path, *, seed: int, symbol: str, seconds: int) -> None:
    """`seconds` of a generated market as a recorder of depth, trade and bookTicker streams would have written it."""
    tape = GeneratedTape(seed, (symbol,), STARTS_AT)
    wire_symbol, book = stream_symbol(symbol), Book()
    lines: list[bytes] = []
    with_snapshot = False
    for step in tape.steps(0):
        if step.position > seconds:
            break
        for part in step.parts:
            received_ns = part.at * 1_000 + RECORDER_LAG_NS
            for item in part.items:
                for stream, payload in _frames(wire_symbol, book, item):
                    data = wrapped(f"{wire_symbol.lower()}@{stream}", _encoder.encode(payload))
                    lines.append(b"%d %s\n" % (received_ns, data))
            if not with_snapshot and len(lines) > 3:
                # As with a real recorder, the snapshot comes after the first changes.
                snapshot = frames.depth_snapshot(book.update_id, book.bids(1_000), book.asks(1_000))
                lines.append(b"%d %s\n" % (received_ns, _encoder.encode(snapshot)))
                with_snapshot = True
    _write(path, b"".join(lines))


def write_candles(path: Path, *, seed: int, symbol: str, minutes: int) -> None:
    """The 1m candles of the generated market around the beginning of its recording, as a gzipped CSV file."""
    tape = GeneratedTape(seed, (symbol,), STARTS_AT)
    before = min(minutes, 1_440)
    start = STARTS_AT - before * 60 * SECOND_US
    rows = ["timestamp,open,high,low,close,volume"]
    for bar in tape.history(symbol, "1m", start, start + minutes * 60 * SECOND_US):
        rows.append(f"{bar.opened_at // 1_000},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}")
    _write(path, ("\n".join(rows) + "\n").encode())


def write_sample(directory: Path) -> None:
    """The recording of six minutes and the day of candles that `--replay sample` plays."""
    directory.mkdir(exist_ok=True)
    write_recording(directory / "btcusdt-20260101.jsonl.gz", seed=SEED, symbol=SYMBOL, seconds=360)
    write_candles(directory / "BTCUSDT-1m-20251231-20260101.csv.gz", seed=SEED, symbol=SYMBOL, minutes=1_446)


def _frames(wire_symbol: str, book: Book, item: Item) -> list[tuple[str, frames.Json]]:
    match item:
        case Print():
            return [("trade", frames.trade(wire_symbol, item))]
        case BookChange():
            book.change(item.bids, item.asks, item.update_id)
            ids = (item.first_update_id, item.update_id)
            best = frames.book_ticker(wire_symbol, item.update_id, book.bids(1)[0], book.asks(1)[0])
            update = frames.depth_update(wire_symbol, item.at, ids, item.bids, item.asks)
            return [("depth@100ms", update), ("bookTicker", best)]
        case _:
            return []


def _write(path: Path, content: bytes) -> None:
    # Without a time in the header the same content is the same file.
    path.write_bytes(gzip.compress(content, mtime=0))
