"""`tidegate up`: all of Tidegate on this machine, from one command to Ctrl-C."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

import tidegate
from tidegate.app import running, servers
from tidegate.app.cli.client import url_of
from tidegate.app.cli.speaking import AsJson, fail, leaf_of, say, say_json, warn
from tidegate.app.settings import Settings, load_settings
from tidegate.app.supervisor import DataFolderLock, Part, PartFailed, Supervisor
from tidegate.domain.errors import Invalid, Unavailable
from tidegate.kit.clock import SystemClock

_OURSELVES = (sys.executable, "-m", "tidegate.app.cli", "--supervised")
_PACKAGE = Path(tidegate.__file__).parent
_WATCHED = (".py", ".html")
_UNIX = "unix://"
_ENGINE, _API, _SIMULATOR, _VALKEY = "engine", "api", "simulator", "valkey"
_TOGETHER = (_ENGINE, _API)  # on a database file, the engine has ingest and signals inside
_APART = ("ingest", "signals", _ENGINE, "relay", _API)
_STOP_S = {_API: 2.0, _ENGINE: 3.0, _SIMULATOR: 2.0, _VALKEY: 1.0}  # together below ten, with the others too
_OTHER_STOP_S = 0.6
_EXIT_CODES = range(1, 4)
_SIMULATOR_ROOMS = ("venues/simulator/", "exchange/", "domain/")


class _Upgraded(msgspec.Struct, frozen=True):
    backup: str | None
    setup_token: str | None


@dataclass(frozen=True, slots=True)
class _Exchange:
    url: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asks for."""

    settings: Settings
    replay: tuple[str, ...]
    speed: str
    seed: int
    reloads: bool
    opens_browser: bool
    as_json: bool


