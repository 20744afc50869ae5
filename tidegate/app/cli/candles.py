"""`tidegate data`: the candles that are kept on this machine."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tidegate.app.cli.speaking import AsJson, Row, say_rows
from tidegate.app.settings import load_settings
from tidegate.domain.errors import Conflict

if TYPE_CHECKING:
    from tidegate.market.repository import CandleStore

verbs = typer.Typer(name="data", help="Candles on this machine.", no_args_is_help=True, rich_markup_mode=None)
T = TypeVar("T")


@verbs.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Feather, Parquet or CSV, named like BTCUSDT-1m.csv.")],
    symbol: Annotated[str | None, typer.Option(help="Where the name does not tell it.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Where the name does not tell it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Import candle files, each whole or not at all; what is known already is left as it is."""
    from tidegate.domain.instruments import parse_symbol

    wanted = None if symbol is None else parse_symbol(symbol)

    async def run(store: "CandleStore") -> list[Row]:
        return [await _imported(store, file, wanted, timeframe) for file in files]

    say_rows(_with_store(run), as_json=as_json, nothing="")


@verbs.command("list")
def list_series(as_json: AsJson = False) -> None:
    """List every series that is kept."""

    async def run(store: "CandleStore") -> list[Row]:
        return [
            _row(found.series.symbol, found.series.timeframe, found.first_opened_at, found.last_opened_at)
            | {"candles": found.candle_count}
            for found in await store.list_series()
        ]

    say_rows(_with_store(run), as_json=as_json, nothing="No candles are kept yet.")


async def _imported(store: "CandleStore", file: Path, symbol: str | None, timeframe: str | None) -> Row:
    done = await store.import_file(file, symbol=symbol, timeframe=timeframe)
    kept = _row(done.series.symbol, done.series.timeframe, done.first_opened_at, done.last_opened_at)
    return {"file": file.name, **kept, "candles": done.candle_count, "added": done.added}


def _row(symbol: str, timeframe: str, first: int, last: int) -> dict[str, object]:
    from tidegate.kit.clock import rfc3339

    return {"symbol": symbol, "timeframe": timeframe, "first": rfc3339(first), "last": rfc3339(last)}


def _with_store(run: "Callable[[CandleStore], Awaitable[T]]") -> T:
    from tidegate.app.wiring import candle_store
    from tidegate.kit.db import Database
    from tidegate.kit.db.migrations import check

    settings = load_settings(needs_secrets=False)
    problems = check(settings.database)
    if problems:
        raise Conflict(problems[0], code="db.not_migrated")

    async def within() -> T:
        database = Database(settings.database)
        try:
            return await run(candle_store(settings, database))
        finally:
            await database.close()

    return asyncio.run(within())
