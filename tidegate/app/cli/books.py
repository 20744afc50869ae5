"""`tidegate books`: whether the ledger adds up and agrees with the venue."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.app.cli.speaking import AsJson, ExitCode, Row, say, say_json, say_rows, warn
from tidegate.app.running import running_in
from tidegate.app.settings import Settings, load_settings
from tidegate.domain.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from tidegate.accounts.model import TradingAccount
    from tidegate.domain.ports import AccountQueries
    from tidegate.ledger.model import AssetCheck
    from tidegate.ledger.repository import LedgerReader

verbs = typer.Typer(name="books", help="The ledger.", no_args_is_help=True, rich_markup_mode=None)
_AGAIN = 10  # a fill may stand between the two looks
_PAUSE_S = 0.3


@dataclass(frozen=True, slots=True)
class _Checked:
    account: "TradingAccount"
    lines: Sequence["AssetCheck"]

    @property
    def is_balanced(self) -> bool:
        return all(line.is_balanced for line in self.lines)


@verbs.callback()
def books() -> None:
    """The ledger."""


@verbs.command()
def check(
    without_venue: Annotated[bool, typer.Option("--without-venue", help="Look at our own books alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prove that every asset sums to zero, that balances are what was booked, and that the venue says the same."""
    from tidegate.kit.db.migrations import check as problems_of
    from tidegate.kit.logging import configure_logging

    settings = load_settings()
    configure_logging("ERROR", secrets=settings.secret_texts)
    problems = problems_of(settings.database)
    if problems:
        raise Conflict(problems[0], code="db.not_migrated")
    checked = asyncio.run(_check(settings if without_venue else _with_venue(settings), asks_venue=not without_venue))
    is_balanced = all(one.is_balanced for one in checked)
    rows = [_row(one, line) for one in checked for line in one.lines]
    if as_json:
        say_json({"is_balanced": is_balanced, "lines": rows})
    else:
        say_rows(rows, as_json=False, nothing="Nothing has been booked yet.")
    if not is_balanced:
        warn("Error: the books do not add up, or the venue says something else; see the lines.")
        raise typer.Exit(int(ExitCode.FAILED))
    if rows and not as_json:
        say("The books add up." if without_venue else "The books add up and agree with the venue.")


def _with_venue(settings: Settings) -> Settings:
    running = running_in(settings.data_dir)
    url = settings.simulator_url or (running.simulator_url if running else "")
    if not url:
        raise Unavailable(
            "The venue does not run: start it with `tidegate up`, or look at our books alone with --without-venue.",
            code="cli.no_venue",
        )
    return settings.model_copy(update={"simulator_url": url})


async def _check(settings: Settings, *, asks_venue: bool) -> list[_Checked]:
    from tidegate.accounts.repository import VisibleAccounts, load_accounts
    from tidegate.app.wiring import client_of, open_venue
    from tidegate.kit.clock import SystemClock
    from tidegate.kit.db import Database, open_store
    from tidegate.ledger.repository import LedgerReader

    async with AsyncExitStack() as stack:
        database, store = Database(settings.database), open_store(settings.database)
        stack.push_async_callback(database.close)
        stack.push_async_callback(store.close)
        accounts = await load_accounts(store)
        ledger = LedgerReader(database, VisibleAccounts(database))
        if not asks_venue:
            return [_Checked(account, await ledger.check(account.account_id, None)) for account in accounts]
        client = client_of(settings, SystemClock())
        stack.push_async_callback(client.close)
        await client.open()
        return [await _compared(ledger, account, open_venue(account, settings, client)) for account in accounts]


async def _compared(ledger: "LedgerReader", account: "TradingAccount", venue: "AccountQueries") -> _Checked:
    """Our books beside the venue's; looked at again while they differ, because both move."""
    checked = _Checked(account, await ledger.check(account.account_id, await venue.balances()))
    for _ in range(_AGAIN):
        if checked.is_balanced:
            break
        await asyncio.sleep(_PAUSE_S)
        checked = _Checked(account, await ledger.check(account.account_id, await venue.balances()))
    return checked


def _row(checked: _Checked, line: "AssetCheck") -> Row:
    return {
        "account": checked.account.name,
        "asset": line.asset,
        "sum": line.sum,
        "drift": line.drift,
        "ours": line.ours,
        "venue": line.venue,
        "is_balanced": line.is_balanced,
    }
