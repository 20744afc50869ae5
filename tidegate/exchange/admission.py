"""What is refused before anything changes: unknown symbols, wrong fields, broken filters, prices, balances."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from tidegate.domain.ids import AccountId
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.money import EXACT, ZERO, floor_to, plain
from tidegate.domain.orders import OrderType, Side, TimeInForce
from tidegate.exchange.filters import LotSize, PriceFilter, Proposal, first_broken
from tidegate.exchange.model import (
    STOPS,
    TAKERS,
    TRIGGERED,
    ExchangeSymbol,
    OcoLeg,
    OcoRequest,
    Order,
    OrderList,
    OrderRequest,
    Refusal,
    RefusalCode,
)
from tidegate.exchange.state import ExchangeState

_LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_BOUND = Decimal(10) ** 18  # what is below it stays exact in every product


class Market(Protocol):
    """What admission asks of a fill model."""

    def last_price(self, symbol: str) -> Decimal | None:
        """The last trade, None before the first."""
        ...

    def would_take(self, symbol: str, side: Side, price: Decimal) -> bool:
        """Whether a limit order at this price would meet the market at once."""
        ...


class Admission:
    """Turns requests into orders, or refuses them."""

    def __init__(self, symbols: Mapping[str, ExchangeSymbol], state: ExchangeState, market: Market) -> None:
        self._symbols = symbols
        self._state = state
        self._market = market
        # The grid holds even where no filter of the symbol says so: the books are exact only on it.
        self._filters = {
            name: (PriceFilter(symbol.tick_size), LotSize(symbol.lot_size), *symbol.filters)
            for name, symbol in symbols.items()
        }

    def symbol(self, name: str) -> ExchangeSymbol:
        """The market of that name."""
        symbol = self._symbols.get(name)
        if symbol is None:
            raise Refusal(RefusalCode.UNKNOWN_SYMBOL, f"{name} is not traded here.")
        return symbol

    def order(self, request: OrderRequest, at: int) -> Order:
        """The order that a request becomes."""
        symbol = self._open_symbol(request.symbol)
        _refuse_wrong_fields(request, symbol)
        self._refuse_duplicate(request.account_id, request.symbol, request.client_order_id)
        last = self._last_price(request.symbol)
        self._refuse_broken_filter(symbol, request, orders=1, algo_orders=1)
        self._refuse_bad_stop(request.side, request.type, request.stop_price, last)
        if request.post_only and self._takes(request.symbol, request.side, request.limit_price):
            raise Refusal(RefusalCode.WOULD_MATCH, "The order would take at once, and it is post-only.")
        order = _order(request, self._state.next_order_id[request.symbol], _reserve(request, last, symbol), at)
        self._refuse_shortage(order, symbol)
        return order

    def oco(self, request: OcoRequest, at: int) -> tuple[OrderList, list[Order]]:
        """The list and its legs, the one above the market first; one lock serves both."""
        symbol = self._open_symbol(request.symbol)
        if self._state.open_list_id(request.account_id, request.list_client_id) is not None:
            raise Refusal(RefusalCode.DUPLICATE_ORDER, f"The list {request.list_client_id!r} is open already.")
        last = self._last_price(request.symbol)
        legs = [_leg_request(request, leg) for leg in (request.above, request.below)]
        if legs[0].client_order_id == legs[1].client_order_id:
            raise Refusal(RefusalCode.DUPLICATE_ORDER, "Both legs have the same client order id.")
        algo_orders = sum(leg.stop_price is not None for leg in legs)
        for leg in legs:
            _refuse_wrong_fields(leg, symbol)
            self._refuse_duplicate(leg.account_id, leg.symbol, leg.client_order_id)
            self._refuse_broken_filter(symbol, leg, orders=2, algo_orders=algo_orders)
        above, below = (_trigger_or_limit(leg) for leg in legs)
        good, bad = legs if request.side is Side.SELL else legs[::-1]
        if good.type in STOPS or bad.type not in STOPS:
            raise Refusal(
                RefusalCode.OCO_PRICES,
                "An OCO that sells has its limit or target above and its stop below; one that buys the reverse.",
            )
        if not below < last < above:
            raise Refusal(
                RefusalCode.OCO_PRICES,
                f"The last price {plain(last)} must lie between {plain(below)} and {plain(above)}.",
            )
        if any(leg.post_only and self._takes(leg.symbol, leg.side, leg.limit_price) for leg in legs):
            raise Refusal(RefusalCode.WOULD_MATCH, "The limit leg would take at once.")
        list_id, first_id = self._state.next_list_id, self._state.next_order_id[request.symbol]
        reserved = max(_reserve(leg, last, symbol) for leg in legs)
        orders = [_order(leg, first_id + number, reserved, at, list_id=list_id) for number, leg in enumerate(legs)]
        self._refuse_shortage(orders[0], symbol)
        order_list = OrderList(
            account_id=request.account_id,
            symbol=request.symbol,
            list_id=list_id,
            list_client_id=request.list_client_id,
            order_ids=tuple(order.order_id for order in orders),
            client_order_ids=tuple(order.client_order_id for order in orders),
            is_done=False,
            created_at=at,
            updated_at=at,
        )
        return order_list, orders

    # --- inside ----------------------------------------------------------------------------------------

    def _open_symbol(self, name: str) -> ExchangeSymbol:
        symbol = self.symbol(name)
        status = self._state.statuses[name]
        if status is not InstrumentStatus.TRADING:
            raise Refusal(RefusalCode.MARKET_CLOSED, f"{name} is {status.value.replace('_', ' ')}.")
        return symbol

    def _last_price(self, name: str) -> Decimal:
        last = self._market.last_price(name)
        if last is None:
            raise Refusal(RefusalCode.NO_PRICE, f"{name} has no price yet.")
        return last

    def _takes(self, symbol: str, side: Side, price: Decimal | None) -> bool:
        return price is not None and self._market.would_take(symbol, side, price)

    def _refuse_duplicate(self, account_id: AccountId, symbol: str, client_order_id: str) -> None:
        earlier = self._state.find(account_id, symbol, client_order_id=client_order_id)
        if earlier is not None and earlier.is_open:
            raise Refusal(RefusalCode.DUPLICATE_ORDER, f"The order {client_order_id!r} is open already.")

    def _refuse_broken_filter(
        self, symbol: ExchangeSymbol, request: OrderRequest, *, orders: int, algo_orders: int
    ) -> None:
        last = self._last_price(symbol.symbol)
        is_buy = request.side is Side.BUY
        is_market = request.type is OrderType.MARKET
        open_orders = self._state.open_orders(request.account_id, symbol.symbol)
        base = self._state.balance(request.account_id, symbol.base)
        price = request.limit_price or request.stop_price or last
        if request.quantity is not None:
            quantity, notional = request.quantity, EXACT.multiply(request.quantity, price)
        else:
            notional = request.quote_quantity or ZERO
            quantity = notional / last
        # Both legs of a list buy the same quantity, and only one of them will.
        buying = {order.list_id or -order.order_id: order.leaves for order in open_orders if order.side is Side.BUY}
        proposal = Proposal(
            is_buy=is_buy,
            is_market=is_market,
            quantity=request.quantity,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            notional=notional,
            reference_price=last,
            orders=len(open_orders) + orders,
            algo_orders=sum(order.stop_price is not None for order in open_orders) + algo_orders,
            position=base.free + base.locked + sum(buying.values(), quantity),
        )
        broken = first_broken(self._filters[symbol.symbol], proposal)
        if broken is not None:
            raise Refusal(RefusalCode.FILTER, f"Filter failure: {broken.name}", filter_name=broken.name)

    def _refuse_bad_stop(self, side: Side, kind: OrderType, stop_price: Decimal | None, last: Decimal) -> None:
        if stop_price is None:
            return
        rises = (kind in STOPS) == (side is Side.BUY)
        if (last >= stop_price) if rises else (last <= stop_price):
            raise Refusal(RefusalCode.WOULD_TRIGGER, f"The last price is {plain(last)}: it would trigger at once.")

    def _refuse_shortage(self, order: Order, symbol: ExchangeSymbol) -> None:
        asset = symbol.quote if order.side is Side.BUY else symbol.base
        free = self._state.balance(order.account_id, asset).free
        if order.reserved > free:
            raise Refusal(
                RefusalCode.INSUFFICIENT_BALANCE,
                f"The order needs {plain(order.reserved)} {asset}, but only {plain(free)} is free.",
            )


def _refuse_wrong_fields(request: OrderRequest, symbol: ExchangeSymbol) -> None:
    kind, stays = request.type, request.time_in_force is TimeInForce.GTC
    has_limit, has_stop = request.limit_price is not None, request.stop_price is not None
    by_quote = request.quote_quantity is not None
    given = (request.quantity, request.quote_quantity, request.limit_price, request.stop_price)
    rules = (
        (by_quote != (request.quantity is not None), "Give exactly one of quantity and quote_quantity."),
        (not by_quote or kind is OrderType.MARKET, "quote_quantity is for market orders only: give quantity."),
        (has_limit or kind not in _LIMITED, f"A {kind} order needs a limit_price."),
        (not has_limit or kind in _LIMITED, f"A {kind} order takes no limit_price."),
        (has_stop or kind not in TRIGGERED, f"A {kind} order needs a stop_price."),
        (not has_stop or kind in TRIGGERED, f"A {kind} order takes no stop_price."),
        (not request.post_only or (kind is OrderType.LIMIT and stays), "post_only is for gtc limit orders only."),
        (stays or kind not in TAKERS, f"A {kind} order takes no time_in_force but gtc."),
        (
            all(value is None or 0 < value < _BOUND for value in given),
            "Quantities and prices must be above 0 and below 10^18.",
        ),
        (
            _has_decimals(request.quote_quantity, symbol.quote_scale),
            f"quote_quantity may have {symbol.quote_scale} decimals.",
        ),
    )
    for holds, sentence in rules:
        if not holds:
            raise Refusal(RefusalCode.BAD_REQUEST, sentence)


def _has_decimals(value: Decimal | None, scale: int) -> bool:
    return value is None or value >= _BOUND or value == value.quantize(Decimal(1).scaleb(-scale), context=EXACT)


def _reserve(request: OrderRequest, last: Decimal, symbol: ExchangeSymbol) -> Decimal:
    """What is locked: base for a sale; for a purchase quote at its own price, or at the last one."""
    if request.quote_quantity is not None:
        if request.side is Side.BUY:
            return request.quote_quantity
        return floor_to(request.quote_quantity / last, symbol.lot_size)
    if request.side is Side.SELL:
        return request.quantity or ZERO
    price = request.limit_price or request.stop_price or last
    return EXACT.multiply(price, request.quantity or ZERO)


def _order(request: OrderRequest, order_id: int, reserved: Decimal, at: int, *, list_id: int | None = None) -> Order:
    is_working = request.type not in TRIGGERED
    return Order(
        account_id=request.account_id,
        symbol=request.symbol,
        order_id=order_id,
        client_order_id=request.client_order_id,
        list_id=list_id,
        side=request.side,
        type=request.type,
        quantity=request.quantity or ZERO,
        quote_quantity=request.quote_quantity,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        time_in_force=request.time_in_force,
        post_only=request.post_only,
        reserved=reserved,
        is_working=is_working,
        created_at=at,
        updated_at=at,
        working_at=at if is_working else None,
    )


def _leg_request(request: OcoRequest, leg: OcoLeg) -> OrderRequest:
    return OrderRequest(
        account_id=request.account_id,
        symbol=request.symbol,
        client_order_id=leg.client_order_id,
        side=request.side,
        type=leg.type,
        quantity=request.quantity,
        limit_price=leg.limit_price,
        stop_price=leg.stop_price,
        time_in_force=leg.time_in_force,
        post_only=leg.type is OrderType.LIMIT,
    )


def _trigger_or_limit(leg: OrderRequest) -> Decimal:
    price = leg.stop_price if leg.stop_price is not None else leg.limit_price
    assert price is not None, "every leg has one of both"
    return price
