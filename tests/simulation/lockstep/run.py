"""One tape played in lockstep to real processes: an exchange, and the product embedded or apart."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import redis

from tests.simulation.lockstep.story import Story, fills_of, imbalances, read_books, transfers_of
from tidegate.accounts.repository import load_accounts
from tidegate.app.first_start import make_ready
from tidegate.app.loading import signal_key
from tidegate.bots.model import Bot, BotConfig, BotState
from tidegate.bots.repository import write_bots
from tidegate.domain.ids import BotId
from tidegate.domain.messages import CandleClosed, GapRepaired, Message, decode
from tidegate.kit.clock import SystemClock
from tidegate.kit.db import Database, WriteSet, open_store
from tidegate.kit.db.migrations import upgrade
from tidegate.strategies.sizing import SizingKind, SizingRule

EMBEDDED = ("engine",)
APART = ("ingest", "signals", "engine")
STOP_S, _LOOK_S = 15.0, 0.2
_CLI = (sys.executable, "-m", "tidegate.app.cli")
_SECRET_NAMES = (
    "SECRET_KEY",
    "CREDENTIALS_MASTER_KEY",
    "TIDEGATE_SIMULATOR_KEY",
    "TIDEGATE_SIMULATOR_SECRET",
    "TIDEGATE_SIMULATOR_CONTROL_TOKEN",
)
SECONDS = {
    "TIDEGATE_BASE_TIMEFRAME": "1s",
    "TIDEGATE_TIMEFRAMES": "1s,5s,1m",
    "TIDEGATE_RISK__ORDER_NOTIONAL_MAX": "5000",
}
_TOKEN = f"{_SECRET_NAMES[-1].lower()}-of-a-test-that-needs-no-secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """So many frames of one stream are lost behind a position of the tape."""

    position: int
    stream: str
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """What is played, and who trades on it."""

    replay: Sequence[Path | str]
    symbols: Sequence[str]
    bots: Sequence[BotConfig]
    gaps: Sequence[Gap] = ()
    settings: dict[str, str] = field(default_factory=dict)
    deadline_s: float = 200.0  # of one run


def a_bot(name: str, **changes: object) -> BotConfig:
    """Quick EMAs and near exits, so that a short tape has entries, stops and targets."""
    values: dict[str, object] = {
        "name": name,
        "symbol": "BTC/USDT",
        "timeframe": "1s",
        "strategy": "ema_cross",
        "parameters": {"fast": 2, "slow": 4, "rsi_bound": 100},
        "stop_loss_pct": Decimal("0.02"),
        "take_profit_pct": Decimal("0.04"),
    }
    return BotConfig(**{**values, **changes})  # type: ignore[arg-type]


def a_cipher(name: str, **changes: object) -> BotConfig:
    """A wave so short and bounds so near that a few minutes hold many dots."""
    parameters = {"channel": 4, "average": 5, "signal": 2, "oversold": 0.0, "overbought": 0.0}
    return a_bot(name, strategy="quantum_cipher", parameters=parameters, **changes)


def a_greedy_bot() -> BotConfig:
    """Wants nearly all there is, which the limit in `SECONDS` denies."""
    return a_bot("greedy", sizing=SizingRule(SizingKind.PERCENT, Decimal(90)))


def play(tape: Tape, folder: Path, redis_url: str, postgres_url: str | None = None) -> Story:
    """Embedded in a folder, or as separate processes when a database server is given."""
    folder.mkdir()
    database_url = postgres_url or f"sqlite:///{folder / 'tidegate.db'}"
    with redis.Redis.from_url(redis_url) as bus, ExitStack() as stack:
        bus.flushdb()
        _prepare(database_url, folder, tape.bots)
        settings = _environment(tape, folder, redis_url, postgres_url)
        options = [word for file in tape.replay for word in ("--replay", str(file))]
        options += ["--speed", "step", "--participants", "2" if tape.gaps else "1"]
        simulator = stack.enter_context(_running("simulator", options, folder, settings))
        exchange = _Exchange(str(simulator["rest"]))
        settings["TIDEGATE_SIMULATOR_URL"] = exchange.url
        roles = [
            stack.enter_context(_started(role, (), folder, settings)) for role in (APART if postgres_url else EMBEDDED)
        ]

        def check() -> None:
            assert all(role.poll() is None for role in roles), _complaints(folder)

        state = asyncio.run(exchange.watch(tape, check))
        seconds = time.monotonic() - exchange.began_s
        live = _live_messages(bus, tape.symbols)
    books = read_books(database_url)
    (account,) = state["accounts"].values()
    venue = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in account["balances"]}
    assert imbalances(books, venue) == []
    return Story(
        fills=fills_of(books),
        transfers=transfers_of(books),
        log=[str(row["name"]) for row in books.events],
        exits=Counter(str(row["exit_reason"]) for row in books.trades),
        minutes=[one.candle for one in live if isinstance(one, CandleClosed) and one.candle.timeframe == "1m"],
        repaired=sum(one.candle_count for one in live if isinstance(one, GapRepaired)),
        steps=state["mark"],
        seconds=seconds,
    )


class _Exchange:
    """The simulator as the test meets it: it looks on, and where frames are to be lost it takes part in every step."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._headers = {"X-Control-Token": _TOKEN}
        self.began_s = 0.0  # about the first step

    async def watch(self, tape: Tape, check: Callable[[], None]) -> dict[str, Any]:
        """Until the tape has ended and its last step is done: the exchange's own books."""
        ends_s = time.monotonic() + tape.deadline_s
        async with aiohttp.ClientSession(headers=self._headers) as session:
            part = asyncio.create_task(self._take_part(session, tape.gaps))
            while True:
                check()
                asked_s = time.monotonic()
                state = await self._state(session)
                self.began_s = self.began_s or (asked_s if state["mark"] else 0.0)
                if state["tape_has_ended"]:
                    part.cancel()
                    return state
                assert not part.done() or part.result() is None
                assert asked_s < ends_s, {name: value for name, value in state.items() if name != "accounts"}
                # The tape stands while the exchange tells its books.
                await asyncio.sleep(max(_LOOK_S, 10 * (time.monotonic() - asked_s)))

    async def _take_part(self, session: aiohttp.ClientSession, gaps: Sequence[Gap]) -> None:
        if not gaps:
            return
        due = {gap.position: gap for gap in gaps}
        async with session.ws_connect(f"{self.url}/stream?streams=!tape") as marks:
            await self._post(session, "acknowledge", {"position": 0})
            async for mark in marks:
                position = mark.json()["data"]["n"]
                if gap := due.pop(position, None):
                    await self._post(session, "drop_frames", {"stream": gap.stream, "count": gap.frames})
                await self._post(session, "acknowledge", {"position": position})

    async def _state(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        async with session.get(f"{self.url}/_control/state") as answer:
            state: dict[str, Any] = await answer.json()
            return state

    async def _post(self, session: aiohttp.ClientSession, verb: str, body: dict[str, object]) -> None:
        async with session.post(f"{self.url}/_control/{verb}", json=body) as answer:
            assert answer.status == 200, await answer.text()


def _prepare(database_url: str, folder: Path, bots: Sequence[BotConfig]) -> None:
    """A database with one account, and bots that run before anybody looks."""
    upgrade(database_url)

    async def fill() -> None:
        database, store = Database(database_url), open_store(database_url)
        try:
            await make_ready(database, folder, SystemClock())
            (account,) = await load_accounts(store)
            write_set = WriteSet()
            standing = [
                Bot(
                    BotId(f"bot-{number}"), account.account_id, config, signal_key(config), BotState.RUNNING, "", number
                )
                for number, config in enumerate(bots)
            ]
            write_bots(standing, write_set)
            await store.commit(write_set)
        finally:
            await database.close()
            await store.close()

    asyncio.run(fill())


def _environment(tape: Tape, folder: Path, redis_url: str, postgres_url: str | None) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    told = {name: f"{name.lower()}-of-a-test-that-needs-no-secrets" for name in _SECRET_NAMES}
    told |= {
        "PYTHONPATH": os.getcwd(),
        "TIDEGATE_DATA_DIR": str(folder),
        "TIDEGATE_DATABASE_URL": postgres_url or "",
        "TIDEGATE_REDIS_URL": redis_url,
        "TIDEGATE_LOCKSTEP": "true",
        "TIDEGATE_SYMBOLS": ",".join(tape.symbols),
        "TIDEGATE_LOG_LEVEL": "WARNING",
    }
    return ours | told | tape.settings


@contextmanager
def _started(
    name: str, options: Sequence[str], folder: Path, settings: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [*_CLI, name, *options], cwd=folder, env=settings, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextmanager
def _running(name: str, options: Sequence[str], folder: Path, settings: dict[str, str]) -> Iterator[dict[str, object]]:
    """Started, and what it said when it was ready."""
    with _started(name, options, folder, settings) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, _complaints(folder)
        yield json.loads(line)


def _complaints(folder: Path) -> str:
    return "\n".join(f"{log.name}: {log.read_text()[-2_000:]}" for log in sorted(folder.glob("*.log")))


def _live_messages(bus: "redis.Redis", symbols: Sequence[str]) -> list[Message]:
    """What the ingest said of base candles, history left out."""
    streams = [f"market:{symbol.replace('/', '')}:{base}" for symbol in symbols for base in ("1s", "1m")]
    entries: list[tuple[bytes, dict[bytes, bytes]]] = [entry for stream in streams for entry in bus.xrange(stream)]  # type: ignore[misc, union-attr]
    messages = [decode(fields[b"p"]) for _, fields in entries]
    return [one for one in messages if not (isinstance(one, CandleClosed) and one.is_history)]
