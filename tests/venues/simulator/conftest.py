"""A simulator in a thread of the test's own process, and a client that signs as Binance documents it."""

import asyncio
import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tidegate.venues.simulator.options import SimulatorOptions
from tidegate.venues.simulator.recorder import write_candles, write_recording
from tidegate.venues.simulator.server import Ready, Simulator
from tidegate.venues.simulator.sign import Credential

KEY, SECRET = "test-key", "test-secret"
START_S = 20.0
Decoded = Any  # JSON as it came


class Client:
    """Speaks REST and control with one simulator; answers are decoded JSON."""

    def __init__(self, ready: Ready) -> None:
        self.ready = ready
        self.http = httpx.Client(base_url=ready.rest, timeout=10.0)

    def get(self, path: str, **params: object) -> Decoded:
        return self.http.get(f"/api/v3/{path}", params=_text(params)).json()

    def send(self, method: str, path: str, **params: object) -> httpx.Response:
        """A signed request with its parameters in the query; `in_body=True` puts them into the form body."""
        in_body = params.pop("in_body", False)
        params.setdefault("timestamp", int(time.time() * 1_000))
        query = urlencode(_text(params))
        query += "&signature=" + signature(query)
        headers = {"X-MBX-APIKEY": KEY}
        if in_body:
            return self.http.request(method, f"/api/v3/{path}", content=query, headers=headers)
        return self.http.request(method, f"/api/v3/{path}?{query}", headers=headers)

    def signed(self, method: str, path: str, **params: object) -> Decoded:
        """The decoded answer of a signed request that must succeed."""
        answer = self.send(method, path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, method: str, path: str, **params: object) -> tuple[int, str]:
        """Code and message of a signed request that must fail."""
        answer = self.send(method, path, **params)
        assert answer.status_code >= 400, answer.text
        return answer.json()["code"], answer.json()["msg"]

    def buy(self, quantity: str, **params: object) -> Decoded:
        """A market buy of BTC/USDT."""
        return self.signed("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=quantity, **params)

    def limit(self, side: str, quantity: str, price: Decimal, **params: object) -> Decoded:
        """A limit order of BTC/USDT."""
        return self.signed("POST", "order", **limit_params(side, quantity, price), **params)

    def best(self, symbol: str = "BTCUSDT") -> tuple[Decimal, Decimal]:
        """Bid and ask now."""
        ticker = self.get("ticker/bookTicker", symbol=symbol)
        return Decimal(ticker["bidPrice"]), Decimal(ticker["askPrice"])

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Free and locked of each asset."""
        rows = self.signed("GET", "account")["balances"]
        return {row["asset"]: (Decimal(row["free"]), Decimal(row["locked"])) for row in rows}

    def control(self, name: str, **body: object) -> Decoded:
        answer = self.http.post(f"/_control/{name}", json=body, headers=self.token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> Decoded:
        answer = self.http.get("/_control/state", headers=self.token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def token(self) -> dict[str, str]:
        return {"X-Control-Token": self.ready.control_token}


def signature(payload: str) -> str:
    return hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()


def limit_params(side: str, quantity: str, price: Decimal) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT",
        "side": side,
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": quantity,
        "price": price,
    }


def _text(params: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items()}


class Running:
    """One simulator on an event loop of its own thread."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._problem: BaseException | None = None
        self.simulator: Simulator
        self.ready: Ready
        self.client: Client

    def start(self) -> Client:
        self._thread.start()
        assert self._started.wait(START_S), "the simulator did not start"
        if self._problem is not None:
            raise self._problem
        self.client = Client(self.ready)
        return self.client

    def stop(self) -> None:
        if self._thread.is_alive():
            self.client.http.close()
            asyncio.run_coroutine_threadsafe(self.simulator.stop(), self._loop).result(START_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._start())
        except Exception as problem:  # noqa: BLE001 - raised again in the test's thread
            self._problem = problem
            self._loop.close()
            return
        finally:
            self._started.set()
        self._loop.run_forever()
        self._loop.close()

    async def _start(self) -> None:
        self.simulator = Simulator(self._options)
        self.ready = await self.simulator.start()


Start = Callable[..., Client]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a simulator with given options; all are stopped after the test."""
    running: list[Running] = []

    def begin(**changed: object) -> Client:
        options = SimulatorOptions(**(_DEFAULTS | changed))  # type: ignore[arg-type]
        running.append(Running(options))
        return running[-1].start()

    yield begin
    for one in running:
        one.stop()


_DEFAULTS: dict[str, object] = {
    "credentials": (Credential(KEY, SECRET),),
    "balances": {"USDT": Decimal(100_000), "BTC": Decimal(2)},
    "symbols": ("BTC/USDT", "ETH/USDT"),
    "seed": 7,
}


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty recorded seconds of a small market."""
    path = tmp_path_factory.mktemp("recordings") / "btcusdt.jsonl.gz"
    write_recording(path, seed=11, symbol="BTC/USDT", seconds=40)
    return path


@pytest.fixture(scope="session")
def candle_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of 1m candles."""
    path = tmp_path_factory.mktemp("candles") / "BTCUSDT-1m-sample.csv.gz"
    write_candles(path, seed=11, symbol="BTC/USDT", minutes=60)
    return path
