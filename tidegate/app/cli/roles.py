"""One verb a role: each runs until a signal, and prints one line of JSON when it is ready."""

import asyncio
import importlib.util
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from tidegate.app.cli.parent import wait_for_parent
from tidegate.app.cli.speaking import leaf_of, say, say_json
from tidegate.app.settings import Settings, load_settings
from tidegate.domain.errors import Invalid, TidegateError

SIMULATOR_FOLDER = "simulator"  # in the data folder

simulator = typer.Typer(
    name="simulator",
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Run the simulated exchange alone, or `simulator reset` it. Prints its URLs as one line of JSON when ready.",
)


def engine() -> None:
    """Run the engine with ingest and signals; with TIDEGATE_DATABASE_URL on a server, the engine alone."""
    _run("engine")


def api() -> None:
    """Run the HTTP and WebSocket API."""
    _run("api")


def ingest() -> None:
    """Run the ingest of market data alone."""
    _run("ingest")


def signals() -> None:
    """Run the computation of signals alone."""
    _run("signals")


def relay() -> None:
    """Run the relay of committed events to screens alone."""
    _run("relay")


@simulator.callback()
def run_simulator(  # noqa: PLR0913 - each is an option of the command line
    *,
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="Of the generated market; the same seed, the same market.")] = 1,
    replay: Annotated[
        list[str] | None,
        typer.Option(help="Recording or candle file to play instead; may be repeated. `sample` comes along."),
    ] = None,
    speed: Annotated[str, typer.Option(help="Tape seconds a second, `max`, or `step` for lockstep.")] = "1",
    key: Annotated[str | None, typer.Option(help="API key; without it the one of the data folder.")] = None,
    secret: Annotated[str | None, typer.Option(help="Its secret.")] = None,
    balance: Annotated[str, typer.Option(help="What an account begins with.")] = "USDT=10000",
    symbols: Annotated[str | None, typer.Option(help="Of the generated market, such as BTC/USDT,ETH/USDT.")] = None,
    participants: Annotated[int, typer.Option(min=1, help="Acknowledgements that a step needs.")] = 1,
    directory: Annotated[
        Path | None, typer.Option(help="Where the exchange lives; without it `simulator` in the data folder.")
    ] = None,
) -> None:
    """Run the simulated exchange alone."""
    if context.invoked_subcommand is not None:
        return
    from tidegate.venues.simulator.options import SimulatorOptions, parse_balances, parse_speed, parse_symbols
    from tidegate.venues.simulator.server import run
    from tidegate.venues.simulator.sign import Credential
    from tidegate.venues.simulator.symbols import DEFAULT_SYMBOLS

    if (key is None) != (secret is None):
        raise Invalid("--key and --secret belong together: give both or none.", code="cli.key_without_secret")
    settings = load_settings(needs_secrets=key is None)
    _log(settings)
    run(
        SimulatorOptions(
            credentials=(
                Credential(
                    key or settings.simulator_key.get_secret_value(),
                    secret or settings.simulator_secret.get_secret_value(),
                ),
            ),
            host=host,
            port=port,
            seed=seed,
            replay=tuple(replay or ()),
            speed=parse_speed(speed),
            participants=participants,
            balances=parse_balances(balance),
            symbols=parse_symbols(symbols) if symbols else DEFAULT_SYMBOLS,
            directory=directory or settings.data_dir / SIMULATOR_FOLDER,
            control_token=settings.simulator_control_token.get_secret_value() or None,
        )
    )


@simulator.command("reset")
def reset_simulator(
    directory: Annotated[
        Path | None, typer.Option(help="Where the exchange lives; without it `simulator` in the data folder.")
    ] = None,
) -> None:
    """Forget the simulated exchange's world; its next start begins a new one."""
    from tidegate.venues.simulator.journal import reset

    place = directory or load_settings(needs_secrets=False).data_dir / SIMULATOR_FOLDER
    reset(place)
    say(f"The next simulator in {place} begins a new world.")


def _run(name: str) -> None:
    settings = load_settings()
    _log(settings)
    import structlog

    from tidegate.app.roles import run_role

    wait_for_parent()

    def ready() -> None:
        say_json({"ready": name})

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_stopped(run_role(name, settings, ready)))
    except BaseException as error:
        if not isinstance(leaf_of(error), TidegateError):  # those are told in a sentence
            structlog.get_logger(__name__).critical("role.failed", role=name, exc_info=True)
        raise


async def _until_stopped(role: Coroutine[None, None, None]) -> None:
    """Let the role run; SIGINT or SIGTERM cancels it, which is how a role is told to end."""
    task = asyncio.ensure_future(role)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


def _log(settings: Settings) -> None:
    from tidegate.kit.logging import configure_logging

    configure_logging(settings.root_log_level, levels=settings.log_levels, secrets=settings.secret_texts)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fast loop where it was installed."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    from uvloop import new_event_loop

    return new_event_loop
