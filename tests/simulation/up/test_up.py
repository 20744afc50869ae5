"""The whole product, from its start to its end."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.simulation.up.product import BOTS, Product
from tests.waiting import wait_until

SECOND_START_S_MAX = 10.0  # a dead lease or a lost history would cost more; benchmarks/startup.py measures it
STOPPED_S_MAX = 10.0


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A market minute a second, so that strategies meet many bars."""
    started = Product(tmp_path_factory.mktemp("up"), ("--speed", "60", "--seed", "3")).up()
    yield started
    if started.process is not None:
        started.stop()


def test_it_is_reached_where_it_says_and_keeps_its_secrets(product: Product) -> None:
    with urlopen(f"{product.url}/healthz") as answer:
        assert json.load(answer) == {"status": "ok"}
    assert product.told["setup_token"]
    for name in ("secrets.json", "cli-key"):
        assert stat.S_IMODE((product.folder / "data" / name).stat().st_mode) == 0o600
    assert set(product.parts()) == {"valkey-server", "simulator", "engine", "api"}


def test_nothing_is_wrong_with_it(product: Product) -> None:
    findings = {finding["name"]: finding for finding in product.json("doctor")}
    assert {finding["state"] for finding in findings.values()} <= {"ok", "warning"}, findings
    assert findings["tidegate"]["sentence"].endswith("is ready.")


def test_a_second_start_on_the_same_folder_is_refused(product: Product) -> None:
    done = product.run("up")
    assert done.returncode == 1
    assert "already runs on" in done.stderr


def test_bots_are_applied_once_and_their_story_is_told_from_candle_to_transfer(product: Product) -> None:
    file = product.folder / "bots.yaml"
    file.write_text(BOTS)
    (first,) = product.json("bots", "apply", "-f", str(file))
    assert first["done"] == "created, started"
    (second,) = product.json("bots", "apply", "-f", str(file))
    assert (second["done"], second["bot_id"]) == ("nothing, it is so already", first["bot_id"])
    told = product.json("smoke", product.url, "--wait-s", "60")
    assert told["ledger_balanced"] and told["trace_id"]
    assert min(told[name] for name in ("candles", "signals", "orders", "fills", "transfers")) > 0
    assert product.json("orders", "--limit", "1")[0]["symbol"] == "BTC/USDT"


def with_its_bot(product: Product) -> None:
    """The bot is there, whichever test of this file came first."""
    file = product.folder / "bots.yaml"
    file.write_text(BOTS)
    product.json("bots", "apply", "-f", str(file))


def test_a_changed_bot_under_the_same_name_is_refused(product: Product) -> None:
    with_its_bot(product)
    file = product.folder / "changed.yaml"
    file.write_text(BOTS.replace("value: 5", "value: 6"))
    done = product.run("bots", "apply", "-f", str(file))
    assert done.returncode == 1
    assert "Bot 'quick' stands with another sizing" in done.stderr


def test_the_books_agree_with_the_exchange(product: Product) -> None:
    told = product.json("books", "check")
    assert told["is_balanced"]
    assert {line["asset"] for line in told["lines"]} >= {"USDT"}
    assert all(line["venue"] is not None for line in told["lines"])


@pytest.mark.parametrize("name", ["engine", "simulator", "api"])
def test_a_killed_part_comes_back_and_the_others_stay(product: Product, name: str) -> None:
    before = product.parts()
    before[name].kill()
    wait_until(lambda: f"{name} runs again." in product.complaints(), what=f"{name} runs again", deadline_s=30)
    after = product.parts()
    assert {part for part in before if after[part].pid != before[part].pid} == {name}
    assert product.json("books", "check")["is_balanced"]


def test_a_bot_is_directed_by_its_name(product: Product) -> None:
    with_its_bot(product)
    assert product.json("bots", "pause", "quick")[0]["state"] == "paused"
    assert product.json("bots", "start", "quick")[0]["state"] == "running"
    assert product.json("force-exit", "quick")[0]["name"] == "quick"
    assert product.json("bots", "stop", "quick")[0]["state"] in ("stopping", "stopped")
    assert product.run("bots", "start", "unheard-of").returncode == 2


def test_ctrl_c_stops_everything_and_the_second_start_is_quick(product: Product) -> None:
    parts = list(product.parts().values())
    assert product.stop() == 0
    assert not psutil.wait_procs(parts, timeout=0)[1]
    assert not (product.folder / "data" / "running.json").exists()
    product.up()
    assert product.told["seconds"] < SECOND_START_S_MAX


def test_when_it_is_killed_nothing_of_it_stays_in_the_way(product: Product) -> None:
    assert product.process is not None
    parts = product.parts()
    valkey = parts.pop("valkey-server")
    os.kill(product.process.pid, signal.SIGKILL)
    assert product.end() == -signal.SIGKILL
    assert not psutil.wait_procs(list(parts.values()), timeout=STOPPED_S_MAX)[1]
    product.up()
    assert not psutil.wait_procs([valkey], timeout=STOPPED_S_MAX)[1]
    assert product.json("books", "check")["is_balanced"]


def test_a_replay_that_cannot_be_played_is_told_and_nothing_stays(tmp_path: Path) -> None:
    done = Product(tmp_path).run("up", "--replay", "none.csv")
    assert done.returncode == 2
    assert "Error: none.csv does not exist: give --replay the path of a file." in done.stderr
    assert "Traceback" not in done.stderr
