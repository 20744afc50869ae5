"""`tidegate up`: all of Tidegate on this machine, from one command to Ctrl-C."""

import asyncio
import os
import signal
import webbrowser
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

import tidegate
from tidegate.app import running, servers
from tidegate.app.cli.plan import OURSELVES, UNIX, Plan, Wish, plan_of
from tidegate.app.cli.speaking import AsJson, fail, leaf_of, say, say_json, warn
from tidegate.app.settings import Settings, load_settings
from tidegate.app.supervisor import DataFolderLock, Part, PartFailed, Supervisor
from tidegate.domain.errors import Invalid
from tidegate.kit.clock import SystemClock

_PACKAGE = Path(tidegate.__file__).parent
_WATCHED = (".py", ".html")
_EXCHANGE_ROOMS = ("venues/simulator/", "exchange/", "domain/")
_EXIT_CODES = range(1, 4)


class _Upgraded(msgspec.Struct, frozen=True):
    backup: str | None
    setup_token: str | None


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
    wish = Wish(replay=tuple(replay or ()), speed=speed, seed=seed)

    def announce(plan: Plan, setup_token: str | None, seconds: float) -> None:
        _announce(settings.data_dir, plan.url, setup_token, seconds, as_json=as_json)
        if open_browser:
            webbrowser.open(plan.url)

    lock = DataFolderLock(settings.data_dir)
    try:
        asyncio.run(_run(settings, wish, announce, reloads=reload))
    except PartFailed as failure:
        fail(str(failure), failure.exit_code if failure.exit_code in _EXIT_CODES else _EXIT_CODES[-1])
    finally:
        lock.release()


Announce = Callable[[Plan, str | None, float], None]


async def _run(settings: Settings, wish: Wish, announce: Announce, *, reloads: bool) -> None:
    """Until a signal, or until something fails to start."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    clock = SystemClock()
    started_s = clock.monotonic_s()
    supervisor = Supervisor(settings.data_dir, warn, clock)

    async def serve() -> None:
        plan = plan_of(settings, wish)
        setup_token = await _start(settings, wish, plan, supervisor)
        announce(plan, setup_token, clock.monotonic_s() - started_s)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(supervisor.keep_house())
            if reloads:
                tasks.create_task(_reload_on_change(supervisor))

    tasks = [asyncio.create_task(stopping.wait()), asyncio.create_task(serve())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await supervisor.stop()
        running.forget(settings.data_dir)
    warn("Tidegate has stopped.")


async def _start(settings: Settings, wish: Wish, plan: Plan, supervisor: Supervisor) -> str | None:
    """Everything, in the order in which one needs the other; the set-up token while nobody can log in."""
    names_symbols = "symbols" in settings.model_fields_set
    takes_symbols = bool(wish.replay) and plan.simulator is not None and not names_symbols
    if not takes_symbols:
        await _launch(plan, supervisor)
    # None of these needs another; meanwhile the roles import.
    upgraded, _, ready = await _together(
        _upgrade_database(), _start_valkey(settings.data_dir, plan, supervisor), _start_part(plan.simulator, supervisor)
    )
    if upgraded.backup is not None:
        warn(f"The database was upgraded; its state before is in {upgraded.backup}.")
    if takes_symbols:
        plan = plan.trading(msgspec.convert(ready["symbols"], list[str]))
        await _launch(plan, supervisor)
    await _together(*(supervisor.start(role) for role in plan.roles))
    running.note(settings.data_dir, running.Running(os.getpid(), plan.url, plan.redis_url, plan.simulator_url))
    setup_token: str | None = upgraded.setup_token
    return setup_token


async def _launch(plan: Plan, supervisor: Supervisor) -> None:
    for role in plan.roles:
        await supervisor.launch(role)


async def _start_part(part: Part | None, supervisor: Supervisor) -> Any:
    return None if part is None else await supervisor.start(part)


async def _start_valkey(folder: Path, plan: Plan, supervisor: Supervisor) -> None:
    """One that outlived a killed supervisor is ended first."""
    before = running.last_in(folder)
    if before is not None and before.redis_url.startswith(UNIX):
        servers.shut_down(Path(before.redis_url.removeprefix(UNIX)))
    await _start_part(plan.valkey, supervisor)


async def _upgrade_database() -> _Upgraded:
    """In a process of its own, so that ours stays small."""
    process = await asyncio.create_subprocess_exec(
        *OURSELVES, "db", "upgrade", "--json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, told = await process.communicate()
    if process.returncode:
        sentence = told.decode(errors="replace").strip().splitlines()[-1:]
        raise PartFailed("".join(sentence).removeprefix("Error: "), process.returncode)
    return msgspec.json.decode(out, type=_Upgraded)


async def _together(*starting: Coroutine[None, None, Any]) -> list[Any]:
    """All at once; the first failure cancels the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(each) for each in starting]
    except BaseExceptionGroup as group:
        raise leaf_of(group) from None
    return [task.result() for task in started]


def _announce(folder: Path, url: str, setup_token: str | None, seconds: float, *, as_json: bool) -> None:
    if as_json:
        say_json({"url": url, "data_dir": str(folder), "setup_token": setup_token, "seconds": round(seconds, 3)})
        return
    say(f"Tidegate runs with paper money at {url} (ready after {seconds:.1f} s).")
    if setup_token is not None:
        say(f"Set-up token, to be used once by the first owner: {setup_token}")
    say(f"Data and logs are in {folder}. Ctrl-C stops it.")


async def _reload_on_change(supervisor: Supervisor) -> None:
    """New processes for what was edited; the exchange goes on where its own code has not changed."""
    try:
        from watchfiles import awatch
    except ModuleNotFoundError:
        raise Invalid("--reload needs the development environment: use `make dev`.", code="up.no_watcher") from None
    async for changes in awatch(_PACKAGE, watch_filter=lambda _, path: path.endswith(_WATCHED)):
        files = [Path(path).relative_to(_PACKAGE).as_posix() for _, path in changes]
        warn(f"{files[0]} has changed.")
        await supervisor.restart(parts_of(files, list(supervisor.pids())))


def parts_of(files: Sequence[str], parts: Sequence[str]) -> list[str]:
    """Those whose code stands in these files, the one that people look at first."""
    if all("endpoints" in file or file.endswith(".html") for file in files):
        return ["api"]
    is_exchange = any(file.startswith(_EXCHANGE_ROOMS) for file in files)
    without = {"valkey"} if is_exchange else {"valkey", "simulator"}
    return [name for name in reversed(parts) if name not in without]
