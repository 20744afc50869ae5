"""What was acknowledged survives: SIGKILL of the process under load, a restart, and a journal that is not ours."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.venues.simulator.conftest import KEY, SECRET, Client, Decoded, Start
from tests.waiting import wait_until
from tidegate.domain.errors import Conflict, Unavailable
from tidegate.domain.ids import AccountId
from tidegate.kit.clock import SystemClock
from tidegate.venues.simulator.__main__ import main
from tidegate.venues.simulator.journal import FILE_NAME, Journal, reset
from tidegate.venues.simulator.options import SimulatorOptions, parse_balances, parse_speed
from tidegate.venues.simulator.server import Ready, open_world
from tidegate.venues.simulator.sign import Credential

COMMAND = (sys.executable, "-m", "tidegate.venues.simulator", "--seed", "7", "--symbols", "BTC/USDT")


class Process:
    """A simulator of its own, which can be killed."""

    def __init__(self, directory: Path, *options: str) -> None:
        command = [*COMMAND, "--directory", str(directory), "--key", KEY, "--secret", SECRET]
        command += ["--balance", "USDT=1000000,BTC=10", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.client = Client(msgspec.json.decode(self._process.stdout.readline(), type=Ready))

    def end(self, number: int) -> int:
        if self._process.poll() is None:
            os.kill(self._process.pid, number)
        self.client.http.close()
        with self._process:
            return self._process.wait(10)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[list[Process]]:
    running: list[Process] = []
    yield running
    for process in running:
        process.end(signal.SIGKILL)


def place_until_killed(client: Client, acknowledged: list[Decoded]) -> None:
    """Market orders, resting ones and cancels, as fast as answers come."""
    number = 0
    try:
        while True:
            number += 1
            acknowledged.append(client.buy("0.001", newClientOrderId=f"m{number}"))
            price = Decimal(30_000 + number)
            acknowledged.append(client.limit("BUY", "0.001", price, newClientOrderId=f"l{number}"))
            if number % 3 == 0:
                acknowledged.append(client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId=f"l{number}"))
                client.signed("DELETE", "openOrders", symbol="BTCUSDT")
    except httpx.HTTPError:
        return  # the kill came; whatever was acknowledged before is in the list


def test_everything_acknowledged_before_a_sigkill_is_there_after_it(tmp_path: Path, processes: list[Process]) -> None:
    acknowledged: list[Decoded] = []
    for _ in range(2):
        processes.append(Process(tmp_path))
        before = len(acknowledged)
        load = threading.Thread(target=place_until_killed, args=(processes[-1].client, acknowledged))
        load.start()
        wait_until(lambda seen=before: len(acknowledged) >= seen + 60, what="orders are acknowledged")  # type: ignore[misc]
        os.kill(processes[-1].client.ready.pid, signal.SIGKILL)
        load.join()
    processes.append(Process(tmp_path))
    books = processes[-1].client.state()["accounts"][KEY]
    orders = {order["orderId"]: order for order in books["orders"]}
    for answer in acknowledged:
        order = orders[answer["orderId"]]
        assert Decimal(order["executedQty"]) >= Decimal(answer["executedQty"])
        if answer["status"] in {"FILLED", "CANCELED"}:
            assert order["status"] == answer["status"]
    assert len(orders) == len(books["orders"])
    assert_books_balance(books)


def assert_books_balance(books: Decoded) -> None:
    """Balances are the deposits moved by every trade and fee, and locked is what open orders need."""
    expected = {"USDT": Decimal(1_000_000), "BTC": Decimal(10)}
    for trade in books["trades"]:
        expected["BTC"] += Decimal(trade["qty"])
        expected["USDT"] -= Decimal(trade["quoteQty"])
        expected[trade["commissionAsset"]] -= Decimal(trade["commission"])
    balances = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in books["balances"]}
    assert balances == expected
    still_open = [order for order in books["orders"] if order["status"] == "NEW"]
    locked = next(Decimal(row["locked"]) for row in books["balances"] if row["asset"] == "USDT")
    assert locked == sum(Decimal(order["price"]) * Decimal(order["origQty"]) for order in still_open)


def test_ids_are_never_used_twice_and_prices_continue(tmp_path: Path, processes: list[Process]) -> None:
    processes.append(Process(tmp_path))
    first = processes[-1].client.buy("0.001")
    price = processes[-1].client.best()[0]
    kline = processes[-1].client.get("klines", symbol="BTCUSDT", interval="1m", limit=3)[0]
    assert processes[-1].end(signal.SIGTERM) == 0
    processes.append(Process(tmp_path))
    second = processes[-1].client.buy("0.001")
    assert second["orderId"] > first["orderId"]
    assert second["fills"][0]["tradeId"] > first["fills"][-1]["tradeId"]
    assert abs(processes[-1].client.best()[0] / price - 1) < Decimal("0.02")
    opened_at = kline[0]
    again = processes[-1].client.get("klines", symbol="BTCUSDT", interval="1m", startTime=opened_at, limit=1)[0]
    assert again == kline


def test_a_replay_goes_on_where_it_was(start: Start, candle_file: Path, tmp_path: Path) -> None:
    replayed: dict[str, object] = {"replay": (str(candle_file),), "directory": tmp_path}
    options = SimulatorOptions(credentials=(Credential(KEY, SECRET),), seed=7, speed=0, **replayed)  # type: ignore[arg-type]
    world = open_world(options, SystemClock())
    world.position, world.at = 20, world.tape.starts_at
    world.journal.append((), {"position": 20, "mark": 0})
    world.journal.close()
    client = start(**replayed, speed=None)
    assert client.state()["tape_position"] == 20
    rows = client.get("klines", symbol="BTCUSDT", interval="1m", limit=100)
    assert len(rows) == 20


def test_a_journal_of_another_world_is_refused(tmp_path: Path) -> None:
    credentials = (Credential(KEY, SECRET),)
    clock = SystemClock()
    options = SimulatorOptions(credentials=credentials, directory=tmp_path, seed=1)
    open_world(options, clock).journal.close()
    with pytest.raises(Conflict, match="seed 1, not 2"):
        open_world(SimulatorOptions(credentials=credentials, directory=tmp_path, seed=2), clock)
    reset(tmp_path)
    open_world(SimulatorOptions(credentials=credentials, directory=tmp_path, seed=2), clock).journal.close()


def test_one_directory_serves_one_process(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for second in (lambda: Journal(tmp_path), lambda: reset(tmp_path)):
        with pytest.raises(Conflict, match="in use by another process"):
            second()
    journal.close()
    reset(tmp_path)
    assert not (tmp_path / FILE_NAME).exists()


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all, but longer than its header" * 40)
    with pytest.raises(Conflict, match="is no journal of a simulator"):
        Journal(tmp_path)
    reset(tmp_path)
    Journal(tmp_path).close()


def test_the_journal_waits_for_the_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append((), {"position": 4})
    journal.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
    again = Journal(tmp_path)
    assert again.number("position", 0) == 4
    assert again.number("mark", 7) == 7
    assert again.durability() == 2  # FULL
    again.close()


def test_after_a_failed_commit_nothing_is_written_any_more(tmp_path: Path) -> None:
    world = open_world(SimulatorOptions(credentials=(Credential(KEY, SECRET),), directory=tmp_path), SystemClock())
    world.journal.close()  # as good as a disk that is gone
    for _ in range(2):
        with pytest.raises(Unavailable, match="cannot be written"):
            world.deposit(AccountId(KEY), "USDT", Decimal(1))


def test_a_busy_port_is_named_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert f"Port {port} of 127.0.0.1 cannot be used" in said
    assert "--port" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--speed", "fast"], "speed must be"),
        (["--balance", "USDT"], "balance must look like"),
        (["--balance", "USDT=lots"], "balance of USDT must be a decimal"),
        (["--symbols", "BTCUSDT"], "symbol must look like"),
        (["--replay", "nowhere.csv"], "nowhere.csv does not exist"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_speeds_and_balances_are_read() -> None:
    assert (parse_speed("step"), parse_speed("max"), parse_speed("2.5")) == (None, 0, 2.5)
    assert parse_balances("usdt=10.5,BTC=1") == {"USDT": Decimal("10.5"), "BTC": Decimal(1)}


def test_the_ready_line_names_every_address(tmp_path: Path, processes: list[Process]) -> None:
    processes.append(Process(tmp_path))
    ready = processes[-1].client.ready
    assert httpx.get(f"{ready.rest}/api/v3/ping").json() == {}
    state = httpx.get(f"{ready.control}/state")
    assert (state.status_code, json.loads(state.text)) == (403, {"detail": "X-Control-Token is missing or wrong."})
    assert ready.stream.startswith("ws://")
    assert ready.ws_api.endswith("/ws-api/v3")
