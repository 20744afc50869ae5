"""All verbs together, and the one place where an error becomes a sentence and an exit code."""

import sys
from typing import Annotated

import typer

from tidegate.app.cli import books, bots, candles, checks, database, roles, up
from tidegate.app.cli.parent import obey_parent
from tidegate.app.cli.speaking import EXIT_CODES, AsJson, exit_code_of, leaf_of, say, say_json, speak_of_bug, warn
from tidegate.domain.errors import TidegateError

program = typer.Typer(
    name="tidegate",
    help="A self-hosted crypto-trading platform: `tidegate up` runs all of it with paper money.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@program.callback()
def begin(
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True, help="Begin and end as stdin says.")] = False,
) -> None:
    """Holds for every verb."""
    if supervised:
        obey_parent()


@program.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    number = version_of("tidegate")
    if as_json:
        say_json({"version": number})
    else:
        say(number)


program.command()(up.up)
for verb in (roles.engine, roles.api, roles.ingest, roles.signals, roles.relay):
    program.command()(verb)
program.add_typer(roles.simulator)
program.add_typer(database.verbs)
program.add_typer(candles.verbs)
program.add_typer(bots.verbs)
program.command()(bots.orders)
program.command("force-exit")(bots.force_exit)
program.add_typer(books.verbs)
program.command()(checks.smoke)
program.command()(checks.doctor)


def main() -> None:
    """The entry point; `tidegate --help` lists the verbs."""
    sys.excepthook = speak_of_bug
    try:
        typer.main.get_command(program)()  # calling `program` itself would put another excepthook in place
    except TidegateError as error:
        _end(error)
    except BaseExceptionGroup as group:
        cause = leaf_of(group)
        if isinstance(cause, TidegateError):
            _end(cause)
        raise cause from None


def _end(error: TidegateError) -> None:
    warn(f"Error: {error}")
    sys.exit(int(exit_code_of(error)))
