"""`tidegate books`: whether the ledger adds up and agrees with the venue."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.app.cli.speaking import AsJson, ExitCode, Row, say, say_json, say_rows, warn
from tidegate.app.running import running_in
from tidegate.app.settings import Settings, load_settings
from tidegate.domain.errors import Conflict

verbs = typer.Typer(name="books", help="The ledger.", no_args_is_help=True, rich_markup_mode=None)
