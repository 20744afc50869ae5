"""The bots of one account: signals in, proposals and the reason for every bar out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from tidegate.bots.model import (
    Bot,
    BotState,
    EntryKind,
    ExitPosition,
    LegView,
    Proposal,
    StopPositions,
    WithdrawEntry,
)
from tidegate.domain.errors import NotFound
from tidegate.domain.ids import BotId, IntentKey, TraceId
from tidegate.domain.messages import (
    BarDecided,
    BarEvaluated,
    BotStateChanged,
    OrderProposed,
    Signal,
    SignalArmed,
    SignalDisarmed,
    SignalTriggered,
)
from tidegate.domain.money import ZERO
from tidegate.domain.orders import OrderIntent, OrderPurpose, OrderType, Side
from tidegate.strategies.arming import Phase
from tidegate.strategies.sizing import Entry, size

_PCT = Decimal(100)
_ARMED = Phase.ARMED.value
View = Callable[[Bot], LegView]


class BotNotFound(NotFound):
    """This account has no such bot."""

    code = "bots.bot_not_found"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one bot makes of one signal."""

    bot: Bot
    proposals: tuple[Proposal, ...] = ()
    verdict: str = ""


class Bots:
    """Which bots listen to what, and what each decides."""

    def __init__(self, bots: Iterable[Bot] = ()) -> None:
        self._bots: dict[BotId, Bot] = {}
        self._listeners: dict[str, list[Bot]] = {}
        self._verdicts: dict[BotId, str] = {}  # of the running bar
        for bot in bots:
            self.add(bot)

    def add(self, bot: Bot) -> None:
        """Take a bot in."""
        self._bots[bot.bot_id] = bot
        self._listeners.setdefault(bot.signal_key, []).append(bot)

    def get(self, bot_id: BotId) -> Bot:
        """The bot; `BotNotFound` otherwise."""
        bot = self._bots.get(bot_id)
        if bot is None:
            raise BotNotFound(f"There is no bot {bot_id!r} on this account.")
        return bot

    def all(self) -> list[Bot]:
        """Every bot, in the order of creation."""
        return list(self._bots.values())

    def listening_to(self, signal_key: str) -> bool:
        """Whether any bot wants this signal."""
        return signal_key in self._listeners

    def on_signal(self, signal: Signal, view: View) -> list[Decision]:
        """What every bot that listens makes of a signal; only an armed, triggered or disarmed one moves anything."""
        decisions = []
        for bot in self._listeners.get(signal.signal_key, ()):
            if bot.state is BotState.STOPPED:
                continue
            decision = _decide(bot, signal, view(bot))
            if decision.verdict:
                self._verdicts[bot.bot_id] = decision.verdict
            decisions.append(decision)
        return decisions

    def note(self, bot_id: BotId, verdict: str) -> None:
        """Say what became of a proposal, for the log of the running bar."""
        self._verdicts[bot_id] = verdict

    def log_bar(self, bar: BarEvaluated) -> list[BarDecided]:
        """One line of the decision log for every bot that listens: what it did, or why it did nothing."""
        return [
            BarDecided(
                trace_id=bar.trace_id,
                occurred_at=bar.occurred_at,
                bot_id=bot.bot_id,
                account_id=bot.account_id,
                symbol=bar.symbol,
                timeframe=bar.timeframe,
                bar_opened_at=bar.bar_opened_at,
                phase=bar.phase,
                verdict=self._verdicts.pop(bot.bot_id, bar.verdict),
                values=bar.values,
            )
            for bot in self._listeners.get(bar.signal_key, ())
            if bot.state is not BotState.STOPPED
        ]


def start(bot: Bot) -> None:
    """Let the bot enter from the next bar on."""
    bot.move(BotState.RUNNING, "started")


def pause(bot: Bot, view: LegView) -> list[Proposal]:
    """No more entries, and those that wait are withdrawn; exits are still managed."""
    bot.move(BotState.PAUSED, "paused")
    return [WithdrawEntry(order_id) for order_id in view.entry_order_ids]


def stop(bot: Bot, positions: StopPositions, view: LegView) -> list[Proposal]:
    """End the bot; with `close` it is stopping until its position is flat."""
    withdrawals: list[Proposal] = [WithdrawEntry(order_id) for order_id in view.entry_order_ids]
    if positions is StopPositions.CLOSE and (view.position_quantity > 0 or view.entry_order_ids):
        bot.move(BotState.STOPPING, "closing its position")
        return [*withdrawals, ExitPosition("bot stopped")]
    bot.move(BotState.STOPPED, "stopped")
    return withdrawals


def state_changed(bot: Bot, trace_id: TraceId, at: int) -> BotStateChanged:
    """The fact that follows `start`, `pause`, `stop` or a failure."""
    return BotStateChanged(
        trace_id=trace_id,
        occurred_at=at,
        bot_id=bot.bot_id,
        account_id=bot.account_id,
        state=bot.state.value,
        reason=bot.reason,
    )


