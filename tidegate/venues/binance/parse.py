"""Bytes of Binance into reports of the domain; what lacks a field or cannot be true raises `PayloadUnreadable`."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

import msgspec

from tidegate.domain.candles import Candle, CandleSource, duration_us
from tidegate.domain.errors import Invalid
from tidegate.domain.ids import ClientOrderId, VenueOrderId
from tidegate.domain.instruments import Instrument, InstrumentStatus, from_stream_symbol, split_symbol, stream_symbol
from tidegate.domain.money import ZERO
from tidegate.domain.orders import (
    AccountEvent,
    BalanceReport,
    FillReport,
    OrderReport,
    OrderStatus,
    Placed,
    Side,
    TapeMark,
)
from tidegate.domain.ports import BookSnapshot
from tidegate.kit.clock import MILLISECOND_US
from tidegate.venues.binance import payloads
from tidegate.venues.binance.errors import PayloadUnreadable

_SMALLEST, _LARGEST = Decimal("1e-18"), Decimal("1e20")  # what NUMERIC(38,18) holds
_STATUSES = {
    "NEW": OrderStatus.OPEN,
    "PENDING_NEW": OrderStatus.PENDING,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "PENDING_CANCEL": OrderStatus.OPEN,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
}
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_SYMBOL_STATUSES = {"TRADING": InstrumentStatus.TRADING, "CANCEL_ONLY": InstrumentStatus.CANCEL_ONLY}

T = TypeVar("T")

_time = msgspec.json.Decoder(payloads.Time)
_depth = msgspec.json.Decoder(payloads.Depth)
_klines = msgspec.json.Decoder(list[payloads.KlineRow])
_info = msgspec.json.Decoder(payloads.ExchangeInfo)
_symbol = msgspec.json.Decoder(payloads.Symbol)
_order = msgspec.json.Decoder(payloads.Order)
_orders = msgspec.json.Decoder(list[payloads.Order])
_order_list = msgspec.json.Decoder(payloads.OrderList)
_trades = msgspec.json.Decoder(list[payloads.OwnTrade])
_account = msgspec.json.Decoder(payloads.Account)
_stream_frame = msgspec.json.Decoder(payloads.StreamFrame)
_api_frame = msgspec.json.Decoder(payloads.ApiFrame)


class SymbolNames:
    """`BTC/USDT` for `BTCUSDT`: the venue's own list first, the known quote assets for what it lacks."""

    def __init__(self) -> None:
        self._by_wire: dict[str, str] = {}

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """Take over the venue's list."""
        self._by_wire.update((stream_symbol(one.symbol), one.symbol) for one in instruments)

    def __getitem__(self, wire: str) -> str:
        found = self._by_wire.get(wire)
        if found is None:
            try:
                found = self._by_wire[wire] = from_stream_symbol(wire)
            except Invalid as problem:
                raise PayloadUnreadable(str(problem)) from None
        return found


