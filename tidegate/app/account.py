"""One account as its engine holds it: the state of every stage, and the facts and calls that wait for a commit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tidegate.app.marks import Marks
from tidegate.bots.model import Bot, BotState
from tidegate.bots.service import Bots, state_changed
from tidegate.domain.ids import AccountId, BotId, TraceId
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import (
    BarDecided,
    Message,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    TradeClosed,
)
from tidegate.domain.money import ZERO
from tidegate.domain.orders import BalanceReport, OrderPurpose
from tidegate.execution.model import Order
from tidegate.execution.monitor import Inquiry, Monitor
from tidegate.execution.positions import Position
from tidegate.execution.protection import Positions
from tidegate.execution.service import Execution
from tidegate.ledger.model import Books, Transfer
from tidegate.risk.model import Switch
from tidegate.risk.repository import LimitBook

NOT_EXECUTED = "execution.not_executed"
NOT_SENT = "execution.not_sent"
_DAY_US = 86_400_000_000
# The request never met the matching engine, so the order itself may be as good as ever.
_PASSING = frozenset(
    {
        NOT_EXECUTED,
        NOT_SENT,
        "venue.unreachable",
        "venue.throttled",
        "venue.clock_skewed",
        "venue.market_closed",
        "venue.not_authorised",
    }
)


def day_of(at: int) -> int:
    """The UTC day of a time in µs, counted from the epoch."""
    return at // _DAY_US


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
    """Changes in memory only; nothing here waits, and nothing here calls the venue."""

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
        self.around = around
        self.books = books
        self.execution = execution
        self.positions = positions
        self.bots = bots
        self.switch = switch
        self.monitor = Monitor()
        self.facts: list[Message] = []
        self.decided: list[BarDecided] = []
        self.changed_bots: dict[BotId, Bot] = {}
        self.hindrance: str | None = "The account is still being compared with the venue."  # to any entry
        self.is_stream_up = False
        self.realized_by_day: dict[int, Decimal] = {}  # quote, by UTC day of market time
        self.at = 0  # µs, market time of the running stimulus
        self.trace_id = TraceId("")

    @property
    def wall_now(self) -> int:
        """µs of wall time."""
        return self.around.wall_now()

    @property
    def day(self) -> int:
        """The UTC day of market time, counted from the epoch."""
        return day_of(self.at)

    def begin(self, at: int, trace_id: TraceId) -> None:
        """A stimulus starts: its market time and its story are those of all that follows."""
        self.at = max(self.at, at)
        self.trace_id = trace_id

    def post(self, facts: Iterable[Message]) -> None:
        """Note facts and let the stages inside act on them at once: ledger, positions, bots."""
        for fact in facts:
            self.facts.append(fact)
            match fact:
                case OrderFilled():
                    self._book(fact)
                case OrderCancelled() | OrderExpired() | OrderRejected():
                    order = self.execution.orders.get(fact.client_order_id)
                    self._release(order)
                    self._pause_or_abandon(order)
                case TradeClosed():
                    self._close_trade(fact)
                case _:
                    pass

    def post_transfers(self, transfers: Iterable[Transfer], trace_id: TraceId) -> None:
        """Note what moved in the books."""
        self.facts += [transfer.message(self.account_id, trace_id) for transfer in transfers]

    def open_balance(self, balance: BalanceReport) -> None:
        """What the venue held before anything was booked."""
        transfers = self.books.open_balance(balance.asset, balance.free + balance.held, self.at)
        self.post_transfers(transfers, self.trace_id)

    def reject(self, order: Order, code: str, detail: str, source: str) -> None:
        """The venue refused an order: give its money back, and if it protected something try again later."""
        facts = self.execution.reject(order, code, detail, self.at, source)
        self.post(facts)
        if not facts or order.intent.purpose not in (OrderPurpose.STOP_LOSS, OrderPurpose.EXIT):
            return  # a target never stands without its stop
        if code in _PASSING:
            self.positions.postpone(self.position_of(order), self.wall_now)
        else:
            self.positions.refused(self.position_of(order), detail, self.wall_now, is_protective=order.is_protective)

    def accepted(self, order: Order) -> None:
        """The venue took an order; a protective one ends the series of refusals."""
        if order.intent.purpose is not OrderPurpose.ENTRY:
            self.positions.accepted(self.position_of(order))

    def on_tick(self, now: int) -> bool:
        """Ask about orders in doubt and try again what was refused; False when nothing was due."""
        due = self.monitor.due(self.execution.orders.live(), now, is_stream_up=self.is_stream_up)
        for order, inquiry in due:
            if inquiry is Inquiry.CANCEL:
                self.execution.call_off(order)
            else:
                self.execution.ask(order, with_balances=inquiry is Inquiry.PROOF)
        return bool(due) or any(0 < position.retry_at <= now for position in self.positions.running())

    def bot_changed(self, bot: Bot, trace_id: TraceId) -> None:
        """A bot's state was changed: tell it and write it."""
        self.changed_bots[bot.bot_id] = bot
        self.facts.append(state_changed(bot, trace_id, self.at))

    def position_of(self, order: Order) -> Position:
        """The position that an order adds to, protects or closes."""
        return self.positions.get((order.intent.bot_id, order.intent.symbol))

    def live_orders_of(self, position: Position) -> list[Order]:
        """Live orders of the position's bot and symbol."""
        return [
            order
            for order in self.execution.orders.live()
            if order.intent.bot_id == position.bot_id and order.intent.symbol == position.symbol
        ]

    def _book(self, fill: OrderFilled) -> None:
        order = self.execution.orders.get(fill.client_order_id)
        self.post_transfers(self.books.book_fill(fill, order.hold_key), fill.trace_id)
        if not order.is_live:
            self._release(order)
        self.post(self.positions.book(fill, order, self.around.instruments[fill.symbol]))

    def _pause_or_abandon(self, ended: Order) -> None:
        """A closing order that nobody met is not repeated at once; an exit of what never came is over."""
        position = self.position_of(ended)
        if position.trade_id is not None and ended.intent.purpose is OrderPurpose.EXIT:
            self.positions.postpone(position, self.wall_now)
        elif position.trade_id is None and position.exit_reason and not self.live_orders_of(position):
            self.positions.exit(position, "")
            self._stop_flat_bot(position.bot_id, ended.trace_id)

    def _release(self, order: Order) -> None:
        """Give back what is left of a hold once no live order needs it."""
        if not self.execution.orders.holders(order.hold_key):
            self.post_transfers(self.books.release(order.hold_key, self.at), order.trace_id)

    def _close_trade(self, trade: TradeClosed) -> None:
        day = day_of(trade.occurred_at)
        self.realized_by_day[day] = self.realized_by_day.get(day, ZERO) + trade.realized_pnl
        self._stop_flat_bot(trade.bot_id, trade.trace_id)

    def _stop_flat_bot(self, bot_id: BotId | None, trace_id: TraceId) -> None:
        bot = next((bot for bot in self.bots.all() if bot.bot_id == bot_id), None)
        if bot is not None and bot.state is BotState.STOPPING:
            bot.move(BotState.STOPPED, "its position is closed")
            self.bot_changed(bot, trace_id)
