"""Messages a second from a raw frame to what the product passes on, beside what ccxt.pro does with the same frames.

Ours: the frame reader of the Binance adapter and the ingest, which builds, merges and checks candles (trades,
quotes, klines), or the book kept in order (depth). Theirs: JSON decoding and `handle_message`, which keeps trades,
tickers, candles and books. The frames are a recorded capture of BTC/USDT, the klines made from its last price.
"""

import argparse
import asyncio
import gzip
import importlib.util
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from benchmarks._shared import REPOSITORY, emit, quantile
from benchmarks._venue import EXCHANGE_INFO, MINUTE_MS
from benchmarks._venue import SYMBOL as _SYMBOL
from tidegate.domain.candles import Candle, CandleSource
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import MarketMessage
from tidegate.domain.ports import BookSnapshot
from tidegate.kit.clock import ManualClock
from tidegate.market.model import Series
from tidegate.market.service import Ingest, IngestOptions
from tidegate.venues.binance import parse
from tidegate.venues.binance.book import BookState, BookSync
from tidegate.venues.binance.market import read_depth
from tidegate.venues.binance.market_frames import MarketFrames

_RECORDING = "binance_spot_btcusdt_20240808.jsonl.gz"
_SAMPLES = REPOSITORY / "tidegate" / "venues" / "simulator" / "samples"
_RUNS = 5
_FRAMES_MAX = 8_000  # of each kind
_KLINES = 4_000
_OPEN_OF_KLINES = 9  # of ten frames of a kline stream that many tell of an open bar
_TARGET = 20

Frames = Sequence[str]


