"""`tidegate bots`, `orders` and `force-exit`: what trades, and what it has done."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.app.cli.client import Product, Url, connect
from tidegate.app.cli.speaking import AsJson, Row, say_rows
from tidegate.domain.errors import Conflict, NotFound, TidegateError

if TYPE_CHECKING:
    from tidegate.app.cli.bot_file import WantedBot
    from tidegate.bots.model import BotConfig

verbs = typer.Typer(name="bots", help="Bots: what trades.", no_args_is_help=True, rich_markup_mode=None)
Bot = Annotated[str, typer.Argument(help="Its name or its id.")]
_BOTS_MAX = 10_000
_SHOWN = ("name", "state", "symbol", "timeframe", "strategy", "reason", "bot_id")
_ORDER_SHOWN = (
    "submitted_at",
    "symbol",
    "side",
    "type",
    "purpose",
    "status",
    "quantity",
    "filled_quantity",
    "average_price",
    "client_order_id",
)


@verbs.command()
def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="The bots as YAML.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make the bots of a file exist and run (or stop) as it says; what is so already stays."""
    from tidegate.app.cli.bot_file import read_bot_file

    wanted = read_bot_file(file)
    product = connect(url)
    standing = {bot["name"]: bot for bot in product.items("bots", count_max=_BOTS_MAX)}
    for bot in wanted:
        _refuse_change(bot.config, standing.get(bot.config.name))
    rows = [_applied(product, bot, standing.get(bot.config.name)) for bot in wanted]
    say_rows(rows, as_json=as_json, nothing="The file has no bots.")


@verbs.command("list")
def list_bots(url: Url = None, as_json: AsJson = False) -> None:
    """List the bots, newest first."""
    bots = list(connect(url).items("bots", count_max=_BOTS_MAX))
    rows = bots if as_json else [_picked(bot, _SHOWN) for bot in bots]
    say_rows(rows, as_json=as_json, nothing="There are no bots yet: `tidegate bots apply -f bots.yaml` makes some.")


@verbs.command()
def start(bot: Bot, url: Url = None, as_json: AsJson = False) -> None:
    """Let a bot trade."""
    _direct(bot, "start", url, as_json)


@verbs.command()
def pause(bot: Bot, url: Url = None, as_json: AsJson = False) -> None:
    """No more entries; exits are still managed."""
    _direct(bot, "pause", url, as_json)


@verbs.command()
def stop(
    bot: Bot,
    positions: Annotated[str, typer.Option(help="What becomes of them: keep, close or cancel_orders.")] = "keep",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """End a bot."""
    _direct(bot, "stop", url, as_json, {"positions": positions})


def force_exit(bot: Bot, url: Url = None, as_json: AsJson = False) -> None:
    """Withdraw a bot's orders and sell its position at market."""
    _direct(bot, "force-exit", url, as_json)


def orders(
    symbol: Annotated[str | None, typer.Option(help="Of this symbol alone, such as BTC/USDT.")] = None,
    status: Annotated[str | None, typer.Option(help="In this state alone, such as open.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List orders, newest first."""
    found = list(connect(url).items("orders", count_max=limit, symbol=symbol, status=status))
    rows = found if as_json else [_picked(order, _ORDER_SHOWN) for order in found]
    say_rows(rows, as_json=as_json, nothing="There are no such orders.")


def _direct(bot: str, verb: str, url: str | None, as_json: bool, body: object = None) -> None:
    product = connect(url)
    directed = product.post("bots", _id_of(product, bot), verb, body=body)
    names = (*_SHOWN, "is_decided")
    say_rows([directed if as_json else _picked(directed, names)], as_json=as_json, nothing="")


def _id_of(product: Product, bot: str) -> str:
    for found in product.items("bots", count_max=_BOTS_MAX):
        if bot in (found["name"], found["bot_id"]):
            return str(found["bot_id"])
    raise NotFound(f"There is no bot {bot!r}: `tidegate bots list` shows those there are.", code="cli.no_bot")


def _refuse_change(wanted: "BotConfig", standing: dict[str, Any] | None) -> None:
    from tidegate.app.cli.bot_file import bot_of

    if standing is None:
        return
    now = bot_of(standing)
    changed = [one.name for one in fields(wanted) if getattr(wanted, one.name) != getattr(now, one.name)]
    if changed:
        raise Conflict(
            f"Bot {wanted.name!r} stands with another {', '.join(changed)}, and a bot keeps what it was made with:"
            " stop it and give the changed one another name. Nothing was applied.",
            code="cli.bot_differs",
        )


def _applied(product: Product, wanted: "WantedBot", standing: dict[str, Any] | None) -> Row:
    from tidegate.app.cli.bot_file import body_of

    done = []
    try:
        if standing is None:
            standing = product.post("bots", body=body_of(wanted.config))
            done.append("created")
        is_running = standing["state"] == "running"
        is_over = standing["state"] in ("stopped", "stopping")
        if wanted.state == "running" and not is_running:
            standing = product.post("bots", standing["bot_id"], "start")
            done.append("started")
        elif wanted.state == "stopped" and not is_over:
            standing = product.post("bots", standing["bot_id"], "stop")
            done.append("stopped")
    except TidegateError as error:
        raise type(error)(f"Bot {wanted.config.name!r}: {error}", code=error.code) from None
    return {
        "name": wanted.config.name,
        "done": ", ".join(done) or "nothing, it is so already",
        "state": standing["state"],
        "bot_id": standing["bot_id"],
    }


def _picked(row: Row, names: tuple[str, ...]) -> Row:
    return {name: row[name] for name in names}
