"""The gate: what somebody wants becomes, past risk and ledger, an order that awaits its commit, or a denial."""

from decimal import Decimal

from tidegate.app.account import Account
from tidegate.app.views import HOLD_MARGIN, leg_view, risk_view
from tidegate.bots.model import Bot, ExitPosition, Proposal, WithdrawEntry
from tidegate.domain.ids import BotId
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.messages import (
    BarEvaluated,
    OrderApproved,
    OrderDenied,
    OrderProposed,
    Signal,
)
from tidegate.domain.money import ZERO, Money, ceil_to, plain
from tidegate.domain.orders import OrderIntent, OrderPurpose, Side
from tidegate.execution.brackets import Close, Protect, Step, Withdraw, next_steps
from tidegate.execution.model import resting_price
from tidegate.execution.positions import Position
from tidegate.ledger.model import Shortage
from tidegate.risk.model import Denial, first_denial

# What is denied for these may be allowed a moment later.
_PASSING = frozenset({"risk.instrument_unknown", "risk.instrument_not_trading", "risk.mark_price_unknown"})
_STEPS_MAX = 16  # a bracket settles in three; more is a fault of ours


def take_signal(account: Account, signal: Signal) -> None:
    """Let the bots decide, and write down what each made of the bar."""
    for decision in account.bots.on_signal(signal, lambda bot: leg_view(account, bot)):
        for proposal in decision.proposals:
            propose(account, proposal, decision.bot)
    if isinstance(signal, BarEvaluated):
        account.decided += account.bots.log_bar(signal)


def propose(account: Account, proposal: Proposal, bot: Bot) -> None:
    """Carry out what a bot wants, unless risk or the ledger objects."""
    match proposal:
        case OrderProposed():
            denial = propose_order(account, proposal)
            if denial is not None:
                account.bots.note(bot.bot_id, f"denied: {denial.code}: {denial.detail}")
        case WithdrawEntry(client_order_id=order_id):
            account.execution.cancel(account.execution.orders.get(order_id))
        case ExitPosition(reason=reason):
            leave(account, bot.bot_id, bot.config.symbol, reason)


def propose_order(account: Account, proposed: OrderProposed) -> Denial | None:
    """One order past the gate; None means that it is submitted."""
    intent = proposed.intent
    account.facts.append(proposed)
    hold = _passed(account, [intent], hold_key=str(intent.key))
    if isinstance(hold, Denial):
        return hold
    submitted = account.execution.submit(
        intent, hold_key=str(intent.key), trace_id=proposed.trace_id, at=account.at, fence_at=_fence(account)
    )
    account.facts.append(submitted)
    return None


def leave(account: Account, bot_id: BotId | None, symbol: str, reason: str) -> None:
    """Close what is held of a symbol, and what an entry under way may still bring."""
    position = account.positions.get((bot_id, symbol))
    if position.trade_id is not None or account.live_orders_of(position):
        account.positions.exit(position, reason)


def converge(account: Account) -> None:
    """Bring every running position to where it should be, as far as that goes without an answer."""
    now = account.wall_now
    for position in account.positions.running():
        for _ in range(_STEPS_MAX):
            denials = [_take_step(account, position, step) for step in _steps(account, position, now)]
            if not denials or any(denials):
                break


def _steps(account: Account, position: Position, now: int) -> list[Step]:
    instrument = account.around.instruments.get(position.symbol)
    if instrument is None or position.trade_id is None or position.retry_at > now:
        return []
    mark = account.around.marks.price(position.symbol)
    return next_steps(position, account.live_orders_of(position), instrument, mark)


def _take_step(account: Account, position: Position, step: Step) -> Denial | None:
    """Plan one step; what is denied is tried again later."""
    denial: Denial | None = None
    match step:
        case Withdraw(client_order_id=order_id):
            account.execution.cancel(account.execution.orders.get(order_id))
        case Close():
            closing = account.positions.closing_intent(position, step)
            denial = propose_order(account, _proposed(account, closing, position.exit_reason))
        case Protect():
            denial = _protect(account, position, step)
    if denial is not None and denial.code in _PASSING:
        account.positions.postpone(position, account.wall_now)
    elif denial is not None:
        account.positions.refused(position, denial.detail, account.wall_now, is_protective=isinstance(step, Protect))
    return denial