def main() -> None:
    """Print one line a kind of frame."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--recording", type=Path, default=_recording())
    recording = options.parse_args().recording
    frames, snapshot = _read(recording)
    instrument = _instrument()
    for kind, raws in frames.items():
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(_RUNS):  # turn by turn, so that both meet the same machine
            ours.append(_ours_us(kind, raws, snapshot, instrument))
            theirs.append(asyncio.run(_ccxt_us(raws, snapshot)))
        our_us, their_us = quantile(ours, 0.5), quantile(theirs, 0.5)
        emit(
            what=f"ingest {kind}",
            recording=recording.name,
            frames=len(raws),
            messages_per_s=round(1e6 / our_us),
            us=our_us,
            ccxt_us=their_us,
            ccxt_json="orjson" if importlib.util.find_spec("orjson") else "json",
            ratio=their_us / our_us,
            ratio_target=_TARGET,
        )


def _recording() -> Path:
    shared = Path(os.environ.get("BENCH_RECORDINGS", REPOSITORY.parent / "shared" / "data" / "ws_raw")) / _RECORDING
    return shared if shared.exists() else min(_SAMPLES.glob("*.jsonl.gz"))


def _read(recording: Path) -> tuple[dict[str, Frames], dict[str, Any]]:
    """Frames by kind, and the book from which the depth events go on."""
    frames: dict[str, list[str]] = {"trade": [], "bookTicker": [], "depth@100ms": []}
    snapshot: dict[str, Any] = {}
    with gzip.open(recording, "rt") as lines:
        for line in lines:
            text = line.split(" ", 1)[1].strip()
            decoded = json.loads(text)
            if "stream" in decoded:
                kind = decoded["stream"].partition("@")[2]
                if decoded["stream"].startswith("btcusdt@") and len(frames[kind]) < _FRAMES_MAX:
                    frames[kind].append(text)
            elif not snapshot:
                snapshot = decoded.get("data", decoded)
    depth = [raw for raw in frames["depth@100ms"] if json.loads(raw)["data"]["u"] > snapshot["lastUpdateId"]]
    first_trade = json.loads(frames["trade"][0])["data"]
    return {**frames, "depth@100ms": depth, "kline_1m": _klines(first_trade["E"], first_trade["p"])}, snapshot


def _klines(begins_ms: int, price: str) -> Frames:
    frames = []
    for number in range(_KLINES):
        bar, part = divmod(number, _OPEN_OF_KLINES + 1)
        opened = begins_ms // MINUTE_MS * MINUTE_MS + bar * MINUTE_MS
        kline = {
            "t": opened, "T": opened + MINUTE_MS - 1, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 2, "o": price,
            "c": price, "h": price, "l": price, "v": "8.21827000", "n": 1234, "x": part == _OPEN_OF_KLINES,
            "q": "493096.20000000", "V": "5.10234000", "Q": "306140.40000000", "B": "0",
        }  # fmt: skip
        data = {"e": "kline", "E": opened + (part + 1) * 6_000, "s": "BTCUSDT", "k": kline}
        frames.append(json.dumps({"stream": "btcusdt@kline_1m", "data": data}, separators=(",", ":")))
    return frames


# ── ours ──


class _Recorded:
    """A market source that has one recording and nothing else."""

    def __init__(self, raws: Frames, instrument: Instrument) -> None:
        self._raws = raws
        self._instrument = instrument

    async def instruments(self) -> Sequence[Instrument]:
        return [self._instrument]

    async def candles(self, symbol: str, timeframe: str, start: int, end: int) -> list[Candle]:
        return []

    async def book(self, symbol: str, depth: int) -> BookSnapshot:
        raise AssertionError("nobody asks for it here")

    async def stream(self, symbols: Sequence[str], timeframes: Sequence[str]) -> AsyncIterator[MarketMessage]:
        frames = MarketFrames(symbols, ["1m"], has_tape=False)
        frames.market_at = 1  # a quote has no time of its own and is passed on only after something that has
        for raw in self._raws:
            message = frames.read(raw)
            if message is not None:
                yield message

    def books(self, symbol: str, depth: int) -> AsyncIterator[BookSnapshot]:
        raise AssertionError("nobody asks for it here")


def _ours_us(kind: str, raws: Frames, snapshot: dict[str, Any], instrument: Instrument) -> float:
    if kind.startswith("depth"):
        return _our_book_us(raws, snapshot)
    return asyncio.run(_our_ingest_us(kind, raws, instrument))


async def _our_ingest_us(kind: str, raws: Frames, instrument: Instrument) -> float:
    passed = itertools.count()

    async def sink(_: MarketMessage) -> None:
        next(passed)

    # Candles come from klines, or are built from every trade.
    source = CandleSource.TRADES if kind == "trade" else CandleSource.STREAM
    begins_us = json.loads(raws[0])["data"].get("E", 0) * 1_000
    options = IngestOptions(venue="simulator", candles_from=source)
    ingest = Ingest(_Recorded(raws, instrument), sink, options, clock=ManualClock(begins_us))
    await ingest.want([Series(_SYMBOL, "1m"), Series(_SYMBOL, "5m")])
    begun_s = time.perf_counter()
    await ingest.run()
    took_s = time.perf_counter() - begun_s
    if not next(passed):
        raise SystemExit(f"the ingest passed on nothing of {kind}")
    return took_s / len(raws) * 1e6


def _our_book_us(raws: Frames, snapshot: dict[str, Any]) -> float:
    book = parse.book(msgspec.json.encode(snapshot), _SYMBOL)
    sync = BookSync(_SYMBOL)
    sync.on_event(read_depth(raws[0], _SYMBOL))
    sync.on_snapshot(book)
    begun_s = time.perf_counter()
    for raw in raws[1:]:
        sync.on_event(read_depth(raw, _SYMBOL))
    took_s = time.perf_counter() - begun_s
    if sync.state is not BookState.SYNCED:
        raise SystemExit("our book lost its way")
    return took_s / (len(raws) - 1) * 1e6


def _instrument() -> Instrument:
    rate = Decimal("0.001")
    return parse.exchange_info(msgspec.json.encode(EXCHANGE_INFO), rate, rate)[0][0]


# ── ccxt's ──


class _Envelope(msgspec.Struct):
    data: msgspec.Raw


class _Client:
    """What `handle_message` needs of a connection: nobody waits here."""

    url = "wss://stream.binance.com:9443/stream"

    def __init__(self) -> None:
        self.subscriptions: dict[str, object] = {}
        self.futures: dict[str, object] = {}
        self.rejections: dict[str, object] = {}
        self.resolved = 0

    def resolve(self, result: object, _: object) -> object:
        self.resolved += 1
        return result

    def reject(self, *reasons: object) -> None:
        raise SystemExit(f"ccxt refused a frame: {reasons}")


async def _ccxt_us(raws: Frames, snapshot: dict[str, Any]) -> float:
    import ccxt.pro  # type: ignore[import-untyped]

    exchange = ccxt.pro.binance({"newUpdates": True})
    try:
        exchange.set_markets([_ccxt_market(exchange)])
        book = exchange.order_book({}, 1_000)
        book["nonce"], book["symbol"] = snapshot["lastUpdateId"], _SYMBOL
        for side in ("bids", "asks"):
            for price, quantity in snapshot[side]:
                book[side].store(float(price), float(quantity))
        exchange.orderbooks[_SYMBOL] = book
        client, decode = _Client(), _ccxt_decode()
        # It opens streams that carry the bare event.
        events = [msgspec.json.decode(raw, type=_Envelope).data for raw in raws]
        texts = [bytes(event).decode() for event in events]
        handle = exchange.handle_message
        begun_s = time.perf_counter()
        for text in texts:
            handle(client, decode(text))
        took_s = time.perf_counter() - begun_s
        if not client.resolved:
            raise SystemExit("ccxt made nothing of these frames")
        return took_s / len(raws) * 1e6
    finally:
        await exchange.close()


def _ccxt_market(exchange: Any) -> Any:
    return exchange.safe_market_structure(
        {
            "id": "BTCUSDT", "lowercaseId": "btcusdt", "symbol": _SYMBOL, "base": "BTC", "quote": "USDT",
            "baseId": "BTC", "quoteId": "USDT", "type": "spot", "spot": True, "active": True,
            "precision": {"amount": 1e-5, "price": 0.01},
        }
    )  # fmt: skip


def _ccxt_decode() -> Callable[[str], Any]:
    """What its own client takes: orjson where it is installed."""
    if importlib.util.find_spec("orjson"):
        orjson = importlib.import_module("orjson")
        loads: Callable[[str], Any] = orjson.loads
        return loads
    return json.loads


if __name__ == "__main__":
    main()
