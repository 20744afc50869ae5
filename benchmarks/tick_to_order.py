"""Candle closed on the wire → order request on the wire, embedded, with the durable intent in between.

The engine is the product's own process (`tidegate engine`: ingest, signals, bots, risk, ledger, execution, adapter,
SQLite on disk with synchronous=FULL). This process is the venue at the other end of its sockets: the clock runs from
the write of a WebSocket frame to the arrival of the bytes of POST /order. After each order, in the same breath of the
machine: one fdatasync of an append, and the limit that a Python process reaches (decode, decide, encode, one
fdatasync, sign, send).
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks._shared import CLI, emit, environment, quantile, run_verb
from benchmarks._venue import SYMBOL, Venue, close_of
from tidegate.accounts.repository import load_accounts
from tidegate.app.loading import signal_key
from tidegate.app.servers import answers, valkey_command
from tidegate.bots.model import Bot, BotConfig, BotState, EntryKind
from tidegate.bots.repository import write_bots
from tidegate.domain.ids import BotId
from tidegate.kit.db import WriteSet
from tidegate.kit.db.sqlite_store import SqliteStore

_DAY_MS = 86_400_000
_WARM_UP = 50  # orders that are not counted
_PAUSE_S = 0.005  # between two candles: answers and reports are taken in
_ORDER_WITHIN_S = 5.0
_READY_WITHIN_S = 30.0
_STOP_WITHIN_S = 15.0
_PREALLOCATED = 8 << 20


def main() -> None:
    """Print one line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--orders", type=int, default=600)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="on the disk to be measured")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-orders-", dir=chosen.folder) as folder:
        valkey = subprocess.Popen(valkey_command(Path(folder) / "valkey.sock"), stdout=subprocess.DEVNULL)
        try:
            while not answers(Path(folder) / "valkey.sock"):
                time.sleep(_PAUSE_S)
            asyncio.run(_measure(Path(folder), chosen.orders))
        finally:
            valkey.terminate()
            valkey.wait()


