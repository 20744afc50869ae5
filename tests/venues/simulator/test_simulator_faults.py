"""Misbehaviour on demand: outcomes that nobody knows, lost frames, cut connections."""

import asyncio
import json
import time

import aiohttp
import httpx
import pytest

from tests.venues.simulator.conftest import Client, Decoded, Start

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}


def orders(client: Client) -> list[Decoded]:
    found: list[Decoded] = client.signed("GET", "allOrders", symbol="BTCUSDT")
    return found


@pytest.mark.parametrize("is_executed", [True, False])
def test_a_dropped_answer_leaves_the_outcome_unknown(start: Start, is_executed: bool) -> None:
    client = start()
    client.control("faults", kind="drop", is_executed=is_executed)
    with pytest.raises(httpx.RemoteProtocolError):
        client.send("POST", "order", **ORDER)
    assert len(orders(client)) == is_executed
    assert client.buy("0.001")["status"] == "FILLED"


@pytest.mark.parametrize("is_executed", [True, False])
@pytest.mark.parametrize(("status", "code"), [(504, -1007), (503, -1006)])
def test_a_server_error_says_nothing_about_execution(start: Start, is_executed: bool, status: int, code: int) -> None:
    client = start()
    client.control("faults", kind="status", is_executed=is_executed, status=status, code=code)
    answer = client.send("POST", "order", **ORDER)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(orders(client)) == is_executed


def test_a_proxys_page_is_no_json(start: Start) -> None:
    client = start()
    client.control("faults", kind="html", is_executed=True)
    answer = client.send("POST", "order", **ORDER)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert len(orders(client)) == 1


def test_a_late_answer_is_the_right_one(start: Start) -> None:
    client = start()
    client.control("faults", kind="delay", delay_s=0.2)
    began = time.monotonic()
    assert client.buy("0.001")["status"] == "FILLED"
    assert time.monotonic() - began >= 0.2


def test_faults_meet_only_the_requests_they_are_planned_for(start: Start) -> None:
    client = start()
    client.control("faults", kind="status", on="cancel", count=2, is_executed=False)
    client.limit("BUY", "0.001", client.best()[0] // 2, newClientOrderId="resting")
    assert client.send("DELETE", "order", symbol="BTCUSDT", origClientOrderId="resting").status_code == 504
    assert client.state()["faults_left"] == 1
    client.control("clear_faults")
    client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="resting")
    assert client.state()["faults_met"] == 1


def test_a_refused_order_is_refused_under_a_fault_too(start: Start) -> None:
    client = start()
    client.control("faults", kind="status", is_executed=True)
    assert client.refusal("POST", "order", **(ORDER | {"quantity": "0.000001"}))[0] == -1013


def test_omitted_frames_make_a_gap_that_rest_does_not_have(start: Start) -> None:
    client = start(speed=20)

    async def opened_seconds() -> list[int]:
        seconds: list[int] = []
        url = f"{client.ready.stream}/ws/btcusdt@kline_1s"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket, asyncio.timeout(15):
            while len(seconds) < 6:
                bar = json.loads((await socket.receive()).data)["k"]
                if bar["x"]:
                    seconds.append(bar["t"] // 1_000)
                if len(seconds) == 3:
                    await asyncio.to_thread(client.control, "drop_frames", stream="btcusdt@kline_1s", count=30)
        return seconds

    seconds = asyncio.run(opened_seconds())
    missing = set(range(seconds[0], seconds[-1])) - set(seconds)
    assert missing
    rows = client.get("klines", symbol="BTCUSDT", interval="1s", startTime=seconds[0] * 1_000, limit=500)
    assert missing <= {row[0] // 1_000 for row in rows}


def test_drop_cuts_every_socket_and_clients_may_come_back(start: Start) -> None:
    client = start()

    async def story() -> None:
        async with aiohttp.ClientSession() as session, asyncio.timeout(10):
            for _ in range(2):
                market = await session.ws_connect(f"{client.ready.stream}/ws/btcusdt@bookTicker")
                account = await session.ws_connect(client.ready.ws_api)
                await account.send_json({"id": 1, "method": "ping"})
                await account.receive()
                assert (await asyncio.to_thread(client.control, "drop"))["closed"] == 2
                for socket in (market, account):
                    async for _ in socket:
                        pass
                    assert socket.closed

    asyncio.run(story())


def test_control_refuses_what_it_does_not_know(start: Start) -> None:
    client = start()
    assert client.http.post("/_control/nothing", json={}, headers=client.token).status_code == 404
    wrong = client.http.post("/_control/faults", json={"kind": "explode"}, headers=client.token)
    assert wrong.status_code == 422
    assert "explode" in wrong.json()["detail"]
    assert client.http.post("/_control/drop", json={"now": True}, headers=client.token).status_code == 422
    assert client.http.post("/_control/drop", json={}).status_code == 403
