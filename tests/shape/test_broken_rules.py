"""Each rule is broken in a copy of the tree, and its own check says so in its own words."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shape.commits import commits_outside_kit_db
from tests.shape.limits import (
    FILE_LINES_MAX,
    FUNCTION_LINES_MAX,
    PUBLIC_METHODS_MAX,
    TEST_FILE_LINES_MAX,
    too_long,
)
from tests.shape.tracked import REGISTRIES, foreign_addresses, lock_addresses

ROOT = Path(__file__).parents[2]
CLOCK = "come from tidegate.kit.clock"
IDS = "tidegate.kit.ids"
SETTINGS = "The environment is read once, in tidegate.app.settings"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the product and its configuration, to be broken."""
    shutil.copytree(ROOT / "tidegate", tmp_path / "tidegate", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def write(tree: Path, name: str, source: str) -> None:
    """Write or extend a file; the folders above it become packages where they are none."""
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.relative_to(tree).parents:
        if folder.parts and folder.parts[0] == "tidegate":
            (tree / folder / "__init__.py").touch()
    with path.open("a", encoding="utf-8") as file:
        file.write(source)


def said_by(command: list[str], tree: Path) -> str:
    """What a tool says about the tree, which it must refuse, on one line."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return " ".join(done.stdout.split())


STAR = "Stages exchange domain.messages and read through Protocols in their own ports.py"
PURE = "Pure rules take values and return values"
IMPORTS = {
    "a stage imports a stage": ("risk.breach", "execution.anything", STAR),
    "a stage imports a venue": ("market.breach", "venues.anything", STAR),
    "a stage imports app": ("bots.breach", "app.anything", STAR),
    "the tool box imports a stage": ("kit.breach", "ledger.anything", STAR),
    "the exchange core imports the tool box": ("exchange.breach", "kit.anything", STAR),
    "the tool box knows trading": ("kit.breach", "domain.anything", "What needs trading words belongs to a stage"),
    "a venue imports a venue": ("venues.here", "venues.there", "What two venues share is a domain port"),
    "a service imports tables": ("risk.service", "risk.tables", "Ask the stage's repository; it is the only place"),
    "the domain imports a framework": ("domain.breach", "sqlalchemy", PURE),
    "a model imports a framework": ("risk.model", "fastapi", PURE),
    "a strategy imports a framework": ("strategies.breach", "polars", PURE),
    "an indicator does input or output": ("indicators.breach", "asyncio", PURE),
    "the domain uses msgspec elsewhere": ("domain.breach", "msgspec", "what travels is a message"),
}


@pytest.mark.parametrize(("importer", "imported", "message"), IMPORTS.values(), ids=IMPORTS)
def test_a_broken_import_rule_is_caught(tree: Path, importer: str, imported: str, message: str) -> None:
    if "." in imported:
        write(tree, f"tidegate/{imported.replace('.', '/')}.py", "")
        imported = f"tidegate.{imported}"
    write(tree, f"tidegate/{importer.replace('.', '/')}.py", f"import {imported}\n")
    said = said_by(["lint-imports", "--no-logo", "--no-cache"], tree)
    assert f"tidegate.{importer} -> {imported} (l." in said
    assert message in said


def test_a_room_that_the_star_does_not_know_is_caught(tree: Path) -> None:
    write(tree, "tidegate/basement/anything.py", "")
    said = said_by(["lint-imports", "--no-logo", "--no-cache"], tree)
    assert "basement" in said
    assert STAR in said


STYLE = {
    "the clock": ("import time\n\nNOW = time.time()\n", CLOCK),
    "a duration": ("import time\n\nSTART = time.monotonic()\n", CLOCK),
    "the date": ("from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n", CLOCK),
    "randomness": ("from random import random\n\nDICE = random()\n", IDS),
    "secrets": ("import secrets\n\nTOKEN = secrets.token_hex()\n", IDS),
    "an id": ("from uuid import uuid4\n\nNAME = uuid4()\n", IDS),
    "the environment": ("import os\n\nHOME = os.environ['HOME']\n", SETTINGS),
    "one variable": ("import os\n\nHOME = os.getenv('HOME')\n", SETTINGS),
    "a broad except": (
        "try:\n    HOME = 1\nexcept Exception:\n    HOME = 2\n",
        "BLE001 Do not catch blind exception",
    ),
    "a print": ("print('tide')\n", "T201 `print` found"),
    "a blocking sleep in async code": (
        "import time\n\n\nasync def wait() -> None:\n    time.sleep(1)\n",
        "ASYNC251 Async functions should not call `time.sleep`",
    ),
    "a blocking file in async code": (
        "async def read() -> str:\n    with open('tide') as file:\n        return file.read()\n",
        "ASYNC230 Async functions should not open files with blocking methods",
    ),
}


@pytest.mark.parametrize(("source", "message"), STYLE.values(), ids=STYLE)
def test_a_broken_style_rule_is_caught(tree: Path, source: str, message: str) -> None:
    write(tree, "tidegate/risk/breach.py", source)
    said = said_by(["ruff", "check", "--no-cache", "--output-format=concise", "tidegate/risk/breach.py"], tree)
    assert "tidegate/risk/breach.py:" in said
    assert message in said


@pytest.mark.parametrize("place", ["tidegate/kit/clock.py", "tidegate/kit/ids.py", "tidegate/app/settings.py"])
def test_only_the_three_named_files_may_use_what_is_banned(tmp_path: Path, place: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    write(tmp_path, place, 'import os\nimport time\n\nprint(time.time(), os.getenv("HOME"))\n')
    said = said_by(["ruff", "check", "--no-cache", "--output-format=concise", "tidegate"], tmp_path)
    assert "T201" in said
    assert "TID251" not in said


def test_a_wrong_type_is_caught(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    write(tmp_path, "tidegate/risk/breach.py", "def double(price):\n    return price\n\n\nNAME: str = 1\n")
    said = said_by(["mypy", "--cache-dir", str(tmp_path / "cache"), "tidegate/risk/breach.py"], tmp_path)
    assert "breach.py:1: error: Function is missing a type annotation [no-untyped-def]" in said
    assert 'breach.py:5: error: Incompatible types in assignment (expression has type "int"' in said


def function(lines: int) -> str:
    return "def tide() -> None:\n" + "    pass\n" * (lines - 1)


def class_with(methods: int) -> str:
    return "class Tide:\n" + "".join(
        f"    def rise_{number}(self) -> None:\n        pass\n\n" for number in range(methods)
    )


LENGTH = {
    "a file": ("tidegate/breach.py", "TIDE = 1\n", FILE_LINES_MAX, f"at most {FILE_LINES_MAX} are allowed"),
    "a test file": (
        "tests/breach.py",
        "TIDE = 1\n",
        TEST_FILE_LINES_MAX,
        f"at most {TEST_FILE_LINES_MAX} are allowed",
    ),
}


@pytest.mark.parametrize(("name", "line", "lines_max", "message"), LENGTH.values(), ids=LENGTH)
def test_a_file_one_line_too_long_is_caught(tmp_path: Path, name: str, line: str, lines_max: int, message: str) -> None:
    not_code = '"""Not code.\n\nNot code.\n"""\n\n# Not code.\n'
    write(tmp_path, name, not_code + line * lines_max)
    assert too_long(tmp_path) == []
    write(tmp_path, name, line)
    assert too_long(tmp_path) == [f"{name}:1: the file has {lines_max + 1} lines of code, {message}"]


def test_a_function_one_line_too_long_is_caught(tmp_path: Path) -> None:
    write(tmp_path, "tidegate/fits.py", function(FUNCTION_LINES_MAX))
    write(tmp_path, "tidegate/breach.py", "\n\n" + function(FUNCTION_LINES_MAX + 1))
    assert too_long(tmp_path) == [
        f"tidegate/breach.py:3: tide() has {FUNCTION_LINES_MAX + 1} lines of code,"
        f" at most {FUNCTION_LINES_MAX} are allowed"
    ]


def test_a_class_with_one_method_too_many_is_caught(tmp_path: Path) -> None:
    private = "    def _ebb(self) -> None:\n        pass\n"
    write(tmp_path, "tidegate/fits.py", class_with(PUBLIC_METHODS_MAX) + private)
    write(tmp_path, "tidegate/breach.py", class_with(PUBLIC_METHODS_MAX + 1))
    assert too_long(tmp_path) == [
        f"tidegate/breach.py:1: class Tide has {PUBLIC_METHODS_MAX + 1} public methods,"
        f" at most {PUBLIC_METHODS_MAX} are allowed"
    ]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("async def f(session):\n    await session.commit()\n", ".commit()"),
        ("async def f(engine):\n    async with engine.begin():\n        pass\n", "leaving .begin()"),
        ("def f(connection):\n    connection.execute('COMMIT')\n", "'COMMIT'"),
    ],
)
def test_a_commit_outside_kit_db_is_caught(tmp_path: Path, source: str, what: str) -> None:
    write(tmp_path, "tidegate/kit/db/session.py", source)
    assert commits_outside_kit_db(tmp_path) == []
    write(tmp_path, "tidegate/ledger/breach.py", source)
    assert commits_outside_kit_db(tmp_path) == [
        f"tidegate/ledger/breach.py:2: {what} ends a transaction; only tidegate/kit/db may"
    ]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "fine.lock").write_text("tide==1 \\\n    --hash=sha256:0\n    # via -r requirements.in\n")
    return tmp_path


@pytest.mark.parametrize("line", ["--index-url simple", "-i simple", "tide @ file:///tide", "--find-links wheels"])
def test_an_address_in_a_lock_is_caught(repository: Path, line: str) -> None:
    (repository / "breach.lock").write_text(f"# fine\n{line}\n")
    assert lock_addresses(repository) == ["breach.lock:2: a lock names no index and no address"]


def test_a_registry_or_a_path_of_this_machine_in_a_file_is_caught(repository: Path) -> None:
    (repository / "registry.md").write_text(f"\nsee {REGISTRIES[0]}\n")
    (repository / "path.md").write_text(f"run {repository}/.venv/bin/tidegate\n")
    found = foreign_addresses(repository)
    assert f"registry.md:2: names {REGISTRIES[0]}" in found
    assert f"path.md:1: names {repository}/" in found
