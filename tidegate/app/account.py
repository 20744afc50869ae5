"""One account as its engine holds it: every verb changes memory only and leaves facts, rows and calls to collect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tidegate.app.marks import Marks
from tidegate.bots.model import Bot, BotState, ExitPosition, LegView, Proposal, WithdrawEntry
from tidegate.bots.service import Bots, state_changed
from tidegate.domain.ids import AccountId, BotId, TraceId
from tidegate.domain.instruments import Instrument, InstrumentStatus
from tidegate.domain.messages import (
    BarDecided,
    BarEvaluated,
    Message,
    OrderApproved,
    OrderCancelled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderProposed,
    OrderRejected,
    Signal,
    TradeClosed,
)
from tidegate.domain.money import ZERO, Money, ceil_to
from tidegate.domain.orders import OrderIntent, OrderPurpose, Side
from tidegate.execution.brackets import Close, Protect, Step, Withdraw, next_steps
from tidegate.execution.model import Order, resting_price
from tidegate.execution.monitor import Inquiry, Monitor
from tidegate.execution.orders import open_quantity
from tidegate.execution.positions import Position
from tidegate.execution.protection import Positions
from tidegate.execution.service import Execution
from tidegate.ledger.model import Books, Shortage, Transfer
from tidegate.risk.model import Denial, RiskView, Switch, first_denial
from tidegate.risk.repository import LimitBook

_BPS = Decimal(10_000)
_HOLD_MARGIN_BPS = Decimal(100)  # a market buy may cost so much more than the mark; the rest comes back at once
_STEPS_MAX = 16  # a bracket settles in three; more is a fault of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an account needs of the world around it."""

    instruments: Mapping[str, Instrument]
    marks: Marks
    limits: LimitBook
    wall_now: Callable[[], int]  # µs
    fence_ms: int  # after so long no delayed request can still reach the matching engine
    holds_oco: bool


