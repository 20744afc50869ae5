"""What Binance writes, field by field; a missing field or a wrong type is refused while decoding."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Raw, Struct, field

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=0, lt=10**14)]

# ── REST ────────────────────────────────────────────────────────────────────────────────────────────────


class Time(Struct, rename="camel"):
    """GET time."""

    server_time: Milliseconds


class Filter(Struct, rename="camel"):
    """A row of `filters`; which numbers are there depends on its type."""

    filter_type: str
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    tick_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    step_size: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None


class Symbol(Struct, rename="camel"):
    """A row of GET exchangeInfo."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    base_asset_precision: Annotated[int, Meta(ge=0, le=18)]
    quote_asset_precision: Annotated[int, Meta(ge=0, le=18)]
    is_spot_trading_allowed: bool
    filters: list[Filter]


class RateLimit(Struct, rename="camel"):
    """A row of `rateLimits`."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: Annotated[int, Meta(ge=1)]


class ExchangeInfo(Struct, rename="camel"):
    """GET exchangeInfo; each symbol is read on its own, so that one strange row spoils no other."""

    rate_limits: list[RateLimit]
    symbols: list[Raw]


class Depth(Struct, rename="camel"):
    """GET depth."""

    last_update_id: Number
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]


class KlineRow(Struct, array_like=True):
    """A row of GET klines."""

    opened_ms: Milliseconds
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed_ms: Milliseconds
    quote_volume: Decimal
    trade_count: Number


class OrderFill(Struct, rename="camel"):
    """One of the `fills` in the answer to an order."""

    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str
    trade_id: Number


class Order(Struct, rename="camel"):
    """An order in the answer to placing, cancelling or asking, and in the answer to a list."""

    symbol: str
    order_id: Number
    client_order_id: str
    side: str
    status: str
    orig_qty: Decimal
    executed_qty: Decimal
    cummulative_quote_qty: Decimal
    orig_client_order_id: str | None = None  # in a cancel, where `client_order_id` is the cancel's own
    transact_time: Milliseconds | None = None
    update_time: Milliseconds | None = None
    expiry_reason: str = ""
    fills: list[OrderFill] = field(default_factory=list)


class OrderList(Struct, rename="camel"):
    """The answer to an order list."""

    order_reports: list[Order]


class OwnTrade(Struct, rename="camel"):
    """A row of GET myTrades; it names no client order id."""

    id: Number
    order_id: Number
    symbol: str
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str
    time: Milliseconds
    is_buyer: bool
    is_maker: bool


class Balance(Struct, rename="camel"):
    """A row of `balances`."""

    asset: str
    free: Decimal
    locked: Decimal


class Account(Struct, rename="camel"):
    """GET account."""

    balances: list[Balance]


# ── market streams ──────────────────────────────────────────────────────────────────────────────────────


class StreamFrame(Struct):
    """The wrapper of combined streams."""

    stream: str
    data: Raw


class TradeEvent(Struct):
    """`@trade`."""

    event_ms: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    trade_id: Number = field(name="t")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    traded_ms: Milliseconds = field(name="T")
    is_buyer_maker: bool = field(name="m")


class BookTickerEvent(Struct):
    """`@bookTicker`, which carries no time."""

    update_id: Number = field(name="u")
    symbol: str = field(name="s")
    bid_price: Decimal = field(name="b")
    bid_quantity: Decimal = field(name="B")
    ask_price: Decimal = field(name="a")
    ask_quantity: Decimal = field(name="A")


class Kline(Struct):
    """`k` of a kline event."""

    opened_ms: Milliseconds = field(name="t")
    interval: str = field(name="i")
    open: Decimal = field(name="o")
    high: Decimal = field(name="h")
    low: Decimal = field(name="l")
    close: Decimal = field(name="c")
    volume: Decimal = field(name="v")
    trade_count: Number = field(name="n")
    is_closed: bool = field(name="x")
    quote_volume: Decimal = field(name="q")


class KlineEvent(Struct):
    """`@kline_<interval>`."""

    event_ms: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    kline: Kline = field(name="k")


class DepthEvent(Struct):
    """`@depth`: quantities that replace those of their levels, 0 takes a level away."""

    event_ms: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    first_id: Number = field(name="U")
    last_id: Number = field(name="u")
    bids: list[tuple[Decimal, Decimal]] = field(name="b")
    asks: list[tuple[Decimal, Decimal]] = field(name="a")


class TapeEvent(Struct, tag_field="e", tag="tapeAdvanced"):
    """A simulator's mark in lockstep, on `!tape` and on the account stream."""

    event_ms: Milliseconds = field(name="E")
    position: Number = field(name="n")


# ── account stream ──────────────────────────────────────────────────────────────────────────────────────


class ExecutionReport(Struct, tag_field="e", tag="executionReport"):
    """One step in the life of an order."""

    symbol: str = field(name="s")
    client_id: str = field(name="c")  # of the cancel when the execution is a cancel
    order_client_id: str = field(name="C")  # of the order when the execution is a cancel, else empty
    side: str = field(name="S")
    quantity: Decimal = field(name="q")
    execution: str = field(name="x")
    status: str = field(name="X")
    reject_reason: str = field(name="r")
    order_id: Number = field(name="i")
    last_quantity: Decimal = field(name="l")
    filled_quantity: Decimal = field(name="z")
    last_price: Decimal = field(name="L")
    commission: Decimal = field(name="n")
    commission_asset: str | None = field(name="N")
    transacted_ms: Milliseconds = field(name="T")
    trade_id: Annotated[int, Meta(ge=-1, le=2**63 - 1)] = field(name="t")
    is_maker: bool = field(name="m")
    filled_notional: Decimal = field(name="Z")
    expiry_reason: str = field(name="eR", default="")


class PositionBalance(Struct):
    """A row of `outboundAccountPosition`."""

    asset: str = field(name="a")
    free: Decimal = field(name="f")
    locked: Decimal = field(name="l")


class AccountPosition(Struct, tag_field="e", tag="outboundAccountPosition"):
    """Balances that have changed."""

    balances: list[PositionBalance] = field(name="B")


class ListStatus(Struct, tag_field="e", tag="listStatus"):
    """An order list moved; its legs are told by execution reports of their own."""


class BalanceUpdate(Struct, tag_field="e", tag="balanceUpdate"):
    """A deposit or withdrawal as a difference; the new balance follows in `outboundAccountPosition`."""


class LockUpdate(Struct, tag_field="e", tag="externalLockUpdate"):
    """Part of a balance was locked elsewhere; the new balance follows in `outboundAccountPosition`."""


class StreamTerminated(Struct, tag_field="e", tag="eventStreamTerminated"):
    """The subscription is over."""


class ServerShutdown(Struct, tag_field="e", tag="serverShutdown"):
    """The connection will be closed within minutes."""


AccountPayload = (
    ExecutionReport
    | AccountPosition
    | ListStatus
    | BalanceUpdate
    | LockUpdate
    | StreamTerminated
    | ServerShutdown
    | TapeEvent
)


class ApiError(Struct):
    """`error` of a WebSocket API answer."""

    code: int
    msg: str = ""


class ApiFrame(Struct):
    """Anything on the WebSocket API: an event, or the answer to a request."""

    event: AccountPayload | None = None
    id: str | int | None = None
    status: int | None = None
    error: ApiError | None = None
