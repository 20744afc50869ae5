"""What an account may ask about itself."""

from typing import TypeVar

from tidegate.domain.candles import SECOND_US
from tidegate.domain.ids import AccountId
from tidegate.exchange.model import Order, Trade
from tidegate.venues.simulator import order_frames
from tidegate.venues.simulator.frames import Json, number
from tidegate.venues.simulator.trading_verbs import find_list, lists_of
from tidegate.venues.simulator.wire import Params, WireError, missing
from tidegate.venues.simulator.world import World

T = TypeVar("T")
_NO_RATE = "0.00000000"
_DAY_US = 86_400 * SECOND_US


def order(world: World, account_id: AccountId, params: Params) -> object:
    """GET order."""
    symbol = world.market(params.wire_symbol()).symbol
    order_id = params.integer_or_none("orderId")
    client_id = params.client_id_or_none("origClientOrderId")
    if order_id is None and client_id is None:
        raise missing("orderId")
    state = world.exchange.state
    found = state.find(account_id, symbol, order_id=order_id, client_order_id=client_id)
    if found is None:
        if client_id is not None and order_id is not None and state.find(account_id, symbol, order_id=order_id):
            raise WireError(-2039, "Client order ID is not correct for this order ID.")
        raise WireError(-2013, "Order does not exist.")
    return order_frames.queried(found)


def open_orders(world: World, account_id: AccountId, params: Params) -> object:
    """GET openOrders, of one symbol or all."""
    symbols = [world.market(params.wire_symbol()).symbol] if params.has("symbol") else list(world.exchange.symbols)
    state = world.exchange.state
    return [order_frames.queried(found) for symbol in symbols for found in state.open_orders(account_id, symbol)]


def open_orders_weight(params: Params) -> int:
    """All symbols cost more than one."""
    return 6 if params.has("symbol") else 80


def all_orders(world: World, account_id: AccountId, params: Params) -> object:
    """GET allOrders: from an id, or a day at most."""
    symbol = world.market(params.wire_symbol()).symbol
    first = params.integer_or_none("orderId")
    start, end = _range(params)
    found: list[Order] = [
        one
        for one in orders_of(world, account_id, symbol)
        if (first is None or one.order_id >= first)
        and (start is None or one.created_at >= start)
        and (end is None or one.created_at <= end)
    ]
    return [
        order_frames.queried(one) for one in _paged(found, params, from_oldest=first is not None or start is not None)
    ]


def order_list(world: World, account_id: AccountId, params: Params) -> object:
    """GET orderList."""
    found = find_list(world, account_id, params, client_id_name="origClientOrderId")
    if found is None:
        raise WireError(-2018, "Order list does not exist.")
    return order_frames.order_list(found)


def open_order_lists(world: World, account_id: AccountId, params: Params) -> object:
    """GET openOrderList."""
    return [order_frames.order_list(one) for one in lists_of(world, account_id) if not one.is_done]


def all_order_lists(world: World, account_id: AccountId, params: Params) -> object:
    """GET allOrderList."""
    found = lists_of(world, account_id)
    first = params.integer_or_none("fromId")
    kept = [one for one in found if first is None or one.list_id >= first]
    return [order_frames.order_list(one) for one in _paged(kept, params, from_oldest=first is not None)]


def own_trades(world: World, account_id: AccountId, params: Params) -> object:
    """GET myTrades: from an id, of one order, or a day at most."""
    symbol = world.market(params.wire_symbol()).symbol
    first, of_order = params.integer_or_none("fromId"), params.integer_or_none("orderId")
    start, end = _range(params)
    if first is not None and (start is not None or end is not None):
        raise WireError(-1128, "Combination of optional parameters invalid.")
    found: list[Trade] = [
        trade
        for trade in world.exchange.state.trades_of(account_id, symbol)
        if (first is None or trade.trade_id >= first)
        and (of_order is None or trade.order_id == of_order)
        and (start is None or trade.traded_at >= start)
        and (end is None or trade.traded_at <= end)
    ]
    return [
        order_frames.own_trade(one) for one in _paged(found, params, from_oldest=first is not None or start is not None)
    ]


def own_trades_weight(params: Params) -> int:
    """One order costs less."""
    return 5 if params.has("orderId") else 20


def account(world: World, account_id: AccountId, params: Params) -> object:
    """GET account."""
    omit_zero = params.flag("omitZeroBalances")
    balances = [
        order_frames.balance(entry)
        for entry in world.exchange.state.balances_of(account_id)
        if not omit_zero or entry.free or entry.locked
    ]
    rates = _rates(world, next(iter(world.exchange.symbols)))
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": world.moved_at.get(account_id, 0) // 1_000,
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": 1,
    }


def commission(world: World, account_id: AccountId, params: Params) -> object:
    """GET account/commission."""
    market = world.market(params.wire_symbol())
    nothing = dict.fromkeys(("maker", "taker", "buyer", "seller"), _NO_RATE)
    return {
        "symbol": market.wire_symbol,
        "standardCommission": _rates(world, market.symbol),
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.00000000",
        },
    }


def order_counts(world: World, account_id: AccountId, params: Params) -> object:
    """GET rateLimit/order."""
    short, day = world.limits.order_counts(account_id, world.now_ms())
    rows = [row for row in world.limits.as_rows() if row["rateLimitType"] == "ORDERS"]
    return [row | {"count": count} for row, count in zip(rows, (short, day), strict=True)]


def prevented_matches(world: World, account_id: AccountId, params: Params) -> object:
    """GET myPreventedMatches: orders of users never meet here."""
    world.market(params.wire_symbol())
    return []


def key_restrictions(world: World, account_id: AccountId, params: Params) -> object:
    """GET /sapi/v1/account/apiRestrictions: every key here may read and trade, none may withdraw."""
    return {
        "ipRestrict": False,
        "createTime": world.tape.starts_at // 1_000,
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "enableVanillaOptions": False,
    }


def trade_fees(world: World, account_id: AccountId, params: Params) -> object:
    """GET /sapi/v1/asset/tradeFee."""
    return [
        {
            "symbol": market.wire_symbol,
            "makerCommission": _rates(world, market.symbol)["maker"],
            "takerCommission": _rates(world, market.symbol)["taker"],
        }
        for market in world.markets.values()
    ]


def _rates(world: World, symbol: str) -> Json:
    listed = world.exchange.symbols[symbol]
    return {
        "maker": number(listed.maker_fee_rate),
        "taker": number(listed.taker_fee_rate),
        "buyer": _NO_RATE,
        "seller": _NO_RATE,
    }


def orders_of(world: World, account_id: AccountId, symbol: str) -> list[Order]:
    """All orders of an account, oldest first."""
    return [one for one in world.exchange.state.orders[symbol].values() if one.account_id == account_id]


def _range(params: Params) -> tuple[int | None, int | None]:
    start, end = params.time_or_none("startTime"), params.time_or_none("endTime")
    if start is not None and end is not None and end - start > _DAY_US:
        raise WireError(-1127, "More than 24 hours between startTime and endTime.")
    # An end in ms includes its whole millisecond.
    return start, None if end is None else end + 999


def _paged(found: list[T], params: Params, *, from_oldest: bool) -> list[T]:
    limit = min(params.integer("limit", 500, least=1), 1_000)
    return found[:limit] if from_oldest else found[-limit:]