class Account:
    """Signals, reports and commands in; facts, rows and venue calls out. Nothing here waits."""

    def __init__(
        self,
        account_id: AccountId,
        *,
        around: Surroundings,
        books: Books,
        execution: Execution,
        positions: Positions,
        bots: Bots,
        switch: Switch,
    ) -> None:
        self.account_id = account_id
        self.books = books
        self.execution = execution
        self.positions = positions
        self.bots = bots
        self.switch = switch
        self.instruments = around.instruments
        self.marks = around.marks
        self._around = around
        self.monitor = Monitor()
        self.facts: list[Message] = []
        self.decided: list[BarDecided] = []
        self.changed_bots: dict[BotId, Bot] = {}
        self.is_reconciled = False
        self.is_stream_up = False
        self.realized_by_day: dict[int, Decimal] = {}  # quote, by UTC day of market time
        self.at = 0  # µs, market time of the running stimulus
        self.trace_id = TraceId("")

    # ── what comes in ──

    def begin(self, at: int, trace_id: TraceId) -> None:
        """A stimulus starts: its market time and its story are those of all that follows."""
        self.at = max(self.at, at)
        self.trace_id = trace_id

    def on_signal(self, signal: Signal) -> None:
        """Let the bots decide, and write down what each made of the bar."""
        for decision in self.bots.on_signal(signal, self.leg):
            for proposal in decision.proposals:
                self.propose(proposal, decision.bot)
        if isinstance(signal, BarEvaluated):
            self.decided += self.bots.log_bar(signal)

    def on_tick(self, now: int) -> bool:
        """Ask about orders in doubt and try again what was refused; False when nothing was due."""
        due = self.monitor.due(self.execution.orders.live(), now, is_stream_up=self.is_stream_up)
        for order, inquiry in due:
            if inquiry is Inquiry.PROBE:
                self.execution.probe(order)
            else:
                self.execution.ask(order)
        return bool(due) or any(0 < position.retry_at <= now for position in self.positions.running())

    def propose(self, proposal: Proposal, bot: Bot | None = None) -> Denial | None:
        """Carry out what somebody wants, unless risk or the ledger objects."""
        match proposal:
            case OrderProposed():
                return self._propose_order(proposal)
            case WithdrawEntry(client_order_id=order_id):
                self.execution.cancel(self.execution.orders.get(order_id))
            case ExitPosition(reason=reason) if bot is not None:
                self.positions.exit(self.positions.get((bot.bot_id, bot.config.symbol)), reason)
            case ExitPosition():
                raise AssertionError("a position is exited for its bot")
        return None

    def post(self, facts: list[Message]) -> None:
        """Note facts and let the stages inside act on them at once: ledger, positions, bots."""
        for fact in facts:
            self.facts.append(fact)
            match fact:
                case OrderFilled():
                    self._book(fact)
                case OrderCancelled() | OrderExpired() | OrderRejected():
                    self._release(self.execution.orders.get(fact.client_order_id))
                case TradeClosed():
                    self._close_trade(fact)
                case _:
                    pass

    def reject(self, order: Order, code: str, detail: str, source: str) -> None:
        """The venue refused an order: give its money back, and if it protected something try again later."""
        facts = self.execution.reject(order, code, detail, self.at, source)
        self.post(facts)
        if facts and order.intent.purpose is not OrderPurpose.ENTRY:
            position = self.positions.get((order.intent.bot_id, order.intent.symbol))
            self.positions.refused(position, order, detail, self._around.wall_now())

    def accepted(self, order: Order) -> None:
        """The venue took an order; a protective one ends the series of refusals."""
        if order.intent.purpose is not OrderPurpose.ENTRY:
            self.positions.accepted(self.positions.get((order.intent.bot_id, order.intent.symbol)))

    def converge(self) -> None:
        """Bring every running position to where it should be, as far as that goes without an answer."""
        now = self._around.wall_now()
        for position in self.positions.running():
            for _ in range(_STEPS_MAX):
                steps = self._steps(position, now)
                taken = [self._take_step(position, step) for step in steps]
                if not taken or not all(taken):
                    break

    def unprotect(self, bot: Bot) -> None:
        """Withdraw what protects the bot's position, and put nothing in its place: a person said so."""
        position = self.positions.get((bot.bot_id, bot.config.symbol))
        self.positions.unprotect(position)
        for order in self._live_of(position):
            if order.is_protective:
                self.execution.cancel(order)

    def set_lock(self, *, is_on: bool, reason: str) -> None:
        """Set the kill switch."""
        self.switch = Switch(is_on, reason, self._around.wall_now())

    def bot_changed(self, bot: Bot, trace_id: TraceId) -> None:
        """A bot's state was changed: tell it and write it."""
        self.changed_bots[bot.bot_id] = bot
        self.facts.append(state_changed(bot, trace_id, self.at))

    # ── what others may know ──

    def leg(self, bot: Bot) -> LegView:
        """What a bot may know when it decides."""
        symbol = bot.config.symbol
        instrument = self.instruments.get(symbol)
        position = self.positions.get((bot.bot_id, symbol))
        return LegView(
            instrument=instrument,
            position_quantity=position.quantity,
            is_exiting=bool(position.exit_reason),
            entry_order_ids=tuple(
                order.client_order_id for order in self._live_of(position) if order.intent.purpose is OrderPurpose.ENTRY
            ),
            equity=None if instrument is None else self.equity(instrument.quote),
            available=ZERO if instrument is None else self.books.free(instrument.quote) / (1 + _HOLD_MARGIN_BPS / _BPS),
        )

    def equity(self, quote: str) -> Decimal | None:
        """Everything the account holds, in quote; None while one price is unknown (dust of an unlisted asset aside)."""
        total = ZERO
        for asset in self.books.assets():
            quantity = self.books.free(asset) + self.books.held(asset)
            if asset == quote:
                total += quantity
                continue
            if f"{asset}/{quote}" not in self.instruments or not quantity:
                continue
            mark = self.marks.price(f"{asset}/{quote}")
            if mark is None:
                return None
            total += quantity * mark
        return total

    def day_pnl(self) -> Decimal:
        """Quote won or lost since the start of the UTC day: closed round trips and what open ones show."""
        total = self.realized_by_day.get(_day(self.at), ZERO)
        for position in self.positions.running():
            mark = self.marks.price(position.symbol)
            total += position.realized_pnl + (position.unrealized_pnl(mark) if mark is not None else ZERO)
        return total

    # ── inside ──

    def _propose_order(self, proposed: OrderProposed) -> Denial | None:
        intent = proposed.intent
        self.facts.append(proposed)
        denial = self._objection(intent) or first_denial(intent, self._risk_view(intent))
        hold_key = str(intent.key)
        if denial is None:
            hold = self._hold_for(intent)
            taken = self.books.hold(hold_key, hold, self.at)
            if isinstance(taken, Shortage):
                denial = Denial(taken.code, taken.detail)
            else:
                self._note_transfers(taken, proposed.trace_id)
                self.facts.append(
                    OrderApproved(trace_id=proposed.trace_id, occurred_at=self.at, intent=intent, hold=hold)
                )
                self.facts.append(
                    self.execution.submit(
                        intent,
                        hold_key=hold_key,
                        trace_id=proposed.trace_id,
                        at=self.at,
                        fence_at=self._fence(),
                    )
                )
        if denial is not None:
            self.facts.append(
                OrderDenied(
                    trace_id=proposed.trace_id,
                    occurred_at=self.at,
                    intent=intent,
                    code=denial.code,
                    detail=denial.detail,
                )
            )
            self.bots.note(intent.bot_id, f"denied: {denial.code}: {denial.detail}")
        return denial

    def _steps(self, position: Position, now: int) -> list[Step]:
        instrument = self.instruments.get(position.symbol)
        if instrument is None or position.trade_id is None or position.retry_at > now:
            return []
        return next_steps(position, self._live_of(position), instrument, self.marks.price(position.symbol))

    def _take_step(self, position: Position, step: Step) -> bool:
        """Plan one step; False when it was denied and must wait."""
        match step:
            case Withdraw(client_order_id=order_id):
                self.execution.cancel(self.execution.orders.get(order_id))
                return True
            case Close():
                return self._propose_reducing(position, self.positions.closing_intent(position, step))
            case Protect():
                stop, target = self.positions.protective_intents(position, step)
                if target is None or not self._around.holds_oco:
                    return self._propose_reducing(position, stop)
                return self._propose_oco(position, stop, target)

    def _propose_reducing(self, position: Position, intent: OrderIntent) -> bool:
        reason = position.exit_reason or "protection"
        proposed = OrderProposed(trace_id=self.trace_id, occurred_at=self.at, intent=intent, reason=reason)
        denial = self._propose_order(proposed)
        return self._unless_denied(position, denial)

    def _propose_oco(self, position: Position, stop: OrderIntent, target: OrderIntent) -> bool:
        """Both legs pass the gate; one hold serves both, since only one of them can sell."""
        for intent in (stop, target):
            self.facts.append(
                OrderProposed(trace_id=self.trace_id, occurred_at=self.at, intent=intent, reason="protection")
            )
            denial = first_denial(intent, self._risk_view(intent))
            if denial is not None:
                return self._unless_denied(position, denial, intent)
        hold_key, hold = str(stop.key), self._hold_for(stop)
        taken = self.books.hold(hold_key, hold, self.at)
        if isinstance(taken, Shortage):
            return self._unless_denied(position, Denial(taken.code, taken.detail), stop)
        self._note_transfers(taken, self.trace_id)
        for intent in (stop, target):
            self.facts.append(OrderApproved(trace_id=self.trace_id, occurred_at=self.at, intent=intent, hold=hold))
        self.facts += self.execution.submit_oco(
            stop, target, hold_key=hold_key, trace_id=self.trace_id, at=self.at, fence_at=self._fence()
        )
        return True

    def _unless_denied(self, position: Position, denial: Denial | None, intent: OrderIntent | None = None) -> bool:
        if denial is None:
            return True
        if intent is not None:
            self.facts.append(
                OrderDenied(
                    trace_id=self.trace_id,
                    occurred_at=self.at,
                    intent=intent,
                    code=denial.code,
                    detail=denial.detail,
                )
            )
        self.positions.postpone(position, self._around.wall_now())
        return False

    def _book(self, fill: OrderFilled) -> None:
        order = self.execution.orders.get(fill.client_order_id)
        self._note_transfers(self.books.book_fill(fill, order.hold_key), fill.trace_id)
        if not order.is_live:
            self._release(order)
        self.post(list(self.positions.book(fill, order, self.instruments[fill.symbol])))

    def _release(self, order: Order) -> None:
        """Give back what is left of a hold once no live order needs it."""
        if not self.execution.orders.holders(order.hold_key):
            self._note_transfers(self.books.release(order.hold_key, self.at), order.trace_id)

    def _close_trade(self, trade: TradeClosed) -> None:
        day = _day(trade.occurred_at)
        self.realized_by_day[day] = self.realized_by_day.get(day, ZERO) + trade.realized_pnl
        bot = self._bot(trade.bot_id)
        if bot is not None and bot.state is BotState.STOPPING:
            bot.move(BotState.STOPPED, "its position is closed")
            self.bot_changed(bot, trade.trace_id)

    def _bot(self, bot_id: BotId | None) -> Bot | None:
        return next((bot for bot in self.bots.all() if bot.bot_id == bot_id), None)

    def _note_transfers(self, transfers: tuple[Transfer, ...], trace_id: TraceId) -> None:
        self.facts += [transfer.message(self.account_id, trace_id) for transfer in transfers]

    def _hold_for(self, intent: OrderIntent) -> Money:
        """What must be set aside: base for a sale; for a purchase quote at the worst price it may pay."""
        instrument = self.instruments[intent.symbol]
        if intent.side is Side.SELL:
            return Money(intent.quantity, instrument.base)
        price = intent.limit_price
        if price is None:
            reference = resting_price(intent) or self.marks.price(intent.symbol) or ZERO
            price = ceil_to(reference * (1 + _HOLD_MARGIN_BPS / _BPS), instrument.tick_size)
        return Money(intent.quantity * price, instrument.quote)

    def _objection(self, intent: OrderIntent) -> Denial | None:
        """What must be known and right before any limit is looked at."""
        if not self.is_reconciled and intent.purpose is OrderPurpose.ENTRY:
            return Denial("risk.not_reconciled", "The account is still being compared with the venue.")
        instrument = self.instruments.get(intent.symbol)
        if instrument is None:
            return Denial("risk.instrument_unknown", f"The venue does not list {intent.symbol}.")
        if instrument.status is not InstrumentStatus.TRADING:
            return Denial("risk.instrument_not_trading", f"{intent.symbol} is {instrument.status} at the venue.")
        price = resting_price(intent) or self.marks.price(intent.symbol)
        if price is None:
            return Denial("risk.mark_price_unknown", f"Denied because the mark price of {intent.symbol} is not known.")
        sentence = instrument.objection(intent.quantity, intent.limit_price, intent.quantity * price)
        return None if sentence is None else Denial("risk.instrument_rule", f"{sentence}.")

    def _risk_view(self, intent: OrderIntent) -> RiskView:
        symbol, live = intent.symbol, self.execution.orders.live()
        entries = [
            order for order in live if order.intent.purpose is OrderPurpose.ENTRY and order.intent.symbol == symbol
        ]
        return RiskView(
            limits=self._around.limits.in_force(self.account_id, intent.bot_id),
            is_kill_switch_on=self.switch.is_on,
            data_age_ms=self.marks.age_ms(symbol, self._around.wall_now()),
            mark_price=self.marks.price(symbol),
            position_quantity=self._held_quantity(intent),
            pending_buy_quantity=open_quantity(entries, Side.BUY),
            pending_sell_quantity=open_quantity(entries, Side.SELL),
            open_orders=len(live),
            daily_pnl=self.day_pnl(),
        )

    def _held_quantity(self, intent: OrderIntent) -> Decimal:
        """What the account holds of the symbol: of its own round trip for what reduces it, else of all of them."""
        if intent.reduce_only and intent.parent_key is not None:
            return self.positions.get((intent.bot_id, intent.symbol)).quantity
        return sum(
            (position.quantity for position in self.positions.running() if position.symbol == intent.symbol), ZERO
        )

    def _live_of(self, position: Position) -> list[Order]:
        return [
            order
            for order in self.execution.orders.live()
            if order.intent.bot_id == position.bot_id and order.intent.symbol == position.symbol
        ]

    def _fence(self) -> int:
        return self._around.wall_now() + self._around.fence_ms * 1_000


def _day(at: int) -> int:
    return at // 86_400_000_000
