"""The tables: REST paths and WebSocket-API methods, with weights as of 2026-07."""

from collections.abc import Callable

from tidegate.domain.ids import AccountId
from tidegate.venues.simulator import account_verbs, public_verbs, trading_verbs
from tidegate.venues.simulator.faults import FaultTarget
from tidegate.venues.simulator.verbs import Access, Verb, Weight
from tidegate.venues.simulator.wire import Params
from tidegate.venues.simulator.world import World

PublicAnswer = Callable[[World, Params], object]
AccountAnswer = Callable[[World, AccountId, Params], object]


def _open(answer: PublicAnswer, weight: Weight) -> Verb:
    return Verb(lambda world, _, params: answer(world, params), weight)


def _signed(answer: AccountAnswer, weight: Weight) -> Verb:
    return Verb(answer, weight, Access.SIGNED)


def _trading(answer: AccountAnswer, target: FaultTarget | None) -> Verb:
    return Verb(answer, 1, Access.SIGNED, target, is_trading=True)


def _constant(value: object) -> Verb:
    """Answered because clients ask at start-up, though nothing of the kind exists here."""
    return Verb(lambda *_: value, 1)


_PLACE = _trading(trading_verbs.place, FaultTarget.PLACE)
_TEST = _trading(trading_verbs.test, None)
_CANCEL = _trading(trading_verbs.cancel, FaultTarget.CANCEL)
_CANCEL_ALL = _trading(trading_verbs.cancel_all, FaultTarget.CANCEL)
_OCO = _trading(trading_verbs.place_oco, FaultTarget.PLACE)
_OLD_OCO = _trading(trading_verbs.place_old_oco, FaultTarget.PLACE)
_CANCEL_LIST = _trading(trading_verbs.cancel_list, FaultTarget.CANCEL)
_PING = _open(public_verbs.ping, 1)
_TIME = _open(public_verbs.time, 1)
_EXCHANGE_INFO = _open(public_verbs.exchange_info, 20)
_DEPTH = _open(public_verbs.depth, public_verbs.depth_weight)
_TRADES = _open(public_verbs.trades, 25)
_AGGREGATE_TRADES = _open(public_verbs.aggregate_trades, 4)
_KLINES = _open(public_verbs.klines, 2)
_AVERAGE = _open(public_verbs.average_price, 2)
_DAY_TICKER = _open(public_verbs.day_ticker, public_verbs.day_ticker_weight)
_PRICE_TICKER = _open(public_verbs.price_ticker, public_verbs.ticker_weight)
_BOOK_TICKER = _open(public_verbs.book_ticker, public_verbs.ticker_weight)
_ORDER = _signed(account_verbs.order, 4)
_OPEN_ORDERS = _signed(account_verbs.open_orders, account_verbs.open_orders_weight)
_ALL_ORDERS = _signed(account_verbs.all_orders, 20)
_LIST = _signed(account_verbs.order_list, 4)
_OPEN_LISTS = _signed(account_verbs.open_order_lists, 6)
_ALL_LISTS = _signed(account_verbs.all_order_lists, 20)
_OWN_TRADES = _signed(account_verbs.own_trades, account_verbs.own_trades_weight)
_ACCOUNT = _signed(account_verbs.account, 20)
_COMMISSION = _signed(account_verbs.commission, 20)
_ORDER_COUNTS = _signed(account_verbs.order_counts, 40)
_PREVENTED = _signed(account_verbs.prevented_matches, 2)

