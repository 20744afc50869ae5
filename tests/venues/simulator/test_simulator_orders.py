"""Orders over REST and over the WebSocket API, and the account events that they cause."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import aiohttp

from tests.venues.simulator.conftest import KEY, Client, Decoded, Start, limit_params, signature

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}


class Api:
    """One WebSocket-API connection; events that arrive between answers are kept."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[Decoded] = []

    async def call(self, method: str, **params: object) -> Decoded:
        await self.socket.send_json({"id": method, "method": method, "params": params})
        while True:
            frame = await self.next_frame()
            if frame.get("id") == method:
                return frame
            self.events.append(frame["event"])

    async def signed(self, method: str, **params: object) -> Decoded:
        values = {name: str(value) for name, value in params.items()}
        values |= {"apiKey": KEY, "timestamp": str(int(time.time() * 1_000))}
        payload = "&".join(f"{name}={values[name]}" for name in sorted(values))
        return await self.call(method, **values, signature=signature(payload))

    async def event(self, kind: str) -> Decoded:
        """The next event of a kind, among those kept and those to come."""
        while True:
            for kept in self.events:
                if kept["e"] == kind:
                    self.events.remove(kept)
                    return kept
            self.events.append((await self.next_frame())["event"])

    async def next_frame(self) -> Decoded:
        return json.loads((await self.socket.receive(timeout=10)).data)


@asynccontextmanager
async def connected(client: Client) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session, session.ws_connect(client.ready.ws_api) as socket:
        yield Api(socket)


def test_a_market_order_fills_and_moves_both_balances(start: Start) -> None:
    client = start()
    order = client.buy("0.001")
    assert (order["status"], order["executedQty"]) == ("FILLED", "0.00100000")
    fee = sum(Decimal(fill["commission"]) for fill in order["fills"])
    assert {fill["commissionAsset"] for fill in order["fills"]} == {"BTC"}
    balances = client.balances()
    nothing = Decimal(0)
    assert balances["BTC"] == (Decimal(2) + Decimal("0.001") - fee, nothing)
    assert balances["USDT"] == (Decimal(100_000) - Decimal(order["cummulativeQuoteQty"]), nothing)


