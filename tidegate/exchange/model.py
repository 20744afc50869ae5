"""The words of the exchange: symbols, requests, refusals, orders, trades, and the events that change its state."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tidegate.domain.errors import Conflict, Invalid
from tidegate.domain.ids import AccountId
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.money import ZERO, is_on_grid
from tidegate.domain.orders import FINAL_STATUSES, OrderStatus, OrderType, Side, TimeInForce
from tidegate.exchange.filters import SymbolFilter

STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
TARGETS = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})
TRIGGERED = STOPS | TARGETS  # wait until the last trade reaches stop_price
TAKERS = frozenset({OrderType.MARKET, OrderType.STOP, OrderType.TAKE_PROFIT})  # have no limit price


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSymbol:
    """One market: its assets, grid, fees and filters; tick_size × lot_size must fit into `quote_scale` decimals."""

    symbol: str  # "BTC/USDT"
    base: str
    quote: str
    tick_size: Decimal  # quote per base
    lot_size: Decimal  # base
    base_scale: int = 8  # decimals in which balances and fees of the base are kept
    quote_scale: int = 8
    maker_fee_rate: Decimal = Decimal("0.001")  # of what the maker receives
    taker_fee_rate: Decimal = Decimal("0.001")
    filters: tuple[SymbolFilter, ...] = ()
    status: InstrumentStatus = InstrumentStatus.TRADING  # at the start; `Exchange.change_status` changes it
    order_id_min: int = 1  # the first order and trade ids of a new exchange
    trade_id_min: int = 1

    def __post_init__(self) -> None:
        if self.symbol != f"{self.base}/{self.quote}":
            raise Invalid(
                f"symbol {self.symbol!r} must be its base and quote: {self.base}/{self.quote}.",
                code="exchange.symbol_invalid",
            )
        if self.tick_size <= 0 or self.lot_size <= 0:
            raise Invalid(f"tick_size and lot_size of {self.symbol} must be above 0.", code="exchange.symbol_invalid")
        if not is_on_grid(self.tick_size * self.lot_size, Decimal(1).scaleb(-self.quote_scale)):
            raise Invalid(
                f"tick_size × lot_size of {self.symbol} needs more than quote_scale={self.quote_scale} decimals.",
                code="exchange.symbol_invalid",
            )


@dataclass(frozen=True, slots=True)
class FeeOption:
    """Fees in a third asset at a discount, while an account has enough of it free; else from what is received."""

    asset: str  # "BNB"
    discount: Decimal  # 0.25 takes a quarter off
    price: Decimal | None = None  # quote per unit; None: the last trade of asset/quote here


@dataclass(frozen=True, slots=True)
class CandleModel:
    """Fills from candles alone; the rules stand in `candle_fills.py`."""


@dataclass(frozen=True, slots=True)
class BookModel:
    """Fills from a visible book and trades; the rules stand in `book_fills.py`."""

    latency_us: int = 0  # from the request to its arrival at the book


# --- requests --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """One order as asked for; exactly one of `quantity` and (market only) `quote_quantity` is given."""

    account_id: AccountId
    symbol: str
    client_order_id: str
    side: Side
    type: OrderType
    quantity: Decimal | None = None  # base
    quote_quantity: Decimal | None = None  # quote to spend or to receive
    limit_price: Decimal | None = None  # for LIMIT, STOP_LIMIT, TAKE_PROFIT_LIMIT
    stop_price: Decimal | None = None  # for STOP, STOP_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False  # LIMIT only: refused where it would take


@dataclass(frozen=True, slots=True, kw_only=True)
class OcoLeg:
    """One leg of an OCO: a post-only limit or take-profit on the good side, a stop on the bad one."""

    client_order_id: str
    type: OrderType  # LIMIT means post-only
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC


@dataclass(frozen=True, slots=True, kw_only=True)
class OcoRequest:
    """Two legs over one quantity, one above and one below the last price; the balance is locked once."""

    account_id: AccountId
    symbol: str
    list_client_id: str
    side: Side
    quantity: Decimal  # base
    above: OcoLeg
    below: OcoLeg


class RefusalCode(StrEnum):
    """Why a request was refused; a front maps each to its own code."""

    UNKNOWN_SYMBOL = "exchange.unknown_symbol"
    BAD_REQUEST = "exchange.bad_request"  # fields missing or not allowed for the type
    FILTER = "exchange.filter"  # `Refusal.filter_name` says which
    INSUFFICIENT_BALANCE = "exchange.insufficient_balance"
    DUPLICATE_ORDER = "exchange.duplicate_order"  # the client id of an order or list that is open
    WOULD_TRIGGER = "exchange.would_trigger"
    WOULD_MATCH = "exchange.would_match"  # post-only
    OCO_PRICES = "exchange.oco_prices"
    MARKET_CLOSED = "exchange.market_closed"  # the symbol's status forbids it
    NO_PRICE = "exchange.no_price"  # no market data yet
    UNKNOWN_ORDER = "exchange.unknown_order"  # nothing open to cancel


class Refusal(Conflict):
    """The request certainly changed nothing; `code` for programs, the sentence for people."""

    code: RefusalCode

    def __init__(self, code: RefusalCode, detail: str, *, filter_name: str = "") -> None:
        super().__init__(detail, code=code)
        self.filter_name = filter_name


# --- what is kept ----------------------------------------------------------------------------------


class EndReason(StrEnum):
    """Why an order ended before it was filled."""

    CANCELLED = "cancelled"
    IOC_UNFILLED = "ioc_unfilled"
    FOK_UNFILLED = "fok_unfilled"
    NO_LIQUIDITY = "no_liquidity"  # a market order met fewer sellers or buyers than it wanted
    INSUFFICIENT_BALANCE = "insufficient_balance"  # a market order met a price that the account cannot pay
    OCO_TRIGGERED = "oco_triggered"  # the other leg works
    WOULD_MATCH = "would_match"  # post-only, after latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order after its latest event; ids count up per symbol and are never used twice."""

    account_id: AccountId
    symbol: str
    order_id: int
    client_order_id: str
    list_id: int | None = None
    side: Side
    type: OrderType
    quantity: Decimal  # base; of a market order by quote: what has filled so far
    quote_quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    status: OrderStatus = OrderStatus.OPEN
    filled_quantity: Decimal = ZERO  # base
    filled_notional: Decimal = ZERO  # quote
    reserved: Decimal = ZERO  # quote for a buy, base for a sell; legs of a list share the larger one
    is_working: bool  # False: a stop or target before its trigger
    created_at: int
    updated_at: int
    working_at: int | None = None
    end_reason: EndReason | None = None
    cancel_client_id: str = ""  # the client id of the cancel that ended it

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status not in FINAL_STATUSES

    @property
    def leaves(self) -> Decimal:
        """Base that may still fill; 0 for a market order by quote."""
        return self.quantity - self.filled_quantity

    @property
    def triggers_on_rise(self) -> bool:
        """Whether `stop_price` is reached from below: stop buys and take-profit sells."""
        return (self.type in STOPS) == (self.side is Side.BUY)

    @property
    def awaits_trigger(self) -> bool:
        """Whether it is a stop or take-profit whose price has not come yet."""
        return self.stop_price is not None and not self.is_working


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderList:
    """An OCO; it is done when both legs have ended."""

    account_id: AccountId
    symbol: str
    list_id: int
    list_client_id: str
    order_ids: tuple[int, ...]
    client_order_ids: tuple[str, ...]
    is_done: bool
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One execution; trade ids count up per symbol and are never used twice."""

    account_id: AccountId
    symbol: str
    trade_id: int
    order_id: int
    list_id: int | None
    side: Side
    price: Decimal  # quote per base
    quantity: Decimal  # base
    notional: Decimal  # quote
    fee: Decimal
    fee_asset: str
    is_maker: bool
    traded_at: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of one asset."""

    asset: str
    free: Decimal = ZERO
    locked: Decimal = ZERO


