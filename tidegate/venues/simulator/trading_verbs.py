"""Placing and cancelling orders."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from tidegate.domain.ids import AccountId
from tidegate.domain.orders import OrderType, Side, TimeInForce
from tidegate.exchange import OcoLeg, OcoRequest, OrderRequest, Refusal
from tidegate.exchange.model import STOPS, TAKERS, TARGETS, Events, ListChanged, Order, OrderEnded, OrderList, Traded
from tidegate.venues.simulator import order_frames
from tidegate.venues.simulator.frames import Json
from tidegate.venues.simulator.wire import Params, WireError, missing
from tidegate.venues.simulator.words import SIDES, TIMES_IN_FORCE, TYPES, wire_error
from tidegate.venues.simulator.world import World

T = TypeVar("T")
_RESPONSES = {"ACK", "RESULT", "FULL"}


def place(world: World, account_id: AccountId, params: Params) -> object:
    """POST order."""
    request = _order_request(world, account_id, params)
    response = params.text_or(
        "newOrderRespType", "FULL" if request.type in {OrderType.MARKET, OrderType.LIMIT} else "ACK"
    )
    if response not in _RESPONSES:
        raise WireError(-1100, "Illegal characters found in parameter 'newOrderRespType'.")
    world.limits.check_orders(account_id, world.now_ms())
    events = _run(world, request.symbol, lambda at: world.exchange.place(request, at))
    order = _latest(world, account_id, request.symbol, request.client_order_id)
    if response == "ACK":
        return order_frames.acknowledged(order, order.created_at)
    if response == "RESULT":
        return order_frames.result(order, order.created_at)
    fills = [e.trade for e in events if isinstance(e, Traded) and e.order.order_id == order.order_id]
    return order_frames.full(order, fills, order.created_at)


def test(world: World, account_id: AccountId, params: Params) -> object:
    """POST order/test: refuse what `place` would refuse."""
    request = _order_request(world, account_id, params)
    _refuse_like_venue(lambda: world.exchange.check(request, world.request_at()))
    return {}


def cancel(world: World, account_id: AccountId, params: Params) -> object:
    """DELETE order: by either id; both must agree."""
    symbol = world.market(params.wire_symbol()).symbol
    order_id = params.integer_or_none("orderId")
    client_id = params.client_id_or_none("origClientOrderId")
    if order_id is None and client_id is None:
        raise missing("orderId")
    found = world.exchange.state.find(account_id, symbol, order_id=order_id, client_order_id=client_id)
    if found is None or not found.is_open:
        raise WireError(-2011, "Unknown order sent.")
    cancel_id = params.client_id_or_none("newClientOrderId") or _own_id(world, account_id, "cancel")
    _run(
        world,
        symbol,
        lambda at: world.exchange.cancel(
            account_id, symbol, order_id=found.order_id, cancel_client_id=cancel_id, at=at
        ),
    )
    order = world.exchange.state.find(account_id, symbol, order_id=found.order_id) or found
    return order_frames.cancelled(order, order.updated_at)


def cancel_all(world: World, account_id: AccountId, params: Params) -> object:
    """DELETE openOrders."""
    symbol = world.market(params.wire_symbol()).symbol
    cancel_id = _own_id(world, account_id, "cancel")
    events = _run(
        world,
        symbol,
        lambda at: world.exchange.cancel_all(account_id, symbol, cancel_client_id=cancel_id, at=at),
    )
    lists = [e.order_list for e in events if isinstance(e, ListChanged)]
    ended = [e.order for e in events if isinstance(e, OrderEnded)]
    single = [order_frames.cancelled(o, o.updated_at) for o in ended if o.list_id is None]
    return [*single, *(_list_answer(world, changed) for changed in lists)]


def place_oco(world: World, account_id: AccountId, params: Params) -> object:
    """POST orderList/oco: one leg above, one below."""
    symbol = world.market(params.wire_symbol()).symbol
    request = OcoRequest(
        account_id=account_id,
        symbol=symbol,
        list_client_id=_client_id(world, account_id, params, "listClientOrderId"),
        side=params.choice("side", SIDES, code=-1117, called="side"),
        quantity=params.decimal("quantity"),
        above=_leg(world, account_id, params, "above"),
        below=_leg(world, account_id, params, "below"),
    )
    return _place_list(world, request)


def place_old_oco(world: World, account_id: AccountId, params: Params) -> object:
    """POST order/oco, the deprecated form: a limit and a stop."""
    symbol = world.market(params.wire_symbol()).symbol
    side = params.choice("side", SIDES, code=-1117, called="side")
    limit = OcoLeg(
        client_order_id=_client_id(world, account_id, params, "limitClientOrderId"),
        type=OrderType.LIMIT,
        limit_price=params.decimal("price"),
    )
    stop_limit_price = params.decimal_or_none("stopLimitPrice")
    stop = OcoLeg(
        client_order_id=_client_id(world, account_id, params, "stopClientOrderId"),
        type=OrderType.STOP if stop_limit_price is None else OrderType.STOP_LIMIT,
        limit_price=stop_limit_price,
        stop_price=params.decimal("stopPrice"),
        time_in_force=_time_in_force(params, "stopLimitTimeInForce", is_needed=stop_limit_price is not None),
    )
    above, below = (limit, stop) if side is Side.SELL else (stop, limit)
    request = OcoRequest(
        account_id=account_id,
        symbol=symbol,
        list_client_id=_client_id(world, account_id, params, "listClientOrderId"),
        side=side,
        quantity=params.decimal("quantity"),
        above=above,
        below=below,
    )
    return _place_list(world, request)


def cancel_list(world: World, account_id: AccountId, params: Params) -> object:
    """DELETE orderList."""
    symbol = world.market(params.wire_symbol()).symbol
    found = find_list(world, account_id, params, client_id_name="listClientOrderId")
    if found is None or found.symbol != symbol or found.is_done:
        raise WireError(-2011, "Unknown order sent.")
    cancel_id = params.client_id_or_none("newClientOrderId") or _own_id(world, account_id, "cancel")
    _run(
        world,
        symbol,
        lambda at: world.exchange.cancel_list(
            account_id, symbol, list_id=found.list_id, cancel_client_id=cancel_id, at=at
        ),
    )
    return _list_answer(world, world.exchange.state.lists[found.list_id])


def find_list(world: World, account_id: AccountId, params: Params, *, client_id_name: str) -> OrderList | None:
    """The order list that either id names; -1102 without one."""
    list_id = params.integer_or_none("orderListId")
    client_id = params.client_id_or_none(client_id_name)
    if list_id is None and client_id is None:
        raise missing("orderListId")
    matching = [
        found
        for found in lists_of(world, account_id)
        if list_id in {None, found.list_id} and client_id in {None, found.list_client_id}
    ]
    return matching[-1] if matching else None


def lists_of(world: World, account_id: AccountId) -> list[OrderList]:
    """All order lists of an account, oldest first."""
    return [found for found in world.exchange.state.lists.values() if found.account_id == account_id]


def _place_list(world: World, request: OcoRequest) -> Json:
    world.limits.check_orders(request.account_id, world.now_ms())
    events = _run(world, request.symbol, lambda at: world.exchange.place_oco(request, at))
    changed = [event.order_list for event in events if isinstance(event, ListChanged)]
    return _list_answer(world, changed[-1])


def _list_answer(world: World, changed: OrderList) -> Json:
    reports = []
    for order_id in changed.order_ids:
        order = world.exchange.state.find(changed.account_id, changed.symbol, order_id=order_id)
        if order is not None:
            is_cancelled = bool(order.cancel_client_id)
            shown = order_frames.cancelled if is_cancelled else order_frames.result
            reports.append(shown(order, order.updated_at))
    return order_frames.order_list(changed) | {"orderReports": reports}


def _order_request(world: World, account_id: AccountId, params: Params) -> OrderRequest:
    symbol = world.market(params.wire_symbol()).symbol
    side = params.choice("side", SIDES, code=-1117, called="side")
    kind = params.choice("type", TYPES, code=-1116, called="orderType")
    post_only = params.text("type") == "LIMIT_MAKER"
    quantity = params.decimal_or_none("quantity")
    quote_quantity = params.decimal_or_none("quoteOrderQty")
    if quote_quantity is not None and kind is not OrderType.MARKET:
        raise _not_required("quoteOrderQty")
    if quantity is None and (kind is not OrderType.MARKET or quote_quantity is None):
        raise missing("quantity")
    if quantity is not None and quote_quantity is not None:
        raise _not_required("quoteOrderQty")
    return OrderRequest(
        account_id=account_id,
        symbol=symbol,
        client_order_id=_client_id(world, account_id, params, "newClientOrderId"),
        side=side,
        type=kind,
        quantity=quantity,
        quote_quantity=quote_quantity,
        limit_price=_price(params, "price", is_needed=kind not in TAKERS),
        stop_price=_price(params, "stopPrice", is_needed=kind in STOPS | TARGETS),
        time_in_force=_time_in_force(params, "timeInForce", is_needed=kind not in TAKERS and not post_only),
        post_only=post_only,
    )


def _leg(world: World, account_id: AccountId, params: Params, which: str) -> OcoLeg:
    kind = params.choice(f"{which}Type", TYPES, code=-1116, called="orderType")
    if kind is OrderType.MARKET or params.text(f"{which}Type") == "LIMIT":
        raise WireError(-1116, "Invalid orderType.")
    is_maker = kind is OrderType.LIMIT
    return OcoLeg(
        client_order_id=_client_id(world, account_id, params, f"{which}ClientOrderId"),
        type=kind,
        limit_price=_price(params, f"{which}Price", is_needed=kind not in TAKERS),
        stop_price=_price(params, f"{which}StopPrice", is_needed=kind in STOPS | TARGETS),
        time_in_force=_time_in_force(params, f"{which}TimeInForce", is_needed=kind not in TAKERS and not is_maker),
    )


def _price(params: Params, name: str, *, is_needed: bool) -> Decimal | None:
    if is_needed:
        return params.decimal(name)
    if params.has(name):
        raise _not_required(name)
    return None


def _time_in_force(params: Params, name: str, *, is_needed: bool) -> TimeInForce:
    if is_needed:
        return params.choice(name, TIMES_IN_FORCE, code=-1115, called="timeInForce")
    if params.has(name):
        raise _not_required(name)
    return TimeInForce.GTC


def _not_required(name: str) -> WireError:
    return WireError(-1106, f"Parameter '{name}' sent when not required.")


def _client_id(world: World, account_id: AccountId, params: Params, name: str) -> str:
    return params.client_id_or_none(name) or _own_id(world, account_id, name)


def _own_id(world: World, account_id: AccountId, purpose: str) -> str:
    """An id for who sent none: 22 characters that the journal's position makes unique."""
    text = f"{account_id}|{purpose}|{world.journal.sequence}|{world.at}"
    return hashlib.sha256(text.encode()).hexdigest()[:22]


def _latest(world: World, account_id: AccountId, symbol: str, client_order_id: str) -> Order:
    order = world.exchange.state.find(account_id, symbol, client_order_id=client_order_id)
    assert order is not None, "an accepted order is on record"
    return order


def _run(world: World, symbol: str, verb: Callable[[int], Events]) -> Events:
    return _refuse_like_venue(lambda: world.trade(symbol, verb))


def _refuse_like_venue(verb: Callable[[], T]) -> T:
    try:
        return verb()
    except Refusal as refusal:
        raise wire_error(refusal) from None