def test_a_market_order_by_quote_spends_no_more_than_asked(start: Start) -> None:
    client = start()
    order = client.signed("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="50")
    assert order["status"] == "FILLED"
    assert Decimal(48) < Decimal(order["cummulativeQuoteQty"]) <= 50
    assert order["origQuoteOrderQty"] == "50.00000000"


def test_a_market_order_larger_than_the_book_expires_with_what_it_filled(start: Start) -> None:
    client = start(balances={"BTC": Decimal(10_000)})
    order = client.signed("POST", "order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="9000")
    assert order["status"] == "EXPIRED"
    assert order["expiryReason"] == "INSUFFICIENT_LIQUIDITY"
    assert 0 < Decimal(order["executedQty"]) < 9_000


def test_a_resting_order_locks_and_a_cancel_gives_back(start: Start) -> None:
    client = start()
    order = client.limit("BUY", "0.01", Decimal(30_000), newClientOrderId="resting")
    assert order["status"] == "NEW"
    assert client.balances()["USDT"] == (Decimal(99_700), Decimal(300))
    assert client.signed("GET", "openOrders", symbol="BTCUSDT")[0]["clientOrderId"] == "resting"
    cancelled = client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="resting")
    assert (cancelled["status"], cancelled["origClientOrderId"]) == ("CANCELED", "resting")
    assert cancelled["clientOrderId"] != "resting"
    assert client.balances()["USDT"] == (Decimal(100_000), Decimal(0))
    assert client.signed("GET", "order", symbol="BTCUSDT", orderId=order["orderId"])["status"] == "CANCELED"
    assert client.refusal("DELETE", "order", symbol="BTCUSDT", origClientOrderId="resting")[0] == -2011


def test_every_order_type_is_accepted(start: Start) -> None:
    client = start()
    low, high = Decimal(30_000), Decimal(90_000)
    kinds: list[dict[str, object]] = [
        {"side": "BUY", "type": "LIMIT_MAKER", "price": low},
        {"side": "SELL", "type": "STOP_LOSS", "stopPrice": low},
        {"side": "SELL", "type": "STOP_LOSS_LIMIT", "stopPrice": low, "price": low, "timeInForce": "GTC"},
        {"side": "SELL", "type": "TAKE_PROFIT", "stopPrice": high},
        {"side": "SELL", "type": "TAKE_PROFIT_LIMIT", "stopPrice": high, "price": high, "timeInForce": "GTC"},
        {"side": "BUY", "type": "STOP_LOSS_LIMIT", "stopPrice": high, "price": high, "timeInForce": "GTC"},
    ]
    for kind in kinds:
        client.signed("POST", "order", symbol="BTCUSDT", quantity="0.001", **kind)
    opened = client.signed("GET", "openOrders", symbol="BTCUSDT")
    assert [order["type"] for order in opened] == [kind["type"] for kind in kinds]
    assert [order["isWorking"] for order in opened] == [True, False, False, False, False, False]
    assert len(client.signed("DELETE", "openOrders", symbol="BTCUSDT")) == len(kinds)


def test_immediate_orders_do_not_rest(start: Start) -> None:
    client = start()
    price = Decimal(30_000)
    for word, reason in {"IOC": "UNFILLED_IOC_QUANTITY_EXPIRED", "FOK": "UNFILLED_FOK_ORDER_EXPIRED"}.items():
        order = client.signed("POST", "order", **(limit_params("BUY", "0.001", price) | {"timeInForce": word}))
        assert (order["status"], order["expiryReason"]) == ("EXPIRED", reason)


def test_an_oco_lives_and_dies_as_one(start: Start) -> None:
    client = start()
    made = client.signed(
        "POST",
        "orderList/oco",
        symbol="BTCUSDT",
        side="SELL",
        quantity="0.5",
        aboveType="LIMIT_MAKER",
        abovePrice="90000",
        aboveClientOrderId="above",
        belowType="STOP_LOSS",
        belowStopPrice="30000",
        belowClientOrderId="below",
        listClientOrderId="bracket",
    )
    assert made["listOrderStatus"] == "EXECUTING"
    assert [report["clientOrderId"] for report in made["orderReports"]] == ["above", "below"]
    assert client.balances()["BTC"] == (Decimal("1.5"), Decimal("0.5"))
    assert client.signed("GET", "openOrderList")[0]["listClientOrderId"] == "bracket"
    client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="below")
    assert client.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="above")["status"] == "CANCELED"
    assert client.signed("GET", "orderList", origClientOrderId="bracket")["listOrderStatus"] == "ALL_DONE"
    assert client.balances()["BTC"] == (Decimal(2), Decimal(0))