# --- events ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """A new order; executionReport NEW."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderWorking:
    """A stop or target was triggered."""

    order: Order


@dataclass(frozen=True, slots=True)
class Traded:
    """One execution and the order after it (FILLED when nothing is left); executionReport TRADE."""

    order: Order
    trade: Trade


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """CANCELLED or EXPIRED, with what had filled; `order.end_reason` says why."""

    order: Order


@dataclass(frozen=True, slots=True)
class ListChanged:
    """An order list started (not `is_done`) or ended; listStatus."""

    order_list: OrderList


@dataclass(frozen=True, slots=True)
class BalancesChanged:
    """The new balances of the assets that changed; follows the event that changed them."""

    account_id: AccountId
    balances: tuple[Balance, ...]
    changed_at: int


@dataclass(frozen=True, slots=True)
class Deposited:
    """Brought in from outside (withdrawn if negative)."""

    account_id: AccountId
    asset: str
    quantity: Decimal
    deposited_at: int


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A symbol was opened, halted or set to cancel only."""

    symbol: str
    status: InstrumentStatus
    changed_at: int


Event = OrderAccepted | OrderWorking | Traded | OrderEnded | ListChanged | BalancesChanged | Deposited | StatusChanged
Events = Sequence[Event]

# The name under which a front journals each event, and the way back.
EVENT_TYPES: dict[str, type[Event]] = {
    "order_accepted": OrderAccepted,
    "order_working": OrderWorking,
    "traded": Traded,
    "order_ended": OrderEnded,
    "list_changed": ListChanged,
    "balances_changed": BalancesChanged,
    "deposited": Deposited,
    "status_changed": StatusChanged,
}
EVENT_NAMES: dict[type[Event], str] = {kind: name for name, kind in EVENT_TYPES.items()}