def read(decoder: msgspec.json.Decoder[T], raw: bytes | str | msgspec.Raw, what: str) -> T:
    """Decode, or say in one sentence which field of what is wrong."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise PayloadUnreadable(f"Binance's {what} cannot be read: {problem}.") from None


def positive(value: Decimal, field: str) -> Decimal:
    """A number above 0 that our columns can hold."""
    if value.is_finite() and _SMALLEST <= value < _LARGEST:
        return value
    raise PayloadUnreadable(f"Binance sent {field} {value}, which must be above 0 and below {_LARGEST:f}.")


def not_negative(value: Decimal, field: str) -> Decimal:
    """0 or a number above it that our columns can hold."""
    if not value.is_nan() and value == ZERO:
        return ZERO
    return positive(value, field)


def stream_data(raw: bytes | str) -> msgspec.Raw:
    """What a frame of a combined stream carries."""
    return read(_stream_frame, raw, "frame").data


# ── public answers ──────────────────────────────────────────────────────────────────────────────────────


def server_time_us(raw: bytes) -> int:
    """GET time."""
    return read(_time, raw, "time").server_time * MILLISECOND_US


def book(raw: bytes, symbol: str) -> BookSnapshot:
    """GET depth."""
    depth = read(_depth, raw, "depth")
    for price, quantity in (*depth.bids, *depth.asks):
        positive(price, "level price")
        positive(quantity, "level quantity")
    if depth.bids and depth.asks and depth.bids[0][0] >= depth.asks[0][0]:
        raise PayloadUnreadable(f"Binance's book of {symbol} is crossed.")
    return BookSnapshot(symbol=symbol, update_id=depth.last_update_id, bids=tuple(depth.bids), asks=tuple(depth.asks))


def klines(raw: bytes, symbol: str, timeframe: str) -> list[Candle]:
    """GET klines, in rising order of time; the last row may still be open."""
    rows = read(_klines, raw, "klines")
    candles = [candle_of(row, symbol, timeframe, CandleSource.REST) for row in rows]
    if any(later.opened_at <= earlier.opened_at for earlier, later in pairwise(candles)):
        raise PayloadUnreadable(f"Binance's klines of {symbol} are not in order of time.")
    return candles


def candle_of(row: payloads.KlineRow | payloads.Kline, symbol: str, timeframe: str, source: CandleSource) -> Candle:
    """A bar whose numbers fit each other."""
    low, high = positive(row.low, "low"), positive(row.high, "high")
    if not (low <= positive(row.open, "open") <= high and low <= positive(row.close, "close") <= high):
        raise PayloadUnreadable(f"Binance's candle of {symbol} at {row.opened_ms} has prices outside low and high.")
    opened_at = row.opened_ms * MILLISECOND_US
    if opened_at % min(duration_us(timeframe), duration_us("1d")):
        raise PayloadUnreadable(f"Binance's candle of {symbol} opens at {row.opened_ms}, inside a {timeframe} bar.")
    return Candle(
        symbol=symbol,
        timeframe=timeframe,
        opened_at=opened_at,
        open=row.open,
        high=high,
        low=low,
        close=row.close,
        volume=not_negative(row.volume, "volume"),
        quote_volume=not_negative(row.quote_volume, "quote volume"),
        trade_count=row.trade_count,
        source=source,
    )


def exchange_info(raw: bytes, maker_fee_rate: Decimal, taker_fee_rate: Decimal) -> tuple[list[Instrument], int, int]:
    """The spot instruments, the weight limit per minute (0 when unsaid), and how many rows could not be read."""
    told = read(_info, raw, "exchangeInfo")
    instruments, unreadable = [], 0
    for row in told.symbols:
        try:
            symbol = read(_symbol, row, "symbol")
            if symbol.is_spot_trading_allowed:
                instruments.append(_instrument(symbol, maker_fee_rate, taker_fee_rate))
        except PayloadUnreadable:
            unreadable += 1
    limits = (
        one.limit
        for one in told.rate_limits
        if (one.rate_limit_type, one.interval, one.interval_num) == ("REQUEST_WEIGHT", "MINUTE", 1)
    )
    return instruments, next(limits, 0), unreadable


def _instrument(symbol: payloads.Symbol, maker_fee_rate: Decimal, taker_fee_rate: Decimal) -> Instrument:
    filters = {one.filter_type: one for one in symbol.filters}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    if price is None or lot is None:
        raise PayloadUnreadable(f"Binance's {symbol.symbol} lacks PRICE_FILTER or LOT_SIZE.")
    market_lot = filters.get("MARKET_LOT_SIZE")
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL")
    return Instrument(
        symbol=f"{symbol.base_asset}/{symbol.quote_asset}",
        base=symbol.base_asset,
        quote=symbol.quote_asset,
        tick_size=_bound(price.tick_size, "tickSize"),
        price_min=_bound(price.min_price, "minPrice"),
        price_max=_bound(price.max_price, "maxPrice"),
        lot_size=_bound(lot.step_size, "stepSize"),
        quantity_min=_bound(lot.min_qty, "minQty"),
        quantity_max=_bound(lot.max_qty, "maxQty"),
        market_quantity_max=_bound(market_lot.max_qty, "maxQty") if market_lot else ZERO,
        notional_min=_bound(notional.min_notional, "minNotional") if notional else ZERO,
        notional_max=not_negative(notional.max_notional or ZERO, "maxNotional") if notional else ZERO,
        base_scale=symbol.base_asset_precision,
        quote_scale=symbol.quote_asset_precision,
        maker_fee_rate=maker_fee_rate,
        taker_fee_rate=taker_fee_rate,
        status=_SYMBOL_STATUSES.get(symbol.status, InstrumentStatus.HALTED),
    )


def _bound(value: Decimal | None, field: str) -> Decimal:
    if value is None:
        raise PayloadUnreadable(f"Binance sent a filter without {field}.")
    return not_negative(value, field)


# ── answers to one account ──────────────────────────────────────────────────────────────────────────────


def placed(raw: bytes, names: SymbolNames) -> Placed:
    """POST order with newOrderRespType=FULL; fills told at once were taken from the book."""
    order = read(_order, raw, "order")
    report = _order_report(order, names)
    return Placed((report,), tuple(_order_fill(fill, report) for fill in order.fills))


def list_placed(raw: bytes, names: SymbolNames) -> Placed:
    """POST orderList/oco."""
    legs = read(_order_list, raw, "order list").order_reports
    if not legs:
        raise PayloadUnreadable("Binance's order list names no orders.")
    return Placed(tuple(_order_report(leg, names) for leg in legs))


def cancelled(raw: bytes, names: SymbolNames) -> Placed:
    """DELETE order: the order, or both legs when it was one of a list."""
    if b'"orderReports"' in raw:
        return list_placed(raw, names)
    return Placed((order(raw, names),))


def order(raw: bytes, names: SymbolNames) -> OrderReport:
    """GET order."""
    return _order_report(read(_order, raw, "order"), names)


def orders(raw: bytes, names: SymbolNames) -> list[OrderReport]:
    """GET openOrders and allOrders."""
    return [_order_report(row, names) for row in read(_orders, raw, "orders")]


def own_trades(raw: bytes) -> list[payloads.OwnTrade]:
    """GET myTrades, in rising order of trade id."""
    trades = read(_trades, raw, "myTrades")
    if any(later.id <= earlier.id for earlier, later in pairwise(trades)):
        raise PayloadUnreadable("Binance's myTrades are not in order of their ids.")
    return trades


def fill(trade: payloads.OwnTrade, client_order_id: ClientOrderId, names: SymbolNames) -> FillReport:
    """A row of myTrades with the client order id of its order."""
    return FillReport(
        client_order_id=client_order_id,
        venue_order_id=VenueOrderId(str(trade.order_id)),
        venue_trade_id=str(trade.id),
        symbol=names[trade.symbol],
        side=Side.BUY if trade.is_buyer else Side.SELL,
        quantity=positive(trade.qty, "trade quantity"),
        price=positive(trade.price, "trade price"),
        fee=not_negative(trade.commission, "commission"),
        fee_asset=trade.commission_asset,
        is_maker=trade.is_maker,
        filled_at=trade.time * MILLISECOND_US,
    )


def balances(raw: bytes) -> list[BalanceReport]:
    """GET account: what is not zero."""
    rows = read(_account, raw, "account").balances
    reports = [_balance(row.asset, row.free, row.locked) for row in rows]
    return [report for report in reports if report.free or report.held]


def _balance(asset: str, free: Decimal, held: Decimal) -> BalanceReport:
    return BalanceReport(
        asset=asset, free=not_negative(free, f"free {asset}"), held=not_negative(held, f"locked {asset}")
    )


def _order_report(order: payloads.Order, names: SymbolNames) -> OrderReport:
    told_ms = order.update_time if order.transact_time is None else order.transact_time
    if told_ms is None:
        raise PayloadUnreadable(f"Binance's order {order.order_id} lacks its time.")
    return _checked(
        OrderReport(
            client_order_id=ClientOrderId(order.orig_client_order_id or order.client_order_id),
            venue_order_id=VenueOrderId(str(order.order_id)),
            symbol=names[order.symbol],
            side=_known(_SIDES, order.side, "side"),
            status=_known(_STATUSES, order.status, "status"),
            quantity=not_negative(order.orig_qty, "origQty"),
            filled_quantity=not_negative(order.executed_qty, "executedQty"),
            filled_notional=not_negative(order.cummulative_quote_qty, "cummulativeQuoteQty"),
            reported_at=told_ms * MILLISECOND_US,
            detail=order.expiry_reason,
        )
    )


def _order_fill(told: payloads.OrderFill, report: OrderReport) -> FillReport:
    return FillReport(
        client_order_id=report.client_order_id,
        venue_order_id=report.venue_order_id,
        venue_trade_id=str(told.trade_id),
        symbol=report.symbol,
        side=report.side,
        quantity=positive(told.qty, "fill quantity"),
        price=positive(told.price, "fill price"),
        fee=not_negative(told.commission, "commission"),
        fee_asset=told.commission_asset,
        is_maker=False,
        filled_at=report.reported_at,
    )


def _checked(report: OrderReport) -> OrderReport:
    if not report.client_order_id:
        raise PayloadUnreadable(f"Binance's order {report.venue_order_id} has no client order id.")
    # A market order by notional has no quantity of its own until it has traded.
    if report.quantity and report.filled_quantity > report.quantity:
        raise PayloadUnreadable(f"Binance's order {report.venue_order_id} is filled beyond its quantity.")
    return report


def _known(words: dict[str, T], word: str, what: str) -> T:
    found = words.get(word)
    if found is None:
        raise PayloadUnreadable(f"Binance sent the unknown {what} {word!r}.")
    return found


# ── account stream ──────────────────────────────────────────────────────────────────────────────────────


def api_frame(raw: bytes | str) -> payloads.ApiFrame:
    """Anything the WebSocket API sends."""
    return read(_api_frame, raw, "account event")


def account_events(event: payloads.AccountPayload, names: SymbolNames) -> list[AccountEvent]:
    """What an event tells; a fill comes before the order that it changed."""
    match event:
        case payloads.ExecutionReport():
            return _execution(event, names)
        case payloads.AccountPosition(balances=rows):
            return [_balance(row.asset, row.free, row.locked) for row in rows]
        case payloads.TapeEvent(position=position):
            return [TapeMark(position)]
        case _:
            return []


def _execution(event: payloads.ExecutionReport, names: SymbolNames) -> list[AccountEvent]:
    is_cancel = event.execution == "CANCELED" and bool(event.order_client_id)
    reason = "" if event.reject_reason == "NONE" else event.reject_reason
    report = _checked(
        OrderReport(
            client_order_id=ClientOrderId(event.order_client_id if is_cancel else event.client_id),
            venue_order_id=VenueOrderId(str(event.order_id)),
            symbol=names[event.symbol],
            side=_known(_SIDES, event.side, "side"),
            status=_known(_STATUSES, event.status, "status"),
            quantity=not_negative(event.quantity, "q"),
            filled_quantity=not_negative(event.filled_quantity, "z"),
            filled_notional=not_negative(event.filled_notional, "Z"),
            reported_at=event.transacted_ms * MILLISECOND_US,
            detail=event.expiry_reason or reason,
        )
    )
    if event.execution != "TRADE" or not_negative(event.last_quantity, "l") == ZERO:
        return [report]
    return [_execution_fill(event, report), report]


def _execution_fill(event: payloads.ExecutionReport, report: OrderReport) -> FillReport:
    fee = not_negative(event.commission, "n")
    if event.trade_id < 0 or (fee and event.commission_asset is None):
        raise PayloadUnreadable(f"Binance's fill of order {event.order_id} lacks its trade id or its fee's asset.")
    if event.last_quantity > report.filled_quantity:
        raise PayloadUnreadable(f"Binance's fill of order {event.order_id} is larger than what the order has filled.")
    return FillReport(
        client_order_id=report.client_order_id,
        venue_order_id=report.venue_order_id,
        venue_trade_id=str(event.trade_id),
        symbol=report.symbol,
        side=report.side,
        quantity=positive(event.last_quantity, "l"),
        price=positive(event.last_price, "L"),
        fee=fee,
        fee_asset=event.commission_asset or split_symbol(report.symbol)[1],
        is_maker=event.is_maker,
        filled_at=event.transacted_ms * MILLISECOND_US,
    )
