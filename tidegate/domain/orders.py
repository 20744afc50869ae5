"""The life of an order in words: what is wanted, what a venue is asked, what a venue answers."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tidegate.domain.ids import AccountId, BotId, ClientOrderId, IntentKey, VenueOrderId
from tidegate.domain.money import ZERO


class Side(StrEnum):
    """What an order does."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class Direction(StrEnum):
    """What a position is."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


class OrderType(StrEnum):
    """How an order finds its price; `stop` and `take_profit` become market orders when the last trade reaches them."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT = "take_profit"
    TAKE_PROFIT_LIMIT = "take_profit_limit"


class TimeInForce(StrEnum):
    """How long an order may wait."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class OrderPurpose(StrEnum):
    """What an order is for; everything but an entry reduces and is never denied by an entry limit."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"


class OrderStatus(StrEnum):
    """Where an order is; `unknown` means that only the venue can tell."""

    PENDING = "pending"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


FINAL_STATUSES = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """One wanted order, before anybody allowed it; `key` says what it is for and is never used twice."""

    key: IntentKey
    account_id: AccountId
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal  # base
    purpose: OrderPurpose
    bot_id: BotId | None = None
    limit_price: Decimal | None = None  # quote per base
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    stop_loss_price: Decimal | None = None  # where the entry's protection goes once it fills
    take_profit_price: Decimal | None = None
    parent_key: IntentKey | None = None  # the entry that a protective order or an exit belongs to


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTicket:
    """One order as a venue is asked for it."""

    client_order_id: ClientOrderId
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduces: bool = False  # protects or closes: served before entries when a venue's budget runs short


@dataclass(frozen=True, slots=True, kw_only=True)
class OcoTicket:
    """Two legs of which one fills and the other dies, held by the venue; both sell (or both buy) `quantity`."""

    list_client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    take_profit_id: ClientOrderId
    take_profit_price: Decimal  # limit price of the resting leg
    stop_loss_id: ClientOrderId
    stop_price: Decimal
    stop_limit_price: Decimal | None = None  # None: a market order when triggered


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What a venue says of one order, from an answer, a query or a stream alike."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    symbol: str
    side: Side
    status: OrderStatus
    quantity: Decimal  # base
    filled_quantity: Decimal  # base, cumulative
    filled_notional: Decimal = ZERO  # quote, cumulative
    reported_at: int = 0  # µs, the venue's clock
    detail: str = ""  # the venue's reason for a rejection or an expiry


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """One execution of one order, as the venue booked it."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    venue_trade_id: str
    symbol: str
    side: Side
    quantity: Decimal  # base
    price: Decimal  # quote per base
    fee: Decimal  # paid if positive, rebate if negative
    fee_asset: str
    is_maker: bool
    filled_at: int  # µs, the venue's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceReport:
    """What a venue holds of one asset for one account."""

    asset: str
    free: Decimal
    held: Decimal


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The account stream began anew: what happened in between must be asked for."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The account stream is gone for now: open orders must be asked about until it begins anew."""


@dataclass(frozen=True, slots=True)
class TapeMark:
    """Lockstep only: everything the account stream had to say up to this position has been said."""

    position: int


@dataclass(frozen=True, slots=True)
class Placed:
    """The venue took the order (or both legs); fills that it told at once come along."""

    reports: tuple[OrderReport, ...]
    fills: tuple[FillReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue said no, and the order certainly does not exist; `code` is ours, `detail` the venue's words."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """Nobody knows whether the venue acted: never send it again, ask."""

    detail: str


PlaceAnswer = Placed | Refused | OutcomeUnknown
AccountEvent = OrderReport | FillReport | BalanceReport | StreamReset | StreamLost | TapeMark
