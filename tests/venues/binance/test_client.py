"""What leaves for the venue and what is made of its answers, against a host that says what the test wants."""

from decimal import Decimal

import pytest

from tests.venues.binance.recorded import ORDER
from tests.venues.binance.scripted import Host, hang_up, play, say
from tidegate.domain.errors import Unavailable
from tidegate.domain.ids import ClientOrderId, VenueOrderId
from tidegate.domain.orders import (
    OcoTicket,
    OrderTicket,
    OrderType,
    OutcomeUnknown,
    Placed,
    Refused,
    Side,
    TimeInForce,
)
from tidegate.kit.connections import ConnectionState, NetworkInsideTransaction, inside_transaction
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.tickets import oco_query, order_query
from tidegate.venues.binance.venue import BinanceVenue

BTC = "BTC/USDT"
PLACE, CANCEL, ASK = "POST /api/v3/order", "DELETE /api/v3/order", "GET /api/v3/order"
ACCOUNT, TRADES, ALL_ORDERS = "GET /api/v3/account", "GET /api/v3/myTrades", "GET /api/v3/allOrders"
EMPTY_ACCOUNT: dict[str, list[object]] = {"balances": []}


def ticket(kind: OrderType = OrderType.MARKET, **changes: object) -> OrderTicket:
    values: dict[str, object] = {
        "client_order_id": "ours",
        "symbol": BTC,
        "side": Side.SELL,
        "type": kind,
        "quantity": Decimal("0.50"),
        "limit_price": Decimal("30000.10") if "limit" in kind else None,
        "stop_price": Decimal(29_000) if "stop" in kind or "profit" in kind else None,
    }
    return OrderTicket(**(values | changes))  # type: ignore[arg-type]


def error(code: int, message: str = "no") -> dict[str, object]:
    return {"code": code, "msg": message}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (ticket(), "type=MARKET&quantity=0.5"),
        (ticket(OrderType.LIMIT), "type=LIMIT&quantity=0.5 price=30000.1&timeInForce=GTC"),
        (
            ticket(OrderType.LIMIT, time_in_force=TimeInForce.IOC),
            "type=LIMIT&quantity=0.5 price=30000.1&timeInForce=IOC",
        ),
        (ticket(OrderType.LIMIT, post_only=True), "type=LIMIT_MAKER&quantity=0.5 price=30000.1"),
        (ticket(OrderType.STOP), "type=STOP_LOSS&quantity=0.5 stopPrice=29000"),
        (
            ticket(OrderType.STOP_LIMIT),
            "type=STOP_LOSS_LIMIT&quantity=0.5 price=30000.1&timeInForce=GTC&stopPrice=29000",
        ),
        (ticket(OrderType.TAKE_PROFIT), "type=TAKE_PROFIT&quantity=0.5 stopPrice=29000"),
        (
            ticket(OrderType.TAKE_PROFIT_LIMIT),
            "type=TAKE_PROFIT_LIMIT&quantity=0.5 price=30000.1&timeInForce=GTC&stopPrice=29000",
        ),
    ],
)
def test_each_order_type_is_written_in_the_venues_words(order: OrderTicket, expected: str) -> None:
    what, _, prices = expected.partition(" ")
    ids = "&newClientOrderId=ours&newOrderRespType=FULL"
    assert order_query(order) == f"symbol=BTCUSDT&side=SELL&{what}{ids}{'&' if prices else ''}{prices}"


@pytest.mark.parametrize(("side", "target", "stop"), [(Side.SELL, "above", "below"), (Side.BUY, "below", "above")])
def test_an_order_list_takes_profit_on_the_right_side_of_the_market(side: Side, target: str, stop: str) -> None:
    oco = OcoTicket(
        list_client_id="list",
        symbol=BTC,
        side=side,
        quantity=Decimal("0.5"),
        take_profit_id=ClientOrderId("t"),
        take_profit_price=Decimal(31_000),
        stop_loss_id=ClientOrderId("s"),
        stop_price=Decimal(29_000),
    )
    query = oco_query(oco)
    assert f"&{target}Type=LIMIT_MAKER&{target}ClientOrderId=t&{target}Price=31000" in query
    assert f"&{stop}ClientOrderId=s&{stop}StopPrice=29000&{stop}Type=STOP_LOSS" in query
    assert "TimeInForce" not in query


