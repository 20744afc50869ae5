"""`tidegate books`: whether the ledger adds up and agrees with the venue."""

import typer

verbs = typer.Typer(name="books", help="The ledger.", no_args_is_help=True, rich_markup_mode=None)


@verbs.callback()
def books() -> None:
    """Holds for every verb."""