async def _measure(folder: Path, orders: int) -> None:
    venue = Venue(int(time.time() * 1_000) // _DAY_MS * _DAY_MS)
    settings = {
        "TIDEGATE_SIMULATOR_URL": f"http://127.0.0.1:{await venue.open()}",
        "TIDEGATE_REDIS_URL": f"unix://{folder / 'valkey.sock'}",
        "TIDEGATE_SYMBOLS": SYMBOL,
        "TIDEGATE_TIMEFRAMES": "1m",
    }
    await asyncio.to_thread(run_verb, "db", "upgrade", folder=folder, **settings)
    durability = await _add_bot(folder / "tidegate.db")
    command = [*CLI, "--supervised", "engine"]  # it ends when we do
    with (folder / "engine.log").open("w") as log:
        engine = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment(folder, **settings),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert engine.stdout is not None and engine.stdin is not None
        engine.stdin.write(b"begin\n")
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                is_ready = bool(await engine.stdout.readline())
        except TimeoutError:
            is_ready = False
        if not is_ready:
            raise SystemExit(f"The engine is not ready: {(folder / 'engine.log').read_text()}")
        figures = await _trade(venue, folder, orders)
    finally:
        with contextlib.suppress(ProcessLookupError):
            engine.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(_STOP_WITHIN_S):
                await engine.wait()
        except TimeoutError:
            engine.kill()
    _tell(figures, durability)


async def _add_bot(database: Path) -> str:
    """A running bot that enters with a limit order at every other bar, and withdraws it at the next."""
    store = SqliteStore(database)
    account = (await load_accounts(store))[0]
    config = BotConfig(
        name="every other bar",
        symbol=SYMBOL,
        timeframe="1m",
        strategy="ema_cross",
        parameters={"fast": 2, "slow": 3, "rsi_bound": 100},
        arming={"cooldown": 0},
        entry=EntryKind.LIMIT,
    )
    write_set = WriteSet()
    bot = Bot(BotId("bench"), account.account_id, config, signal_key(config), BotState.RUNNING)
    write_bots([bot], write_set)
    await store.commit(write_set)
    durability = await store.durability()
    await store.close()
    return durability


async def _trade(venue: Venue, folder: Path, orders: int) -> dict[str, list[float]]:
    """Microseconds of each measured order, and of the limits beside it."""
    limit = Limit(folder)
    figures: dict[str, list[float]] = {"order": [], "limit": [], "fdatasync": []}
    await venue.is_heard.wait()
    for number in range(2 * (orders + _WARM_UP)):
        await asyncio.sleep(_PAUSE_S)
        frame = venue.kline_frame(number)
        is_entry = number % 2 == 0
        seen = venue.next_request("POST" if is_entry else "DELETE")
        begun_ns = time.perf_counter_ns()
        venue.say(frame)
        try:
            async with asyncio.timeout(_ORDER_WITHIN_S):
                order_us = (await seen - begun_ns) / 1_000
        except TimeoutError:
            raise SystemExit(f"No order came at bar {number}: {_last_verdict(folder)}") from None
        if is_entry and number >= 2 * _WARM_UP:
            figures["order"].append(order_us)
            await asyncio.sleep(_PAUSE_S)  # each of them after a rest, as the order was
            figures["limit"].append(limit.order_us(frame))
            await asyncio.sleep(_PAUSE_S)
            figures["fdatasync"].append(limit.fdatasync_us())
    return figures


def _last_verdict(folder: Path) -> str:
    with sqlite3.connect(folder / "tidegate.db") as database:
        row = database.execute("SELECT verdict FROM bots_decisions ORDER BY bar_opened_at DESC LIMIT 1").fetchone()
    return f"{row}\n{(folder / 'engine.log').read_text()}"


class _Kline(msgspec.Struct, gc=False):
    opened_ms: int = msgspec.field(name="t")
    close: float = msgspec.field(name="c")


class _Event(msgspec.Struct, gc=False):
    kline: _Kline = msgspec.field(name="k")


class _Envelope(msgspec.Struct, gc=False):
    stream: str
    data: _Event


class _Order(msgspec.Struct, gc=False):
    id: int
    symbol: str
    side: str
    quantity: float
    price: float


class Limit:
    """Nothing but what cannot be left out: the same candle to a signed request, with one fdatasync before it leaves."""

    def __init__(self, folder: Path) -> None:
        self._decoder = msgspec.json.Decoder(_Envelope, strict=False)
        self._here, self._there = socket.socketpair()
        self._file = os.open(folder / "limit.bin", os.O_CREAT | os.O_RDWR)
        os.write(self._file, b"\0" * _PREALLOCATED)
        os.fsync(self._file)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._fast = self._slow = float(close_of(0))
        self._up = self._down = 1.0
        self._last = self._fast

    def order_us(self, frame: bytes) -> float:
        """One candle to one signed order on a socket."""
        payload = frame[4:]
        begun_ns = time.perf_counter_ns()
        close = self._decoder.decode(payload).data.kline.close
        change, self._last = close - self._last, close
        self._fast += (close - self._fast) * 2 / 3
        self._slow += (close - self._slow) / 2
        self._up += (max(change, 0.0) - self._up) / 14
        self._down += (max(-change, 0.0) - self._down) / 14
        side = "BUY" if self._fast > self._slow and self._up / (self._up + self._down) < 1 else "SELL"
        order = _Order(1, "BTCUSDT", side, 0.01, close)
        if order.quantity * order.price > 1e6 or abs(order.price / self._last - 1) > 0.05:
            raise SystemExit("the limit denied its own order")
        os.write(self._file, msgspec.msgpack.encode(order))
        os.fdatasync(self._file)
        query = f"symbol=BTCUSDT&side={order.side}&type=LIMIT&quantity={order.quantity}&price={order.price}"
        signature = hmac.digest(b"k" * 64, query.encode(), hashlib.sha256).hex()
        self._here.send(f"POST /api/v3/order?{query}&signature={signature} HTTP/1.1\r\n\r\n".encode())
        ended_ns = time.perf_counter_ns()
        self._there.recv(4_096)
        return (ended_ns - begun_ns) / 1_000

    def fdatasync_us(self) -> float:
        """One append of 512 bytes made durable."""
        begun_ns = time.perf_counter_ns()
        os.write(self._file, b"x" * 512)
        os.fdatasync(self._file)
        return (time.perf_counter_ns() - begun_ns) / 1_000


def _tell(figures: dict[str, list[float]], durability: str) -> None:
    shown = {
        f"{name}_{label}_us": round(quantile(values, share))
        for name, values in figures.items()
        for label, share in (("p50", 0.5), ("p99", 0.99))
    }
    order, limit = figures["order"], figures["limit"]
    emit(
        what="tick_to_order",
        orders=len(order),
        durability=durability,
        **shown,
        ratio_p50=quantile(order, 0.5) / quantile(limit, 0.5),
        ratio_p99=quantile(order, 0.99) / quantile(limit, 0.99),
    )


if __name__ == "__main__":
    main()
