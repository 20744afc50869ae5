"""The command line as a person meets it: what it prints and how it ends."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from tidegate.app.cli.program import program
from tidegate.app.supervisor import DataFolderLock

IMPORTS_S_MAX = 0.5


def tidegate(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command in an empty working directory with its own data folder."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    return subprocess.run(
        [sys.executable, "-m", "tidegate.app.cli", *words],
        cwd=folder,
        env=ours | {"TIDEGATE_DATA_DIR": str(folder / "data"), "PYTHONPATH": os.getcwd()} | settings,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_exit_codes_are_in_the_help(tmp_path: Path) -> None:
    told = " ".join(tidegate(tmp_path, "--help").stdout.split())
    assert "Exit codes: 0 done; 1 a check failed" in told


def test_every_verb_is_in_the_documents() -> None:
    documents = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z-]+", documents))
    group = typer.main.get_command(program)
    assert isinstance(group, TyperGroup)
    verbs = set(group.commands)
    verbs |= {inner for one in group.commands.values() if isinstance(one, TyperGroup) for inner in one.commands}
    assert verbs <= words, sorted(verbs - words)


def test_the_version_is_printed_for_people_and_programs(tmp_path: Path) -> None:
    plain = tidegate(tmp_path, "version").stdout.strip()
    assert json.loads(tidegate(tmp_path, "version", "--json").stdout) == {"version": plain}


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["orders"], 2, "Error: There is no access: this data folder ("),
        (["smoke", "ftp://x"], 2, "Error: url must look like http://127.0.0.1:8000, not 'ftp://x'."),
        (["bots", "apply", "-f", "none.yaml"], 2, "Error: none.yaml cannot be read: No such file or directory."),
        (["up", "--speed", "fast"], 2, "Error: speed must be a number from 0, max or step, not 'fast'."),
        (["simulator", "--key", "k"], 2, "Error: --key and --secret belong together: give both or none."),
        (["simulator", "--replay", "no.csv", "--key", "k", "--secret", "s"], 2, "Error: no.csv does not exist"),
        (["data", "list"], 1, "Error: The database is empty: run `tidegate db upgrade`."),
        (["data", "import", "x.csv"], 1, "Error: The database is empty: run `tidegate db upgrade`."),
        (["bots", "list", "--url", "127.0.0.1:1"], 3, "Error: Tidegate does not answer at http://127.0.0.1:1 ("),
        (["engine"], 3, "Error: The database is empty: run `tidegate db upgrade`."),
    ],
)
def test_a_mistake_ends_with_one_sentence_and_its_code(
    tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    settings = {"TIDEGATE_API_KEY": "tgk_x"} if words[0] in ("bots", "smoke") else {}
    done = tidegate(tmp_path, *words, **settings)
    assert done.returncode == code
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_candles_are_imported_once_and_listed(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT-1m.csv").write_text("date,open,high,low,close,volume\n2024-01-01T00:00:00Z,1,2,1,2,5\n")
    founded = tidegate(tmp_path, "db", "upgrade", "--json")
    assert founded.returncode == 0, founded.stderr
    assert json.loads(founded.stdout)["setup_token"]
    assert tidegate(tmp_path, "db", "check").returncode == 0
    added = [json.loads(tidegate(tmp_path, "data", "import", "BTCUSDT-1m.csv", "--json").stdout) for _ in range(2)]
    assert [row["added"] for (row,) in added] == [1, 0]
    (series,) = json.loads(tidegate(tmp_path, "data", "list", "--json").stdout)
    assert (series["symbol"], series["timeframe"], series["candles"]) == ("BTC/USDT", "1m", 1)
    (tmp_path / "BTCUSDT-1m.csv").write_text("date,open\n1,2\n")
    refused = tidegate(tmp_path, "data", "import", "BTCUSDT-1m.csv")
    assert refused.returncode == 2
    assert "BTCUSDT-1m.csv: column high is missing" in refused.stderr


def test_an_unknown_setting_stops_every_verb_with_the_nearest_name(tmp_path: Path) -> None:
    done = tidegate(tmp_path, "orders", TIDEGATE_PROT="1")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: TIDEGATE_PROT is not a setting of Tidegate; did you mean TIDEGATE_PORT?")


def test_a_busy_port_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = tidegate(tmp_path, "up", TIDEGATE_PORT=str(port))
    assert done.returncode == 3
    assert f"Error: Port {port} of 127.0.0.1 cannot be used (Address already in use)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "data" / "logs").iterdir())


def test_a_second_start_on_a_data_folder_says_who_has_it(tmp_path: Path) -> None:
    lock = DataFolderLock(tmp_path / "data")
    done = tidegate(tmp_path, "up")
    lock.release()
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Tidegate already runs on {tmp_path / 'data'} (process {os.getpid()})")


def test_doctor_finds_a_healthy_machine_before_the_first_start(tmp_path: Path) -> None:
    done = tidegate(tmp_path, "doctor", "--json", TIDEGATE_PORT="0")
    findings = json.loads(done.stdout)
    assert done.returncode == 0, findings
    assert {finding["state"] for finding in findings} <= {"ok", "warning"}
    assert not (tmp_path / "data").exists()


def test_doctor_names_open_secrets_a_busy_port_and_a_silent_valkey_with_their_fixes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "cli-key").touch(0o644)
    (tmp_path / "data" / "cli-key").chmod(0o644)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = tidegate(
            tmp_path,
            "doctor",
            "--json",
            TIDEGATE_PORT=str(taken.getsockname()[1]),
            TIDEGATE_REDIS_URL=f"unix://{tmp_path}/none.sock",
        )
    assert done.returncode == 1
    wrong = {finding["name"]: finding for finding in json.loads(done.stdout) if finding["state"] == "wrong"}
    assert set(wrong) == {"secrets", "port", "valkey"}
    assert wrong["secrets"]["fix"] == f"chmod 600 {tmp_path}/data/cli-key"
    assert all(finding["fix"] for finding in wrong.values())


def test_doctor_names_a_wrong_setting(tmp_path: Path) -> None:
    done = tidegate(tmp_path, "doctor", TIDEGATE_SHARDS="many")
    assert done.returncode == 1
    assert "TIDEGATE_SHARDS" in done.stdout


def test_no_verb_pays_for_what_others_need() -> None:
    program = "import sys, time; s = time.perf_counter(); import tidegate.app.cli; print(time.perf_counter() - s); "
    program += "print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ["alembic", "aiohttp", "fastapi", "polars", "redis", "sqlalchemy", "uvicorn", "yaml"]
    seconds = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program, *heavy], capture_output=True, text=True, check=True)
        first, loaded = done.stdout.splitlines()
        seconds.append(float(first))
        assert loaded == "[]"
    assert min(seconds) < IMPORTS_S_MAX
