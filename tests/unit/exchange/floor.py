"""Builders of an exchange for its tests: BTC/USDT with cents and 0.001 lots; Ann has 10,000 USDT and 10 BTC."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeVar

from tidegate.domain.candles import Candle
from tidegate.domain.ids import AccountId
from tidegate.domain.orders import OrderType, Side
from tidegate.exchange import BookModel, CandleModel, Exchange, ExchangeSymbol, OcoLeg, OcoRequest, OrderRequest
from tidegate.exchange.model import Event, Events, FeeOption, Order, Traded

ANN = AccountId("ann")
BTC = "BTC/USDT"
MINUTE = 60_000_000
START = 1_700_000_040_000_000  # µs, a full minute
D = Decimal
E = TypeVar("E")


def a_symbol(**changes: Any) -> ExchangeSymbol:
    """Free of fees and filters unless said."""
    values: dict[str, Any] = {
        "symbol": BTC,
        "base": "BTC",
        "quote": "USDT",
        "tick_size": D("0.01"),
        "lot_size": D("0.001"),
        "maker_fee_rate": D(0),
        "taker_fee_rate": D(0),
    }
    return ExchangeSymbol(**{**values, **changes})


def an_exchange(
    model: CandleModel | BookModel,
    *,
    accounts: Iterable[AccountId] = (ANN,),
    fee_option: FeeOption | None = None,
    **changes: Any,
) -> Exchange:
    """The accounts are funded; there is no market data yet."""
    exchange = Exchange([a_symbol(**changes)], model, fee_option=fee_option)
    for account in accounts:
        exchange.deposit(account, "USDT", D(10_000), START)
        exchange.deposit(account, "BTC", D(10), START)
    return exchange


def a_candle_exchange(last: str = "100", **changes: Any) -> Exchange:
    """The bar before `START` closed at `last`."""
    exchange = an_exchange(CandleModel(), **changes)
    price = D(last)
    exchange.on_candle(bar(-1, price, price, price, price))
    return exchange


def a_book_exchange(
    bids: str = "99:1 98:2", asks: str = "101:1 102:2", *, last: str = "100", latency_us: int = 0, **changes: Any
) -> Exchange:
    """A visible book of `price:quantity` levels, and a last trade."""
    exchange = an_exchange(BookModel(latency_us), **changes)
    show_book(exchange, bids, asks)
    print_trade(exchange, last, "0.001")
    return exchange


def show_book(exchange: Exchange, bids: str, asks: str, at: int = START) -> Events:
    """Replace the visible book."""
    return exchange.on_book(BTC, levels(bids), levels(asks), at)


def print_trade(
    exchange: Exchange, price: str, quantity: str, *, is_buyer_maker: bool = True, at: int = START
) -> Events:
    """A trade of others; sellers hit bids unless said."""
    return exchange.on_trade(BTC, D(price), D(quantity), is_buyer_maker=is_buyer_maker, at=at)


def levels(text: str) -> list[tuple[Decimal, Decimal]]:
    """`99:1 98:2` as price and quantity."""
    pairs = (level.split(":") for level in text.split())
    return [(D(price), D(quantity)) for price, quantity in pairs]


def bar(number: int, open_: Any, high: Any, low: Any, close: Any) -> Candle:
    """The minute `number` after START."""
    return Candle(BTC, "1m", START + number * MINUTE, D(open_), D(high), D(low), D(close), D(1))


def play(exchange: Exchange, candle: Candle) -> list[Event]:
    """The whole bar, without an answer to anything in it."""
    events: list[Event] = []
    while news := exchange.on_candle(candle):
        events += news
    return events


def a_request(side: Side, quantity: str | None = "1", *, id_: str = "one", **changes: Any) -> OrderRequest:
    """A market order unless the changes say more; a limit price makes it a limit order."""
    texts = ("quote_quantity", "limit_price", "stop_price")
    values: dict[str, Any] = {
        "account_id": ANN,
        "symbol": BTC,
        "client_order_id": id_,
        "side": side,
        "type": OrderType.LIMIT if "limit_price" in changes else OrderType.MARKET,
        "quantity": None if quantity is None else D(quantity),
    }
    values |= {name: D(value) if name in texts else value for name, value in changes.items()}
    return OrderRequest(**values)


def buy(exchange: Exchange, quantity: str | None = "1", *, at: int = START, **changes: Any) -> Events:
    """Place a purchase."""
    return exchange.place(a_request(Side.BUY, quantity, **changes), at)


def sell(exchange: Exchange, quantity: str | None = "1", *, at: int = START, **changes: Any) -> Events:
    """Place a sale."""
    return exchange.place(a_request(Side.SELL, quantity, **changes), at)


def an_oco(target: str, stop: str, *, side: Side = Side.SELL, quantity: str = "1", id_: str = "oco") -> OcoRequest:
    """A post-only limit leg `<id>-target` and a market stop leg `<id>-stop`."""
    good = OcoLeg(client_order_id=f"{id_}-target", type=OrderType.LIMIT, limit_price=D(target))
    bad = OcoLeg(client_order_id=f"{id_}-stop", type=OrderType.STOP, stop_price=D(stop))
    above, below = (good, bad) if side is Side.SELL else (bad, good)
    return OcoRequest(
        account_id=ANN, symbol=BTC, list_client_id=id_, side=side, quantity=D(quantity), above=above, below=below
    )


def find(exchange: Exchange, id_: str = "one") -> Order:
    """The newest order of this client id."""
    order = exchange.state.find(ANN, BTC, client_order_id=id_)
    assert order is not None
    return order


def of(events: Iterable[Event], kind: type[E]) -> list[E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def fills(events: Iterable[Event]) -> list[tuple[str, str]]:
    """(price, quantity) of each execution, in order."""
    return [(str(event.trade.price), str(event.trade.quantity)) for event in of(events, Traded)]


def balance(exchange: Exchange, asset: str) -> tuple[Decimal, Decimal]:
    """Ann's free and locked."""
    found = exchange.state.balance(ANN, asset)
    return found.free, found.locked