def _decide(bot: Bot, signal: Signal, view: LegView) -> Decision:
    match signal:
        case SignalTriggered(is_entry=True, side=Side.BUY) if bot.config.entry is EntryKind.STOP:
            return Decision(bot)  # the venue holds the entry since it was armed, and has filled it by itself
        case SignalTriggered(is_entry=True, side=Side.BUY):
            return _enter(bot, signal, view, bot.config.entry, signal.close)
        case SignalTriggered(is_entry=True):
            return Decision(bot, verdict="a short entry cannot be traded on a spot market")
        case SignalTriggered(is_entry=False, side=Side.SELL):
            return _leave(bot, signal, view)
        case SignalArmed(side=Side.BUY, entry_price=entry_price) if (
            bot.config.entry is EntryKind.STOP and entry_price is not None
        ):
            return _enter(bot, signal, view, EntryKind.STOP, entry_price)
        case SignalDisarmed() if view.entry_order_ids:
            withdrawals = tuple(WithdrawEntry(order_id) for order_id in view.entry_order_ids)
            return Decision(bot, withdrawals, f"entry withdrawn: {signal.reason}")
        case BarEvaluated(phase=phase) if (
            bot.config.entry is EntryKind.STOP and phase != _ARMED and view.entry_order_ids
        ):
            # The disarming may have been missed: by an engine that was down, or on a stream that was cut.
            withdrawals = tuple(WithdrawEntry(order_id) for order_id in view.entry_order_ids)
            return Decision(bot, withdrawals, f"entry withdrawn: the set-up is {phase}")
        case _:
            return Decision(bot)


def _leave(bot: Bot, signal: SignalTriggered, view: LegView) -> Decision:
    withdrawals = tuple(WithdrawEntry(order_id) for order_id in view.entry_order_ids)
    if view.position_quantity <= 0 or view.is_exiting:
        return Decision(bot, withdrawals)
    return Decision(bot, (*withdrawals, ExitPosition(signal.reason)), f"exit: {signal.reason}")


def _enter(bot: Bot, signal: SignalTriggered | SignalArmed, view: LegView, kind: EntryKind, price: Decimal) -> Decision:
    obstacle = _obstacle(bot, view)
    if obstacle is not None:
        return Decision(bot, verdict=obstacle)
    instrument = view.instrument
    assert instrument is not None, "an unknown instrument is an obstacle"
    if kind is EntryKind.LIMIT:
        price = instrument.snap_buy_price(price)
    elif kind is EntryKind.STOP:
        price = instrument.snap_sell_price(price)  # a stop to buy waits above the market: up, never earlier
    advised_stop = signal.stop_loss_price if isinstance(signal, SignalTriggered) else signal.invalidation_price
    stop_loss = _below(price, bot.config.stop_loss_pct, advised_stop)
    advised_target = signal.take_profit_price if isinstance(signal, SignalTriggered) else None
    take_profit = _above(price, bot.config.take_profit_pct, advised_target)
    sized = size(
        bot.config.sizing,
        Entry(
            instrument=instrument,
            side=Side.BUY,
            price=price,
            stop_price=stop_loss,
            equity=view.equity or ZERO,
            available=view.available,
            fee_rate_in=instrument.taker_fee_rate,
            fee_rate_out=instrument.taker_fee_rate,
        ),
    )
    if sized.objection:
        return Decision(bot, verdict=f"no entry: {sized.objection}")
    intent = OrderIntent(
        key=IntentKey(f"{bot.bot_id}:{signal.bar_opened_at}:entry"),
        account_id=bot.account_id,
        bot_id=bot.bot_id,
        symbol=bot.config.symbol,
        side=Side.BUY,
        type={EntryKind.MARKET: OrderType.MARKET, EntryKind.LIMIT: OrderType.LIMIT, EntryKind.STOP: OrderType.STOP}[
            kind
        ],
        quantity=sized.quantity,
        purpose=OrderPurpose.ENTRY,
        limit_price=price if kind is EntryKind.LIMIT else None,
        stop_price=price if kind is EntryKind.STOP else None,
        stop_loss_price=None if stop_loss is None else instrument.snap_sell_price(stop_loss),
        take_profit_price=None if take_profit is None else instrument.snap_sell_price(take_profit),
    )
    reason = signal.reason if isinstance(signal, SignalTriggered) else "armed"
    proposed = OrderProposed(trace_id=signal.trace_id, occurred_at=signal.occurred_at, intent=intent, reason=reason)
    return Decision(bot, (proposed,), f"entry proposed: {reason}")


def _obstacle(bot: Bot, view: LegView) -> str | None:
    """Why the bot may not enter now, in words for its log."""
    if bot.state is not BotState.RUNNING:
        return f"no entry: the bot is {bot.state}"
    if view.instrument is None:
        return f"no entry: the venue does not list {bot.config.symbol}"
    if view.position_quantity > 0:
        return "no entry: a position is open"
    if view.entry_order_ids:
        return "no entry: an entry is waiting already"
    if view.equity is None:
        return "no entry: the account's equity is unknown"
    return None


def _below(price: Decimal, pct: Decimal | None, advised: Decimal | None) -> Decimal | None:
    if pct is not None:
        return price * (1 - pct / _PCT)
    return advised if advised is not None and ZERO < advised < price else None


def _above(price: Decimal, pct: Decimal | None, advised: Decimal | None) -> Decimal | None:
    if pct is not None:
        return price * (1 + pct / _PCT)
    return advised if advised is not None and advised > price else None
