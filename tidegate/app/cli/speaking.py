"""How the command line speaks: results on stdout as a table or as JSON, one sentence on stderr for what went wrong."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from tidegate.domain.errors import Conflict, TidegateError, Unavailable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Row = Mapping[str, object]


class ExitCode(IntEnum):
    """What a script may rely on."""

    OK = 0
    FAILED = 1  # a check found something wrong, or the state of things forbids it
    BAD_INPUT = 2  # the command line, a setting or a file is wrong
    UNAVAILABLE = 3  # something needed is not running, busy or unreachable


EXIT_CODES = (
    "Exit codes: 0 done; 1 a check failed, or the state of things forbids it; 2 the command, a setting or a file is"
    " wrong; 3 something needed is not running or busy."
)


def exit_code_of(error: TidegateError) -> ExitCode:
    """By the kind of the error."""
    if isinstance(error, Unavailable):
        return ExitCode.UNAVAILABLE
    return ExitCode.FAILED if isinstance(error, Conflict) else ExitCode.BAD_INPUT


def say(line: str) -> None:
    """One line on stdout, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def warn(sentence: str) -> None:
    """One line on stderr, at once."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def say_json(value: object) -> None:
    """One line of JSON; decimals as strings."""
    say(json.dumps(value, default=_plain))


def say_rows(rows: Sequence[Row], *, as_json: bool, nothing: str) -> None:
    """A JSON array, or a table of columns named by the keys of the first row; `nothing` for no rows."""
    if as_json:
        say_json(list(rows))
    elif rows:
        for line in _table(rows):
            say(line)
    else:
        say(nothing)


def fail(sentence: str, code: int = ExitCode.FAILED) -> NoReturn:
    """End with one sentence on stderr."""
    warn(f"Error: {sentence}")
    raise typer.Exit(int(code))


def leaf_of(error: BaseException) -> BaseException:
    """The error itself, or what happened first in a group of errors."""
    return leaf_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def speak_of_bug(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """An excepthook: one sentence with the place instead of a stack trace."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    warn(f"Error: this is a bug in Tidegate{place}: {kind.__name__}: {str(error).partition(chr(10))[0]}")


def _plain(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    names = list(rows[0])
    lines = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _plain(value)