def test_a_broken_connection_makes_an_order_unknown_and_it_is_not_sent_again() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(PLACE, hang_up)
        assert isinstance(await venue.place(ticket()), OutcomeUnknown)
        assert host.count(PLACE) == 1
        assert client.connection.state is ConnectionState.BROKEN

    play(scenario)


def test_a_cancel_on_a_connection_that_breaks_is_not_repeated_behind_our_back() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(CANCEL, hang_up)
        assert isinstance(await venue.cancel(BTC, ClientOrderId("ours")), OutcomeUnknown)
        assert host.count(CANCEL) == 1

    play(scenario)


@pytest.mark.parametrize("body", [b"", b"<html>fine</html>", b"{}", ORDER[:200], ORDER.replace(b'"0.2"', b'"nan"')])
def test_a_success_that_cannot_be_read_is_unknown_and_counted(body: bytes) -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(PLACE, say(body))
        assert isinstance(await venue.place(ticket()), OutcomeUnknown)
        assert client.unreadable == 1

    play(scenario)


def test_where_nobody_listens_an_order_is_refused_for_certain() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        client.hosts = type(client.hosts)("http://127.0.0.1:1", client.hosts.stream, client.hosts.ws_api)
        answer = await venue.place(ticket())
        assert isinstance(answer, Refused)
        assert answer.code == "venue.unreachable"

    play(scenario)


def test_a_duplicate_is_looked_up_and_answered_as_the_order_that_lives() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(PLACE, say(error(-2010, "Duplicate order sent."), 400))
        host.script(ASK, say(ORDER))
        answer = await venue.place(ticket())
        assert isinstance(answer, Placed)
        assert answer.reports[0].venue_order_id == "7"
        host.script(ASK, say(error(-2013), 400))
        assert isinstance(await venue.place(ticket()), OutcomeUnknown)
        host.script(ASK, hang_up)
        assert isinstance(await venue.place(ticket()), OutcomeUnknown)

    play(scenario)


def test_a_wrong_clock_refuses_the_order_is_measured_again_and_a_question_is_repeated() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(PLACE, say(error(-1021), 400))
        measured = host.count("GET /api/v3/time")
        answer = await venue.place(ticket())
        assert isinstance(answer, Refused)
        assert answer.code == "venue.clock_skewed"
        assert (host.count(PLACE), host.count("GET /api/v3/time")) == (1, measured + 1)
        host.script(ACCOUNT, say(error(-1021), 400), say(EMPTY_ACCOUNT))
        assert await venue.balances() == []
        assert host.count(ACCOUNT) == 2

    play(scenario)


@pytest.mark.parametrize(("status", "code"), [(429, -1003), (418, -1003), (429, -1015)])
def test_after_being_told_to_wait_nothing_leaves(status: int, code: int) -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(PLACE, say(error(code), status, {"Retry-After": "30"}))
        answer = await venue.place(ticket())
        assert isinstance(answer, Refused)
        assert answer.code == "venue.throttled"
        asked = len(host.asked)
        assert isinstance(await venue.cancel(BTC, ClientOrderId("ours")), Refused)
        with pytest.raises(Unavailable, match="held back"):
            await venue.balances()
        assert len(host.asked) == asked

    play(scenario)


