"""Every message between stages: facts in the past tense, requests in the imperative, never edited once shipped.

A wire name is `stage.snake_case.vN`. Times are µs of market time, decimals travel as strings.
"""

from decimal import Decimal
from typing import TypeVar

import msgspec

from tidegate.domain.candles import Candle
from tidegate.domain.ids import (
    AccountId,
    BotId,
    ClientOrderId,
    CommandId,
    FillId,
    IntentKey,
    TraceId,
    TradeId,
    TransferId,
    VenueOrderId,
)
from tidegate.domain.money import Money
from tidegate.domain.orders import Direction, OrderIntent, OrderStatus, Side


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="name"):
    """What all messages carry."""

    trace_id: TraceId
    occurred_at: int  # µs, market time of the source


# ── market: broadcast, ids derive from content ──────────────────────────────────────────────────────────


class CandleClosed(Message, frozen=True, tag="market.candle_closed.v1"):
    """A candle is final; the same open time with a higher revision corrects it."""

    candle: Candle
    is_history: bool = False  # from before the first live candle: for warming up, never for trading


class QuoteChanged(Message, frozen=True, tag="market.quote_changed.v1"):
    """The best bid and ask of a symbol."""

    symbol: str
    bid_price: Decimal
    bid_quantity: Decimal
    ask_price: Decimal
    ask_quantity: Decimal


class TradePrinted(Message, frozen=True, tag="market.trade_printed.v1"):
    """Somebody traded."""

    symbol: str
    venue_trade_id: str
    price: Decimal
    quantity: Decimal
    is_buyer_maker: bool


class GapRepaired(Message, frozen=True, tag="market.gap_repaired.v1"):
    """Candles that the stream had missed were fetched and published."""

    symbol: str
    timeframe: str
    first_opened_at: int  # µs
    last_opened_at: int
    candle_count: int


class TapeAdvanced(Message, frozen=True, tag="market.tape_advanced.v1"):
    """Lockstep only: everything up to this position of the tape has been sent before this message."""

    position: int


# ── signals: broadcast ──────────────────────────────────────────────────────────────────────────────────


class SignalMessage(Message, frozen=True, kw_only=True):
    """What all signals carry; `signal_key` names strategy, parameters, symbol and timeframe."""

    signal_key: str
    symbol: str
    timeframe: str
    bar_opened_at: int  # µs
    close: Decimal  # quote per base


class SignalArmed(SignalMessage, frozen=True, tag="signals.signal_armed.v1"):
    """The set-up is true: an entry may follow until `expires_at`; `entry_price` is where a resting entry would wait."""

    side: Side
    entry_price: Decimal | None
    invalidation_price: Decimal | None
    expires_at: int  # µs


class SignalDisarmed(SignalMessage, frozen=True, tag="signals.signal_disarmed.v1"):
    """The set-up is over without an entry; resting entries of this signal are cancelled."""

    side: Side
    reason: str


class SignalTriggered(SignalMessage, frozen=True, tag="signals.signal_triggered.v1"):
    """Enter (`is_entry`) or leave; prices are advice that the bot's own rules may replace."""

    side: Side
    is_entry: bool
    reason: str
    stop_loss_price: Decimal | None = None
    take_profit_price: Decimal | None = None


class BarEvaluated(SignalMessage, frozen=True, tag="signals.bar_evaluated.v1"):
    """A rule looked at a closed bar: its numbers, its phase and why nothing happened; the last message of a bar."""

    values: dict[str, float]
    phase: str
    verdict: str


# ── bots and risk ───────────────────────────────────────────────────────────────────────────────────────


class BotStateChanged(Message, frozen=True, tag="bots.bot_state_changed.v1"):
    """A bot moved to another state of its life."""

    bot_id: BotId
    account_id: AccountId
    state: str
    reason: str


class BarDecided(Message, frozen=True, tag="bots.bar_decided.v1"):
    """What a bot made of a bar, and why it did not trade."""

    bot_id: BotId
    account_id: AccountId
    symbol: str
    timeframe: str
    bar_opened_at: int  # µs
    phase: str
    verdict: str
    values: dict[str, float]


class OrderProposed(Message, frozen=True, tag="bots.order_proposed.v1"):
    """Somebody wants an order."""

    intent: OrderIntent
    reason: str


class OrderApproved(Message, frozen=True, tag="risk.order_approved.v1"):
    """Every limit permits the order and `hold` is set aside for it."""

    intent: OrderIntent
    hold: Money


class OrderDenied(Message, frozen=True, tag="risk.order_denied.v1"):
    """A limit forbids the order, or something needed to decide is not known; nothing was sent."""

    intent: OrderIntent
    code: str
    detail: str


class KillSwitchSet(Message, frozen=True, tag="risk.kill_switch_set.v1"):
    """Entries are locked (or allowed again) for one account."""

    account_id: AccountId
    is_on: bool
    reason: str


# ── execution ───────────────────────────────────────────────────────────────────────────────────────────


class OrderMessage(Message, frozen=True, kw_only=True):
    """What all facts of an order's life carry."""

    account_id: AccountId
    client_order_id: ClientOrderId
    symbol: str


class OrderSubmitted(OrderMessage, frozen=True, tag="execution.order_submitted.v1"):
    """The order is durable and is about to be sent; attempt n of its intent."""

    intent: OrderIntent
    attempt: int


class OrderAccepted(OrderMessage, frozen=True, tag="execution.order_accepted.v1"):
    """The venue has the order."""

    venue_order_id: VenueOrderId