def test_the_old_form_of_an_oco_is_the_same(start: Start) -> None:
    client = start()
    made = client.signed(
        "POST", "order/oco", symbol="BTCUSDT", side="SELL", quantity="0.1", price="90000", stopPrice="30000"
    )
    assert [report["type"] for report in made["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS"]
    cancelled = client.signed("DELETE", "orderList", symbol="BTCUSDT", orderListId=made["orderListId"])
    assert cancelled["listStatusType"] == "ALL_DONE"


def test_refusals_carry_the_venues_codes(start: Start) -> None:
    client = start()
    client.limit("BUY", "0.001", Decimal(30_000), newClientOrderId="twice")
    limit = limit_params("BUY", "0.001", Decimal(30_000))
    cases: list[tuple[dict[str, object], tuple[int, str]]] = [
        (limit | {"newClientOrderId": "twice"}, (-2010, "Duplicate order sent.")),
        (limit | {"quantity": "1000"}, (-1013, "Filter failure: NOTIONAL")),
        (limit | {"quantity": "200"}, (-2010, "Account has insufficient balance for requested action.")),
        (limit | {"quantity": "0.000015"}, (-1013, "Filter failure: LOT_SIZE")),
        (limit | {"price": "30000.001"}, (-1013, "Filter failure: PRICE_FILTER")),
        (limit | {"price": "1", "quantity": "6"}, (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")),
        (limit | {"quantity": "0.0001"}, (-1013, "Filter failure: NOTIONAL")),
        (limit | {"quantity": "0.000000001"}, (-1111, "Parameter 'quantity' has too much precision.")),
        (limit | {"type": "LIMIT_MAKER", "price": "90000"}, (-1106, "Parameter 'timeInForce' sent when not required.")),
        (limit | {"type": "WISH"}, (-1116, "Invalid orderType.")),
        (limit | {"side": "HOLD"}, (-1117, "Invalid side.")),
        (limit | {"timeInForce": "DAY"}, (-1115, "Invalid timeInForce.")),
        (limit | {"symbol": "DOGEUSDT"}, (-1121, "Invalid symbol.")),
    ]
    for params, expected in cases:
        assert client.refusal("POST", "order", **params) == expected, params
    del limit["price"]
    assert client.refusal("POST", "order", **limit)[0] == -1102
    stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.001", "stopPrice": "90000"}
    assert client.refusal("POST", "order", **stop) == (-2010, "Order would trigger immediately.")
    maker = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.001", "price": "90000"}
    assert client.refusal("POST", "order", **maker) == (-2010, "Order would immediately match and take.")
    assert client.refusal("GET", "order", symbol="BTCUSDT", origClientOrderId="never")[0] == -2013
    assert client.refusal("GET", "order", symbol="BTCUSDT")[0] == -1102
    assert len(client.signed("GET", "allOrders", symbol="BTCUSDT")) == 1


def test_the_client_id_of_a_finished_order_may_be_used_again(start: Start) -> None:
    client = start()
    first = client.buy("0.001", newClientOrderId="again")
    second = client.buy("0.001", newClientOrderId="again")
    assert second["orderId"] > first["orderId"]
    found = client.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="again")
    assert found["orderId"] == second["orderId"]


def test_a_request_is_believed_only_with_key_signature_and_time(start: Start) -> None:
    client = start()
    now_ms = int(time.time() * 1_000)
    assert client.http.get("/api/v3/account").json()["code"] == -2014
    unknown = client.http.get("/api/v3/account", headers={"X-MBX-APIKEY": "nobody"})
    assert (unknown.status_code, unknown.json()["code"]) == (401, -2015)
    wrong = client.http.get(f"/api/v3/account?timestamp={now_ms}&signature=00", headers={"X-MBX-APIKEY": KEY})
    assert (wrong.status_code, wrong.json()["code"]) == (400, -1022)
    unsigned = client.http.get(f"/api/v3/account?timestamp={now_ms}", headers={"X-MBX-APIKEY": KEY})
    assert unsigned.json()["code"] == -1102
    assert client.refusal("GET", "account", timestamp=now_ms - 6_000)[0] == -1021
    assert client.refusal("GET", "account", timestamp=now_ms + 5_000)[0] == -1021
    assert client.refusal("GET", "account", recvWindow=60_001)[0] == -1131
    assert "balances" in client.signed("GET", "account", timestamp=now_ms - 6_000, recvWindow=30_000)


def test_parameters_may_come_in_the_body(start: Start) -> None:
    client = start()
    client.limit("BUY", "0.001", Decimal(30_000), newClientOrderId="body", in_body=True)
    gone = client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="body", in_body=True)
    assert gone["status"] == "CANCELED"


def test_a_trial_order_changes_nothing(start: Start) -> None:
    client = start()
    assert client.signed("POST", "order/test", **ORDER) == {}
    assert client.refusal("POST", "order/test", **(ORDER | {"quantity": "0.000001"}))[0] == -1013
    assert client.signed("GET", "allOrders", symbol="BTCUSDT") == []


def test_own_trades_are_paged_by_id(start: Start) -> None:
    client = start()
    orders = [client.buy("0.001") for _ in range(3)]
    trades = client.signed("GET", "myTrades", symbol="BTCUSDT")
    assert {trade["orderId"] for trade in trades} == {order["orderId"] for order in orders}
    last = client.signed("GET", "myTrades", symbol="BTCUSDT", fromId=trades[-1]["id"])
    assert last == trades[-1:]
    assert client.signed("GET", "myTrades", symbol="BTCUSDT", orderId=orders[0]["orderId"])[0] == trades[0]
    day_ms = 86_400_000
    assert client.refusal("GET", "myTrades", symbol="BTCUSDT", startTime=1, endTime=day_ms + 2)[0] == -1127


def test_successful_trading_costs_no_weight_but_counts_as_an_order(start: Start) -> None:
    client = start()
    before = client.send("GET", "openOrders", symbol="BTCUSDT").headers["X-MBX-USED-WEIGHT-1M"]
    answer = client.send("POST", "order", **limit_params("BUY", "0.001", Decimal(30_000)))
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] in {before, "0"}  # a minute may have begun in between
    assert int(answer.headers["X-MBX-ORDER-COUNT-10S"]) >= 1
    counts = client.signed("GET", "rateLimit/order")
    assert [row["interval"] for row in counts] == ["SECOND", "DAY"]
    assert counts[1]["count"] == 1


