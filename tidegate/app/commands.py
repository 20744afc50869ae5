"""What an account does when a person asks; the outcome is a value that the asker is told."""

from dataclasses import dataclass

from tidegate.app.account import Account
from tidegate.app.gate import leave, propose, propose_order
from tidegate.app.views import leg_view
from tidegate.bots.model import Bot, ExitPosition, Proposal, StopPositions, WithdrawEntry
from tidegate.bots.service import pause, start, stop
from tidegate.domain.errors import Conflict, Invalid, TidegateError
from tidegate.domain.ids import ClientOrderId, CommandId
from tidegate.domain.messages import (
    CancelOrder,
    ForceExit,
    KillSwitchSet,
    OrderProposed,
    PauseBot,
    Request,
    SetKillSwitch,
    StartBot,
    StopBot,
    SubmitOrder,
)
from tidegate.domain.orders import OrderPurpose
from tidegate.risk.model import Switch

_AGE_US_MAX = 60_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command: done, denied (a limit forbids it) or refused (it makes no sense)."""

    command_id: CommandId
    status: str
    code: str = ""
    detail: str = ""
    client_order_id: ClientOrderId | None = None


def obey(account: Account, request: Request) -> Outcome:
    """Carry a command out; whatever it changes is in the account's facts, rows and calls."""
    if isinstance(request, SubmitOrder | StartBot) and _is_too_old(request, account.wall_now):
        return Outcome(request.command_id, "refused", "commands.too_old", "It was asked too long ago; ask again.")
    try:
        match request:
            case SubmitOrder():
                return _submit(account, request)
            case CancelOrder(client_order_id=order_id):
                order = account.execution.orders.get(order_id)
                if not order.is_live:
                    raise Conflict(f"The order is {order.status} already.", code="execution.order_not_open")
                account.execution.cancel(order)
            case SetKillSwitch():
                _set_kill_switch(account, request)
            case StartBot(bot_id=bot_id) | PauseBot(bot_id=bot_id) | StopBot(bot_id=bot_id) | ForceExit(bot_id=bot_id):
                _direct_bot(account, request, account.bots.get(bot_id))
    except TidegateError as error:
        return Outcome(request.command_id, "refused", error.code, str(error))
    return Outcome(request.command_id, "done")


def _is_too_old(request: Request, now: int) -> bool:
    """Whether what would trade was asked for in another market: the engine was away meanwhile."""
    return bool(request.sent_at) and now - request.sent_at > _AGE_US_MAX


def _submit(account: Account, request: SubmitOrder) -> Outcome:
    proposed = OrderProposed(trace_id=request.trace_id, occurred_at=account.at, intent=request.intent, reason="by hand")
    denial = propose_order(account, proposed)
    if denial is not None:
        return Outcome(request.command_id, "denied", denial.code, denial.detail)
    return Outcome(request.command_id, "done", client_order_id=account.execution.id_of(request.intent))


def _direct_bot(account: Account, request: StartBot | PauseBot | StopBot | ForceExit, bot: Bot) -> None:
    view = leg_view(account, bot)
    proposals: list[Proposal] = []
    match request:
        case StartBot():
            start(bot)
        case PauseBot():
            proposals = pause(bot, view)
        case StopBot(positions=positions):
            wish = _stop_positions(positions)
            proposals = stop(bot, wish, view)
            if wish is StopPositions.CANCEL_ORDERS:
                _unprotect(account, bot)
        case ForceExit():
            proposals = [*map(WithdrawEntry, view.entry_order_ids), ExitPosition("forced exit")]
    for proposal in proposals:
        propose(account, proposal, bot)
    account.bot_changed(bot, request.trace_id)


def _unprotect(account: Account, bot: Bot) -> None:
    """Withdraw what protects the bot's position, and put nothing in its place: a person said so."""
    position = account.positions.get((bot.bot_id, bot.config.symbol))
    account.positions.unprotect(position)
    for order in account.live_orders_of(position):
        if order.is_protective:
            account.execution.cancel(order)


def _stop_positions(text: str) -> StopPositions:
    try:
        return StopPositions(text)
    except ValueError:
        choices = ", ".join(wish.value for wish in StopPositions)
        raise Invalid(f"positions must be one of {choices}, not {text!r}.", code="bots.stop_invalid") from None


def _set_kill_switch(account: Account, request: SetKillSwitch) -> None:
    account.switch = Switch(request.is_on, request.reason, account.wall_now)
    account.facts.append(
        KillSwitchSet(
            trace_id=request.trace_id,
            occurred_at=account.at,
            account_id=account.account_id,
            is_on=request.is_on,
            reason=request.reason,
        )
    )
    if not request.is_on:
        return
    for order in account.execution.orders.live():
        if order.intent.purpose is OrderPurpose.ENTRY:
            account.execution.cancel(order)
            if request.flatten:
                leave(account, order.intent.bot_id, order.intent.symbol, "kill switch")
    if request.flatten:
        for position in account.positions.running():
            account.positions.exit(position, "kill switch")