class OrderFilled(OrderMessage, frozen=True, tag="execution.order_filled.v1"):
    """Part or all of an order traded; `fill_id` is the idempotency key of everything downstream."""

    fill_id: FillId
    venue_order_id: VenueOrderId
    intent_key: IntentKey
    bot_id: BotId | None
    side: Side
    quantity: Decimal  # base
    price: Decimal  # quote per base
    fee: Money  # paid if positive, rebate if negative
    is_maker: bool
    status: OrderStatus  # of the order after this fill


class OrderCancelled(OrderMessage, frozen=True, tag="execution.order_cancelled.v1"):
    """The order is dead by our wish; what it filled before stands."""

    reason: str


class OrderExpired(OrderMessage, frozen=True, tag="execution.order_expired.v1"):
    """The venue ended the order; what it filled before stands."""

    reason: str


class OrderRejected(OrderMessage, frozen=True, tag="execution.order_rejected.v1"):
    """The order never existed at the venue."""

    code: str
    reason: str


class OrderOutcomeUnknown(OrderMessage, frozen=True, tag="execution.order_outcome_unknown.v1"):
    """A request left and no one knows what became of it; the venue is being asked."""

    reason: str


class PositionChanged(Message, frozen=True, tag="execution.position_changed.v1"):
    """The position of one bot (or of hand-made orders) in one symbol after a fill."""

    account_id: AccountId
    bot_id: BotId | None
    symbol: str
    direction: Direction
    quantity: Decimal  # base, never negative
    entry_price: Decimal  # quote per base, average
    realized_pnl: Decimal  # quote, of the running trade


class TradeClosed(Message, frozen=True, tag="execution.trade_closed.v1"):
    """A round trip ended: the position is flat again."""

    trade_key: TradeId
    account_id: AccountId
    bot_id: BotId | None
    symbol: str
    direction: Direction
    quantity: Decimal  # base, all that was entered
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal  # quote, at fill prices
    realized_pnl: Decimal  # quote, after fees
    opened_at: int  # µs
    exit_reason: str


# ── ledger ──────────────────────────────────────────────────────────────────────────────────────────────


class TransferPosted(Message, frozen=True, tag="ledger.transfer_posted.v1"):
    """Value moved from one ledger account to another; direction is debit and credit, never a sign."""

    transfer_id: TransferId
    account_id: AccountId
    key: str  # idempotency key
    debit: str
    credit: str
    money: Money
    kind: str


# ── commands: owned by the shard of their account, one inbox row each ───────────────────────────────────


class Command(Message, frozen=True, kw_only=True):
    """A request to the engine that owns the account; the same id is obeyed once."""

    command_id: CommandId
    account_id: AccountId
    sent_at: int = 0  # µs, wall time; what would trade is refused when it comes too late


class SubmitOrder(Command, frozen=True, tag="execution.submit_order.v1"):
    """Propose an order by hand."""

    intent: OrderIntent


class CancelOrder(Command, frozen=True, tag="execution.cancel_order.v1"):
    """End an open order."""

    client_order_id: ClientOrderId


class StartBot(Command, frozen=True, tag="bots.start_bot.v1"):
    """Let a bot trade."""

    bot_id: BotId


class PauseBot(Command, frozen=True, tag="bots.pause_bot.v1"):
    """Stop entering, keep managing exits."""

    bot_id: BotId


class StopBot(Command, frozen=True, tag="bots.stop_bot.v1"):
    """End a bot; `positions` is keep, close or cancel_orders."""

    bot_id: BotId
    positions: str


class ForceExit(Command, frozen=True, tag="bots.force_exit.v1"):
    """Cancel a bot's orders and sell its position at market."""

    bot_id: BotId


class SetKillSwitch(Command, frozen=True, tag="risk.set_kill_switch.v1"):
    """Lock or allow entries of one account; `flatten` also closes what is open."""

    is_on: bool
    flatten: bool
    reason: str


MarketMessage = CandleClosed | QuoteChanged | TradePrinted | GapRepaired | TapeAdvanced
Signal = SignalArmed | SignalDisarmed | SignalTriggered | BarEvaluated
Request = SubmitOrder | CancelOrder | StartBot | PauseBot | StopBot | ForceExit | SetKillSwitch
AnyMessage = (
    MarketMessage
    | Signal
    | Request
    | BotStateChanged
    | BarDecided
    | OrderProposed
    | OrderApproved
    | OrderDenied
    | KillSwitchSet
    | OrderSubmitted
    | OrderAccepted
    | OrderFilled
    | OrderCancelled
    | OrderExpired
    | OrderRejected
    | OrderOutcomeUnknown
    | PositionChanged
    | TradeClosed
    | TransferPosted
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)
T = TypeVar("T")


def wire_name(message: Message | type[Message]) -> str:
    """`execution.order_filled.v1`."""
    tag = message.__struct_config__.tag
    assert isinstance(tag, str), "only concrete messages have a wire name"
    return tag


def encode(message: Message) -> bytes:
    """JSON with the wire name in `name`."""
    return _encoder.encode(message)


def decode(raw: bytes | str) -> AnyMessage:
    """The message that `encode` wrote; `msgspec.ValidationError` names the field that is wrong."""
    return _decoder.decode(raw)


def to_json(value: object) -> bytes:
    """Any domain value (dataclass, enum, decimal) as JSON, for columns that hold a document."""
    return _encoder.encode(value)


def from_json(raw: bytes | str, kind: type[T]) -> T:
    """The domain value that `to_json` wrote."""
    return msgspec.json.decode(raw, type=kind)