REST: dict[tuple[str, str], Verb] = {
    ("GET", "/api/v3/ping"): _PING,
    ("GET", "/api/v3/time"): _TIME,
    ("GET", "/api/v3/exchangeInfo"): _EXCHANGE_INFO,
    ("GET", "/api/v3/depth"): _DEPTH,
    ("GET", "/api/v3/trades"): _TRADES,
    ("GET", "/api/v3/historicalTrades"): _TRADES,
    ("GET", "/api/v3/aggTrades"): _AGGREGATE_TRADES,
    ("GET", "/api/v3/klines"): _KLINES,
    ("GET", "/api/v3/uiKlines"): _KLINES,
    ("GET", "/api/v3/avgPrice"): _AVERAGE,
    ("GET", "/api/v3/ticker/24hr"): _DAY_TICKER,
    ("GET", "/api/v3/ticker/price"): _PRICE_TICKER,
    ("GET", "/api/v3/ticker/bookTicker"): _BOOK_TICKER,
    ("POST", "/api/v3/order"): _PLACE,
    ("POST", "/api/v3/order/test"): _TEST,
    ("GET", "/api/v3/order"): _ORDER,
    ("DELETE", "/api/v3/order"): _CANCEL,
    ("GET", "/api/v3/openOrders"): _OPEN_ORDERS,
    ("DELETE", "/api/v3/openOrders"): _CANCEL_ALL,
    ("POST", "/api/v3/orderList/oco"): _OCO,
    ("POST", "/api/v3/order/oco"): _OLD_OCO,
    ("GET", "/api/v3/orderList"): _LIST,
    ("DELETE", "/api/v3/orderList"): _CANCEL_LIST,
    ("GET", "/api/v3/openOrderList"): _OPEN_LISTS,
    ("GET", "/api/v3/allOrderList"): _ALL_LISTS,
    ("GET", "/api/v3/allOrders"): _ALL_ORDERS,
    ("GET", "/api/v3/myTrades"): _OWN_TRADES,
    ("GET", "/api/v3/account"): _ACCOUNT,
    ("GET", "/api/v3/account/commission"): _COMMISSION,
    ("GET", "/api/v3/rateLimit/order"): _ORDER_COUNTS,
    ("GET", "/api/v3/myPreventedMatches"): _PREVENTED,
    ("GET", "/sapi/v1/account/apiRestrictions"): _signed(account_verbs.key_restrictions, 1),
    ("GET", "/sapi/v1/asset/tradeFee"): _signed(account_verbs.trade_fees, 1),
    ("GET", "/sapi/v1/capital/config/getall"): _constant([]),
    ("GET", "/sapi/v1/margin/allPairs"): _constant([]),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): _constant([]),
    ("GET", "/sapi/v1/spot/delist-schedule"): _constant([]),
    ("GET", "/fapi/v1/exchangeInfo"): _constant({"symbols": []}),
    ("GET", "/dapi/v1/exchangeInfo"): _constant({"symbols": []}),
}

WS_API: dict[str, Verb] = {
    "ping": _PING,
    "time": _TIME,
    "exchangeInfo": _EXCHANGE_INFO,
    "depth": _DEPTH,
    "trades.recent": _TRADES,
    "trades.historical": _TRADES,
    "trades.aggregate": _AGGREGATE_TRADES,
    "klines": _KLINES,
    "uiKlines": _KLINES,
    "avgPrice": _AVERAGE,
    "ticker.24hr": _DAY_TICKER,
    "ticker.price": _PRICE_TICKER,
    "ticker.book": _BOOK_TICKER,
    "order.place": _PLACE,
    "order.test": _TEST,
    "order.status": _ORDER,
    "order.cancel": _CANCEL,
    "openOrders.status": _OPEN_ORDERS,
    "openOrders.cancelAll": _CANCEL_ALL,
    "orderList.place.oco": _OCO,
    "orderList.place": _OLD_OCO,
    "orderList.status": _LIST,
    "orderList.cancel": _CANCEL_LIST,
    "openOrderLists.status": _OPEN_LISTS,
    "allOrders": _ALL_ORDERS,
    "allOrderLists": _ALL_LISTS,
    "myTrades": _OWN_TRADES,
    "account.status": _ACCOUNT,
    "account.commission": _COMMISSION,
    "account.rateLimits.orders": _ORDER_COUNTS,
    "myPreventedMatches": _PREVENTED,
}