def test_near_the_limit_only_what_protects_may_leave() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(ACCOUNT, say(EMPTY_ACCOUNT, headers={"X-MBX-USED-WEIGHT-1M": "5000"}))
        assert await venue.balances() == []
        assert client.budget.used == 5_000
        entry = await venue.place(ticket())
        assert isinstance(entry, Refused)
        assert (entry.code, host.count(PLACE)) == ("venue.throttled", 0)
        host.script(PLACE, say(ORDER, headers={"X-MBX-USED-WEIGHT-1M": "5000"}))
        assert isinstance(await venue.place(ticket(OrderType.STOP)), Placed)
        host.script(CANCEL, say(error(-2011), 400))
        cancelled = await venue.cancel(BTC, ClientOrderId("ours"))
        assert isinstance(cancelled, Refused)
        assert cancelled.code == "venue.order_not_open"

    play(scenario)


def test_history_of_more_than_a_page_is_followed_by_id_and_every_fill_names_our_order() -> None:
    def trade(number: int) -> dict[str, object]:
        return {
            "symbol": "BTCUSDT",
            "id": number,
            "orderId": number // 100,
            "price": "30000",
            "qty": "0.1",
            "commission": "0",
            "commissionAsset": "BNB",
            "time": 1_700_000_000_000,
            "isBuyer": True,
            "isMaker": False,
        }

    def order(number: int) -> dict[str, object]:
        return {
            "symbol": "BTCUSDT",
            "orderId": number,
            "clientOrderId": f"order-{number}",
            "side": "BUY",
            "status": "FILLED",
            "origQty": "10",
            "executedQty": "10",
            "cummulativeQuoteQty": "300000",
            "updateTime": 1_700_000_000_000,
        }

    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(TRADES, say([trade(n) for n in range(501, 1_501)]), say([trade(n) for n in range(1_501, 1_701)]))
        host.script(ALL_ORDERS, say([order(n) for n in range(5, 18)]))
        fills = await venue.fills(BTC, "500")
        assert [int(fill.venue_trade_id) for fill in fills] == list(range(501, 1_701))
        assert {fill.client_order_id for fill in fills} == {f"order-{n}" for n in range(5, 18)}
        pages = [query["fromId"] for asked, query in host.asked if asked == TRADES]
        assert pages == ["501", "1501"]
        assert host.count(ALL_ORDERS) == 1

    play(scenario)


def test_a_fill_of_an_order_that_the_venue_does_not_show_is_an_error_and_not_a_guess() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        raw = (
            b'[{"symbol":"BTCUSDT","id":1,"orderId":9,"price":"1","qty":"1","commission":"0",'
            b'"commissionAsset":"BNB","time":1,"isBuyer":true,"isMaker":true}]'
        )
        host.script(TRADES, say(raw))
        host.script(ALL_ORDERS, say([]))
        with pytest.raises(Unavailable, match="order 9"):
            await venue.order_fills(BTC, VenueOrderId("9"))

    play(scenario)


def test_a_question_that_fails_raises_unavailable_with_a_stable_code() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        for answer in (hang_up, say(b"oops", 502), say(b"<html>", 200)):
            host.script(ACCOUNT, answer)
            with pytest.raises(Unavailable) as problem:
                await venue.balances()
            assert problem.value.code.startswith("venue.")

    play(scenario)


def test_no_request_leaves_inside_a_database_transaction() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        token = inside_transaction.set(True)
        try:
            with pytest.raises(NetworkInsideTransaction):
                await venue.place(ticket())
        finally:
            inside_transaction.reset(token)
        assert host.count(PLACE) == 0

    play(scenario)


def test_the_request_names_the_key_its_window_and_a_time_of_the_venues_clock() -> None:
    async def scenario(host: Host, client: RestClient, venue: BinanceVenue) -> None:
        host.script(PLACE, say(ORDER))
        await venue.place(ticket())
        (query,) = (query for asked, query in host.asked if asked == PLACE)
        assert query["recvWindow"] == "5000"
        assert abs(int(query["timestamp"]) - client.venue_now_ms()) < 5_000
        assert list(query)[-1] == "signature"

    play(scenario)
