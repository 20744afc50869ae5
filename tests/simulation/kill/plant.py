"""An exchange and an engine as processes of their own, on one folder: either can be killed, and starts again."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.servers import free_port
from tests.waiting import eventually
from tidegate.accounts.repository import load_accounts
from tidegate.bots.model import Bot, BotConfig, BotState
from tidegate.bots.repository import write_bots
from tidegate.domain.ids import AccountId, BotId
from tidegate.kit.db import SqliteStore, WriteSet

BTC, ETH = "BTC/USDT", "ETH/USDT"
SYMBOLS = (BTC, ETH)
OWNERS = tuple(BotId(f"owner-{symbol[:3]}-{number}") for symbol in SYMBOLS for number in range(3))
FENCE_MS = 2_500
DIES_S, STARTS_S, STOPS_S = 30.0, 30.0, 5.0
_CLI = (sys.executable, "-m", "tidegate.app.cli")
_SIMULATOR = (sys.executable, "-m", "tidegate.venues.simulator")
_KEY, _SECRET, _TOKEN = "kill-key", "kill-secret", "kill-token"
_CONTROL = {"X-Control-Token": _TOKEN}
_TRADERS = {BotId("trader-1"): BTC, BotId("trader-2"): ETH}


def symbol_of(owner: BotId) -> str:
    """What the bot that owns these orders trades."""
    return BTC if owner.startswith("owner-BTC") else ETH


def prepare(folder: Path) -> Path:
    """A data folder with a migrated database, to be copied by every test."""
    done = subprocess.run(
        [*_CLI, "db", "upgrade"], env=_environment(folder / "data"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "data"


@dataclass
class Plant:
    """One world: its exchange, its engine, and the folder that both keep theirs in."""

    folder: Path
    redis_url: str
    speed: str = "20"
    seed: int = 1
    port: int = field(default_factory=free_port)
    exchange: subprocess.Popen[str] | None = None
    engine: subprocess.Popen[str] | None = None
    account_id: AccountId = field(init=False)
    starts: int = 0

    @property
    def database(self) -> Path:
        return self.folder / "data" / "tidegate.db"

    async def set_up(self, template: Path) -> None:
        """Everything but the engine: bots that trade by themselves, and bots that own what the test sends."""
        shutil.copytree(template, self.folder / "data")
        await self.start_exchange()
        store = SqliteStore(self.database)
        self.account_id = (await load_accounts(store))[0].account_id
        owners = [self._bot(owner, symbol_of(owner), BotState.PAUSED) for owner in OWNERS]
        traders = [self._bot(trader, symbol, BotState.RUNNING) for trader, symbol in _TRADERS.items()]
        write_set = WriteSet()
        write_bots([*owners, *traders], write_set)
        await store.commit(write_set)
        await store.close()

    def tear_down(self) -> None:
        """End both, kindly if they listen."""
        for process in (self.engine, self.exchange):
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(STOPS_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close(process)

    # ── the exchange ──

    async def start_exchange(self) -> None:
        """The same world goes on."""
        command = [
            *(*_SIMULATOR, "--port", str(self.port), "--seed", str(self.seed), "--speed", self.speed),
            *("--key", _KEY, "--secret", _SECRET, "--control-token", _TOKEN),
            *("--balance", "USDT=1000000", "--symbols", ",".join(SYMBOLS)),
            *("--directory", str(self.folder / "exchange")),
        ]
        self.exchange = self._spawn(command, "exchange", {})
        await self._ready(self.exchange, "exchange")

    async def kill_exchange(self) -> None:
        """As a power cut would."""
        assert self.exchange is not None
        await _kill(self.exchange)

    def books(self) -> dict[str, Any]:
        """The exchange's own books: the truth."""
        with urlopen(Request(f"{self.url}/_control/state", headers=_CONTROL), timeout=10) as answer:
            state: dict[str, Any] = json.load(answer)
        return {**state["accounts"][_KEY], "journal_sequence": state["journal_sequence"]}

    def price(self, symbol: str) -> tuple[Decimal, int]:
        """The last one, and the market's time (µs)."""
        wire = symbol.replace("/", "")
        with urlopen(f"{self.url}/api/v3/ticker/24hr?symbol={wire}", timeout=10) as answer:
            ticker = json.load(answer)
        return Decimal(ticker["lastPrice"]), ticker["closeTime"] * 1_000

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ── the engine ──

    async def start_engine(self, *, crash_at: str = "", waits: bool = True) -> None:
        """A new process; one that shall crash may do so before it is ready."""
        self.starts += 1
        told = {
            "TIDEGATE_REDIS_URL": self.redis_url,
            "TIDEGATE_SIMULATOR_URL": self.url,
            "TIDEGATE_SIMULATOR_KEY": _KEY,
            "TIDEGATE_SIMULATOR_SECRET": _SECRET,
            "TIDEGATE_SYMBOLS": ",".join(SYMBOLS),
            "TIDEGATE_BASE_TIMEFRAME": "1s",
            "TIDEGATE_TIMEFRAMES": "5s",
            "TIDEGATE_FENCE_MS": str(FENCE_MS),
            "TIDEGATE_CRASH_AT": crash_at,
        }
        self.engine = self._spawn([*_CLI, "engine"], f"engine-{self.starts}", told)
        if waits:
            await self._ready(self.engine, f"engine-{self.starts}")

    async def kill_engine(self) -> None:
        """As a power cut would."""
        assert self.engine is not None
        await _kill(self.engine)

    async def engine_dies(self) -> None:
        """Wait until the crash point has killed it."""
        engine = self.engine
        assert engine is not None
        await eventually(lambda: engine.poll() is not None, what="the crash point is met", deadline_s=DIES_S)
        _close(engine)
        assert engine.returncode == -signal.SIGKILL, self.complaints()

    @property
    def is_engine_alive(self) -> bool:
        return self.engine is not None and self.engine.poll() is None

    def complaints(self) -> str:
        """The end of what the last engine said."""
        return (self.folder / f"engine-{self.starts}.err").read_text()[-4_000:]

    # ── inside ──

    def _bot(self, bot_id: BotId, symbol: str, state: BotState) -> Bot:
        config = BotConfig(
            name=bot_id,
            symbol=symbol,
            timeframe="5s",
            strategy="ema_cross",
            parameters={"fast": 2, "slow": 3, "rsi_bound": 100},
            stop_loss_pct=Decimal("0.2"),
            take_profit_pct=Decimal("0.2"),
        )
        return Bot(bot_id, self.account_id, config, "", state)

    def _spawn(self, command: list[str], name: str, told: dict[str, str]) -> subprocess.Popen[str]:
        with (self.folder / f"{name}.err").open("w") as complaints:
            return subprocess.Popen(
                command,
                env=_environment(self.folder / "data") | told,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
            )

    async def _ready(self, process: subprocess.Popen[str], name: str) -> None:
        """It prints one line when it can be used."""
        assert process.stdout is not None
        async with asyncio.timeout(STARTS_S):
            line = await asyncio.to_thread(process.stdout.readline)
        assert line, (self.folder / f"{name}.err").read_text()[-4_000:]


async def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    await eventually(lambda: process.poll() is not None, what="the process is gone")
    _close(process)


def _close(process: subprocess.Popen[str]) -> None:
    if process.stdout is not None:
        process.stdout.close()


def _environment(data: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    return ours | {"TIDEGATE_DATA_DIR": str(data), "PYTHONPATH": os.getcwd()}
