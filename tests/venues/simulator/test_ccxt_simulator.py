"""ccxt as it is, sync and async: every order type, its own exceptions, and what it reads back."""

import asyncio
import importlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.venues.simulator.conftest import KEY, SECRET, Client, Start
from tests.waiting import eventually

SYMBOL = "BTC/USDT"
SETTINGS = {
    "apiKey": KEY,
    "secret": SECRET,
    "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
}
ccxt: Any = importlib.import_module("ccxt")  # untyped


def pointed(exchange: Any, base: str) -> Any:
    """The same client, sent to another host; every path stays."""
    for name, url in exchange.urls["api"].items():
        if isinstance(url, str):
            exchange.urls["api"][name] = base + urlsplit(url).path
    exchange.has["fetchCurrencies"] = False
    return exchange


@pytest.fixture
def client(start: Start) -> Client:
    return start()


@pytest.fixture
def exchange(client: Client) -> Iterator[Any]:
    made = pointed(ccxt.binance(SETTINGS), client.ready.rest)
    made.load_markets()
    yield made
    made.session.close()


def test_ccxt_reads_markets_and_prices(exchange: Any) -> None:
    market = exchange.market(SYMBOL)
    assert (market["precision"]["price"], market["limits"]["cost"]["min"]) == (0.01, 5.0)
    assert len(exchange.fetch_ohlcv(SYMBOL, "1m", limit=100)) == 100
    book = exchange.fetch_order_book(SYMBOL, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert exchange.fetch_ticker(SYMBOL)["last"] > 0
    assert exchange.fetch_trades(SYMBOL, limit=5)
    assert exchange.fetch_balance()["USDT"]["free"] == 100_000
    assert exchange.fetch_trading_fees()[SYMBOL]["taker"] == 0.001


def test_ccxt_places_a_market_order_and_finds_its_trades(exchange: Any) -> None:
    order = exchange.create_order(SYMBOL, "market", "buy", 0.001)
    assert (order["status"], order["filled"]) == ("closed", 0.001)
    trades = exchange.fetch_my_trades(SYMBOL)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.001)
    assert trades[0]["fee"]["currency"] == "BTC"
    assert exchange.fetch_order(order["id"], SYMBOL)["status"] == "closed"


def test_ccxt_places_every_resting_type_and_cancels_it(exchange: Any) -> None:
    low, high = 30_000, 90_000
    placed = [
        exchange.create_order(SYMBOL, "limit", "buy", 0.001, low),
        exchange.create_order(SYMBOL, "limit", "buy", 0.001, low, {"postOnly": True}),
        exchange.create_order(SYMBOL, "market", "sell", 0.001, None, {"stopLossPrice": low}),
        exchange.create_order(SYMBOL, "market", "sell", 0.001, None, {"takeProfitPrice": high}),
        exchange.create_order(SYMBOL, "limit", "sell", 0.001, low, {"stopLossPrice": low}),
        exchange.create_order(SYMBOL, "limit", "sell", 0.001, high, {"takeProfitPrice": high}),
    ]
    types = [order["info"]["type"] for order in exchange.fetch_open_orders(SYMBOL)]
    assert types == [
        "LIMIT",
        "LIMIT_MAKER",
        "STOP_LOSS",
        "TAKE_PROFIT",
        "STOP_LOSS_LIMIT",
        "TAKE_PROFIT_LIMIT",
    ]
    assert exchange.cancel_order(placed[0]["id"], SYMBOL)["status"] == "canceled"
    exchange.cancel_all_orders(SYMBOL)
    assert exchange.fetch_open_orders(SYMBOL) == []


def test_ccxt_places_an_oco(exchange: Any) -> None:
    made = exchange.private_post_orderlist_oco(
        {
            "symbol": "BTCUSDT",
            "side": "SELL",
            "quantity": "0.1",
            "aboveType": "LIMIT_MAKER",
            "abovePrice": "90000",
            "belowType": "STOP_LOSS_LIMIT",
            "belowStopPrice": "30000",
            "belowPrice": "29900",
            "belowTimeInForce": "GTC",
        }
    )
    assert made["listOrderStatus"] == "EXECUTING"
    assert len(exchange.fetch_open_orders(SYMBOL)) == 2


def test_a_partial_fill_is_partial_in_ccxt_too(exchange: Any) -> None:
    best = exchange.fetch_order_book(SYMBOL, 5)["asks"][0]
    order = exchange.create_order(SYMBOL, "limit", "buy", round(best[1] + 0.5, 5), best[0], {"timeInForce": "IOC"})
    assert 0 < order["filled"] < order["amount"]
    assert order["status"] == "expired"


def test_ccxt_raises_its_own_exceptions(exchange: Any, client: Client) -> None:
    with pytest.raises(ccxt.BadRequest, match="Filter failure: NOTIONAL"):
        exchange.create_order(SYMBOL, "limit", "buy", 0.00002, 30_000)
    exchange.create_order(SYMBOL, "limit", "buy", 0.001, 30_000, {"newClientOrderId": "twice"})
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        exchange.create_order(SYMBOL, "limit", "buy", 0.001, 30_000, {"newClientOrderId": "twice"})
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(SYMBOL, "limit", "buy", 10, 50_000)
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order("123456", SYMBOL)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        exchange.create_order(SYMBOL, "limit", "buy", 0.001, 90_000, {"postOnly": True})
    forger = pointed(ccxt.binance({**SETTINGS, "secret": "wrong"}), client.ready.rest)
    with pytest.raises(ccxt.AuthenticationError):
        forger.fetch_balance()
    forger.session.close()
    client.control("faults", kind="status", code=-1007, status=504, is_executed=True)
    with pytest.raises(ccxt.RequestTimeout):
        exchange.create_order(SYMBOL, "market", "buy", 0.001)
    assert len(exchange.fetch_my_trades(SYMBOL)) >= 1


def test_the_async_client_trades_as_the_sync_one(client: Client) -> None:
    async def story() -> str:
        library: Any = importlib.import_module("ccxt.async_support")
        made = pointed(library.binance(SETTINGS), client.ready.rest)
        try:
            await made.load_markets()
            orders = await asyncio.gather(*(made.create_order(SYMBOL, "market", "buy", 0.001) for _ in range(4)))
            assert len({order["id"] for order in orders}) == 4
            return str((await made.fetch_order(orders[0]["id"], SYMBOL))["status"])
        finally:
            await made.close()

    assert asyncio.run(story()) == "closed"


def test_ccxt_pro_follows_streams_and_account_events(client: Client) -> None:
    async def story() -> tuple[int, str]:
        library: Any = importlib.import_module("ccxt.pro")
        made = pointed(library.binance(SETTINGS), client.ready.rest)
        stream = client.ready.stream
        made.urls["api"]["ws"] = {
            name: f"{stream}/ws" if isinstance(url, str) else dict.fromkeys(url, f"{stream}/ws-api/v3")
            for name, url in made.urls["api"]["ws"].items()
        }
        try:
            await made.load_markets()
            async with asyncio.timeout(15):
                book = await made.watch_order_book(SYMBOL)
                watching = asyncio.create_task(made.watch_orders(SYMBOL))
                await eventually(lambda: client.state()["account_listeners"] > 0, what="ccxt listens to the account")
                await made.create_order(SYMBOL, "limit", "buy", 0.001, 30_000, {"newClientOrderId": "watched"})
                (order,) = await watching
                return len(book["bids"]), order["clientOrderId"]
        finally:
            await made.close()

    depth, watched = asyncio.run(story())
    assert depth >= 20
    assert watched == "watched"