def _protect(account: Account, position: Position, step: Protect) -> Denial | None:
    """A stop alone, or stop and target as one list that the venue holds; one hold serves both legs."""
    stop, target = account.positions.protective_intents(position, step)
    if target is None or not account.around.holds_oco:
        return propose_order(account, _proposed(account, stop, "protection"))
    account.facts += [_proposed(account, leg, "protection") for leg in (stop, target)]
    hold = _passed(account, [stop, target], hold_key=str(stop.key))
    if isinstance(hold, Denial):
        return hold
    account.facts += account.execution.submit_oco(
        stop,
        target,
        hold_key=str(stop.key),
        trace_id=account.trace_id,
        at=account.at,
        fence_at=_fence(account),
    )
    return None


def _proposed(account: Account, intent: OrderIntent, reason: str) -> OrderProposed:
    return OrderProposed(trace_id=account.trace_id, occurred_at=account.at, intent=intent, reason=reason)


def _passed(account: Account, intents: list[OrderIntent], *, hold_key: str) -> Money | Denial:
    """The money set aside for all of them (legs of a list share it), or the first objection to one."""
    for intent in intents:
        denial = _objection(account, intent) or first_denial(intent, risk_view(account, intent))
        if denial is not None:
            return _denied(account, intent, denial)
    hold = _hold_for(account, intents[0])
    taken = account.books.hold(hold_key, hold, account.at)
    if isinstance(taken, Shortage):
        return _denied(account, intents[0], Denial(taken.code, taken.detail))
    account.post_transfers(taken, account.trace_id)
    account.facts += [
        OrderApproved(trace_id=account.trace_id, occurred_at=account.at, intent=intent, hold=hold) for intent in intents
    ]
    return hold


def _denied(account: Account, intent: OrderIntent, denial: Denial) -> Denial:
    account.facts.append(
        OrderDenied(
            trace_id=account.trace_id,
            occurred_at=account.at,
            intent=intent,
            code=denial.code,
            detail=denial.detail,
        )
    )
    return denial


def _objection(account: Account, intent: OrderIntent) -> Denial | None:
    """What must be known and right before any limit is looked at."""
    if account.execution.orders.has(account.execution.id_of(intent)):
        return Denial("execution.intent_used", f"The order {intent.key} was submitted before.")
    if account.hindrance is not None and intent.purpose is OrderPurpose.ENTRY:
        return Denial("risk.not_reconciled", account.hindrance)
    instrument = account.around.instruments.get(intent.symbol)
    if instrument is None:
        return Denial("risk.instrument_unknown", f"The venue does not list {intent.symbol}.")
    if instrument.status is not InstrumentStatus.TRADING:
        return Denial("risk.instrument_not_trading", f"{intent.symbol} is {instrument.status} at the venue.")
    price = resting_price(intent) or account.around.marks.price(intent.symbol)
    if price is None:
        return Denial("risk.mark_price_unknown", f"Denied because the mark price of {intent.symbol} is not known.")
    for each in (intent.limit_price, intent.stop_price, intent.stop_loss_price, intent.take_profit_price):
        sentence = instrument.objection(intent.quantity, each, intent.quantity * price)
        if sentence is not None:
            return Denial("risk.instrument_rule", f"{sentence}.")
    return _bracket_objection(intent, price)


def _bracket_objection(intent: OrderIntent, price: Decimal) -> Denial | None:
    """Protection on the wrong side of the entry would close it the moment it opens."""
    if intent.stop_loss_price is not None and intent.stop_loss_price >= price:
        detail = f"stop_loss_price must be below {plain(price)}, not {plain(intent.stop_loss_price)}."
        return Denial("risk.bracket_inverted", detail)
    if intent.take_profit_price is not None and intent.take_profit_price <= price:
        detail = f"take_profit_price must be above {plain(price)}, not {plain(intent.take_profit_price)}."
        return Denial("risk.bracket_inverted", detail)
    return None


def _hold_for(account: Account, intent: OrderIntent) -> Money:
    """What must be set aside: base for a sale; for a purchase quote at the worst price it may pay."""
    instrument = account.around.instruments[intent.symbol]
    if intent.side is Side.SELL:
        return Money(intent.quantity, instrument.base)
    price = intent.limit_price
    if price is None:
        reference = resting_price(intent) or account.around.marks.price(intent.symbol) or ZERO
        price = ceil_to(reference * HOLD_MARGIN, instrument.tick_size)
    return Money(intent.quantity * price, instrument.quote)


def _fence(account: Account) -> int:
    return account.wall_now + account.around.fence_ms * 1_000