def up(
    *,
    replay: Annotated[
        list[str] | None,
        typer.Option(help="Recording or candle file to play instead of a generated market; may be repeated."),
    ] = None,
    speed: Annotated[str, typer.Option(help="Market seconds a second, `max`, or `step` for lockstep.")] = "1",
    seed: Annotated[int, typer.Option(help="Of the generated market.")] = 1,
    reload: Annotated[bool, typer.Option("--reload", help="Start anew whenever the code changes.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run all of Tidegate with paper money on a simulated exchange; Ctrl-C stops it."""
    from tidegate.venues.simulator.options import parse_speed

    parse_speed(speed)
    settings = load_settings()
    wish = Wish(
        settings=settings,
        replay=tuple(replay or ()),
        speed=speed,
        seed=seed,
        reloads=reload,
        opens_browser=open_browser,
        as_json=as_json,
    )
    lock = DataFolderLock(settings.data_dir)
    try:
        asyncio.run(_run(wish))
    except PartFailed as failure:
        fail(str(failure), failure.exit_code if failure.exit_code in _EXIT_CODES else _EXIT_CODES[-1])
    finally:
        lock.release()


async def _run(wish: Wish) -> None:
    """Until a signal, or until something fails to start."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    supervisor = Supervisor(wish.settings.data_dir, warn)
    tasks = [asyncio.create_task(stopping.wait()), asyncio.create_task(_serve(wish, supervisor))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await supervisor.stop()
        running.forget(wish.settings.data_dir)
    warn("Tidegate has stopped.")


async def _serve(wish: Wish, supervisor: Supervisor) -> None:
    started_s = SystemClock().monotonic_s()
    settings = wish.settings
    port = settings.port or _free_port()
    _refuse_busy_port(settings.host, port)
    # Nothing here needs another of its line; together they make the start a second shorter.
    setup_token, redis_url, exchange = await _together(
        _upgrade_database(), _open_bus(supervisor, settings), _open_exchange(supervisor, wish)
    )
    told = {
        "TIDEGATE_DATA_DIR": str(settings.data_dir),
        "TIDEGATE_PORT": str(port),
        "TIDEGATE_REDIS_URL": redis_url,
        "TIDEGATE_SIMULATOR_URL": exchange.url,
    }
    if wish.replay and exchange.symbols and "symbols" not in settings.model_fields_set:
        told["TIDEGATE_SYMBOLS"] = ",".join(exchange.symbols)
    if wish.speed == "step":
        told["TIDEGATE_LOCKSTEP"] = "true"
    url = url_of(settings.host, port)
    await _together(*(supervisor.start(_role(name, told)) for name in (_TOGETHER if settings.is_embedded else _APART)))
    running.note(settings.data_dir, running.Running(os.getpid(), url, redis_url, exchange.url))
    _announce(wish, url, setup_token, SystemClock().monotonic_s() - started_s)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep_house())
        if wish.reloads:
            tasks.create_task(_reload_on_change(supervisor))


async def _together(*starting: Coroutine[None, None, Any]) -> list[Any]:
    """All at once; the first failure cancels the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(each) for each in starting]
    except BaseExceptionGroup as group:
        raise leaf_of(group) from None
    return [task.result() for task in started]


def _role(name: str, told: dict[str, str]) -> Part:
    return Part(name=name, command=(*_OURSELVES, name), environment=told, stop_s=_STOP_S.get(name, _OTHER_STOP_S))


def _simulator(wish: Wish, port: int) -> Part:
    options = ["--port", str(port), "--seed", str(wish.seed), "--speed", wish.speed]
    for file in wish.replay:
        options += ["--replay", file]
    return Part(name=_SIMULATOR, command=(*_OURSELVES, _SIMULATOR, *options), stop_s=_STOP_S[_SIMULATOR])


async def _open_bus(supervisor: Supervisor, settings: Settings) -> str:
    """The given server, or a Valkey of our own; one that outlived a killed supervisor is ended first."""
    if settings.redis_url:
        return settings.redis_url
    folder = settings.data_dir
    before = running.last_in(folder)
    if before is not None and before.redis_url.startswith(_UNIX):
        servers.shut_down(Path(before.redis_url.removeprefix(_UNIX)))
    place = folder / "valkey.sock"
    if len(os.fsencode(place)) > servers.SOCKET_PATH_BYTES_MAX:
        place = Path(tempfile.mkdtemp(prefix="tidegate-")) / "valkey.sock"
    await supervisor.start(
        Part(
            name=_VALKEY,
            command=servers.valkey_command(place),
            probe=lambda: servers.answers(place),
            stop_s=_STOP_S[_VALKEY],
        )
    )
    return f"{_UNIX}{place}"


async def _open_exchange(supervisor: Supervisor, wish: Wish) -> _Exchange:
    """The given exchange, or a simulator of our own on a port that it keeps when it is started again."""
    if wish.settings.simulator_url:
        return _Exchange(wish.settings.simulator_url, ())
    port = _free_port()
    ready = await supervisor.start(_simulator(wish, port))
    return _Exchange(f"http://127.0.0.1:{port}", msgspec.convert(ready["symbols"], tuple[str, ...]))


async def _upgrade_database() -> str | None:
    """In a process of its own, so that ours stays small: the set-up token while nobody can log in."""
    process = await asyncio.create_subprocess_exec(
        *_OURSELVES[:-1], "db", "upgrade", "--json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, told = await process.communicate()
    if process.returncode:
        sentence = told.decode(errors="replace").strip().splitlines()[-1:]
        raise PartFailed("".join(sentence).removeprefix("Error: "), process.returncode)
    done = msgspec.json.decode(out, type=_Upgraded)
    if done.backup is not None:
        warn(f"The database was upgraded; its state before is in {done.backup}.")
    return done.setup_token


def _announce(wish: Wish, url: str, setup_token: str | None, seconds: float) -> None:
    folder = wish.settings.data_dir
    if wish.as_json:
        say_json({"url": url, "data_dir": str(folder), "setup_token": setup_token, "seconds": round(seconds, 3)})
    else:
        say(f"Tidegate runs with paper money at {url} (ready after {seconds:.1f} s).")
        if setup_token is not None:
            say(f"Set-up token, to be used once by the first owner: {setup_token}")
        say(f"Data and logs are in {folder}. Ctrl-C stops it.")
    if wish.opens_browser:
        webbrowser.open(url)


async def _reload_on_change(supervisor: Supervisor) -> None:
    """New processes for what was edited; the exchange goes on where its own code has not changed."""
    try:
        from watchfiles import awatch
    except ModuleNotFoundError:
        raise Invalid("--reload needs the development environment: use `make dev`.", code="up.no_watcher") from None
    async for changes in awatch(_PACKAGE, watch_filter=lambda _, path: path.endswith(_WATCHED)):
        files = [Path(path).relative_to(_PACKAGE).as_posix() for _, path in changes]
        parts = list(_APART)
        if any(file.startswith(_SIMULATOR_ROOMS) for file in files):
            parts.insert(0, _SIMULATOR)
        warn(f"{files[0]} has changed.")
        await supervisor.restart(parts)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _refuse_busy_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"Port {port} of {host} cannot be used ({error.strerror}): stop what uses it, or set TIDEGATE_PORT.",
                code="up.port_busy",
            ) from None