def test_other_questions_of_an_account_are_answered(start: Start) -> None:
    client = start()
    assert client.signed("GET", "account/commission", symbol="BTCUSDT")["standardCommission"]["taker"] == "0.00100000"
    assert client.signed("GET", "myPreventedMatches", symbol="BTCUSDT") == []
    assert client.signed("GET", "allOrderList") == []
    restrictions = client.signed("GET", "../../sapi/v1/account/apiRestrictions")
    assert restrictions["enableWithdrawals"] is False


def test_account_events_tell_the_life_of_an_order(start: Start) -> None:
    client = start()

    async def story() -> list[Decoded]:
        async with connected(client) as api, asyncio.timeout(15):
            subscribed = await api.signed("userDataStream.subscribe.signature")
            assert subscribed["result"] == {"subscriptionId": 0}
            again = await api.signed("userDataStream.subscribe.signature")
            assert again["error"]["code"] == -2035
            await asyncio.to_thread(client.buy, "0.001", newClientOrderId="bought")
            reports = [await api.event("executionReport")]
            while reports[-1]["X"] != "FILLED":
                reports.append(await api.event("executionReport"))
            position = await api.event("outboundAccountPosition")
            assert {"a", "f", "l"} == set(position["B"][0])
            price = Decimal(30_000)
            await asyncio.to_thread(client.limit, "BUY", "0.001", price, newClientOrderId="resting")
            reports.append(await api.event("executionReport"))
            await asyncio.to_thread(client.signed, "DELETE", "openOrders", symbol="BTCUSDT")
            reports.append(await api.event("executionReport"))
            client.control("deposit", key=KEY, asset="USDT", quantity="5")
            assert (await api.event("balanceUpdate"))["d"] == "5.00000000"
            return reports

    *bought, resting, cancelled = asyncio.run(story())
    assert [report["x"] for report in bought] == ["NEW"] + ["TRADE"] * (len(bought) - 1)
    assert {report["c"] for report in bought} == {"bought"}
    assert bought[-1]["z"] == "0.00100000"
    assert (bought[-1]["N"], bought[-1]["m"]) == ("BTC", False)
    assert (resting["X"], resting["w"], resting["C"]) == ("NEW", True, "")
    assert (cancelled["x"], cancelled["C"]) == ("CANCELED", "resting")
    assert cancelled["c"] != "resting"
    numbers = [report["I"] for report in [*bought, resting, cancelled]]
    assert numbers == sorted(set(numbers))


def test_the_websocket_api_mirrors_rest(start: Start) -> None:
    client = start()

    async def story() -> None:
        async with connected(client) as api, asyncio.timeout(15):
            assert (await api.call("ping"))["result"] == {}
            assert (await api.call("time"))["result"]["serverTime"] > 0
            placed = await api.signed("order.place", **(limit_params("BUY", "0.001", Decimal(30_000))))
            assert placed["status"] == 200
            assert placed["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
            order_id = placed["result"]["orderId"]
            found = await api.signed("order.status", symbol="BTCUSDT", orderId=order_id)
            assert found["result"]["status"] == "NEW"
            assert len((await api.signed("openOrders.status", symbol="BTCUSDT"))["result"]) == 1
            gone = await api.signed("order.cancel", symbol="BTCUSDT", orderId=order_id)
            assert gone["result"]["status"] == "CANCELED"
            twice = await api.signed("order.cancel", symbol="BTCUSDT", orderId=order_id)
            assert (twice["status"], twice["error"]["code"]) == (400, -2011)
            assert (await api.signed("account.status"))["result"]["accountType"] == "SPOT"
            assert (await api.signed("myTrades", symbol="BTCUSDT"))["result"] == []
            assert (await api.call("account.status", apiKey=KEY, timestamp=1, signature="00"))["status"] == 400
            assert (await api.call("nothing"))["error"]["code"] == -1000
            session = await api.call("session.status")
            assert session["result"]["userDataStream"] is False

    asyncio.run(story())


def test_an_unsubscribed_account_hears_nothing_more(start: Start) -> None:
    client = start()

    async def story() -> list[Decoded]:
        async with connected(client) as api, asyncio.timeout(15):
            await api.signed("userDataStream.subscribe.signature")
            assert (await api.call("userDataStream.unsubscribe"))["result"] == {}
            await asyncio.to_thread(client.buy, "0.001")
            await api.call("ping")
            return api.events

    assert [event["e"] for event in asyncio.run(story())] == ["eventStreamTerminated"]
