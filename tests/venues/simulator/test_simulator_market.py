"""Market data of the generated market, over REST and over streams."""

import asyncio
import itertools
import json
import statistics
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp

from tests.venues.simulator.conftest import Client, Decoded, Start
from tidegate.domain.candles import SECOND_US
from tidegate.venues.simulator.generator import GeneratedTape
from tidegate.venues.simulator.tape import BookChange, Print

STARTS_AT = 1_767_225_600 * SECOND_US


async def frames(client: Client, path: str, *sent: Decoded) -> AsyncIterator[Decoded]:
    async with aiohttp.ClientSession() as session, session.ws_connect(client.ready.stream + path) as socket:
        for message in sent:
            await socket.send_json(message)
        async for frame in socket:
            yield json.loads(frame.data)


async def first_of(client: Client, streams: set[str]) -> dict[str, Decoded]:
    """The first frame of each stream of a combined connection."""
    found: dict[str, Decoded] = {}
    async with asyncio.timeout(10):
        async for frame in frames(client, "/stream?streams=" + "/".join(sorted(streams))):
            name, data = frame["stream"], frame["data"]
            found.setdefault(name, data)
            if set(found) == streams:
                break
    return found


def test_a_new_world_has_a_thousand_minutes_of_history(start: Start) -> None:
    rows = start().get("klines", symbol="BTCUSDT", interval="1m", limit=1_000)
    opened = [row[0] for row in rows]
    assert len(rows) == 1_000
    assert {later - earlier for earlier, later in itertools.pairwise(opened)} == {60_000}


def test_longer_klines_are_the_sum_of_shorter_ones(start: Start) -> None:
    client = start()
    (hour, *_) = client.get("klines", symbol="ETHUSDT", interval="1h", limit=2)
    minutes = client.get("klines", symbol="ETHUSDT", interval="1m", startTime=hour[0], limit=60)
    assert hour[1] == minutes[0][1]
    assert hour[2] == max((row[2] for row in minutes), key=Decimal)
    assert hour[4] == minutes[-1][4]
    assert Decimal(hour[5]) == sum(Decimal(row[5]) for row in minutes)


def test_every_public_endpoint_answers(start: Start) -> None:
    client = start()
    asked = (
        "ping time exchangeInfo depth?symbol=BTCUSDT trades?symbol=BTCUSDT historicalTrades?symbol=BTCUSDT "
        "aggTrades?symbol=BTCUSDT klines?symbol=BTCUSDT&interval=5m uiKlines?symbol=BTCUSDT&interval=1s "
        "avgPrice?symbol=BTCUSDT ticker/24hr ticker/24hr?symbol=BTCUSDT&type=MINI ticker/price?symbol=ETHUSDT "
        'ticker/bookTicker?symbols=["BTCUSDT","ETHUSDT"]'
    )
    for path in asked.split():
        answer = client.http.get(f"/api/v3/{path}")
        assert answer.status_code == 200, (path, answer.text)
        assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) > 0
    for path in ("/sapi/v1/margin/allPairs", "/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"):
        assert client.http.get(path).status_code == 200


def test_a_wrong_question_gets_the_venues_own_complaint(start: Start) -> None:
    client = start()
    complaints = {
        "depth": -1102,
        "depth?symbol=btcusdt": -1100,
        "depth?symbol=DOGEUSDT": -1121,
        "depth?symbol=BTCUSDT&limit=many": -1100,
        "klines?symbol=BTCUSDT&interval=7m": -1120,
        "klines?symbol=BTCUSDT&interval=1m&limit=0": -1130,
    }
    for path, code in complaints.items():
        answer = client.http.get(f"/api/v3/{path}")
        assert (answer.status_code, answer.json()["code"]) == (400, code), path
    assert client.http.get("/api/v3/nothing").status_code == 404
    assert client.http.put("/api/v3/ping").status_code == 405


def test_each_kind_of_stream_has_its_frames(start: Start) -> None:
    kinds = {"trade", "aggTrade", "bookTicker", "depth", "depth@100ms", "depth5", "depth20@100ms", "ticker"}
    kinds |= {"miniTicker", "avgPrice", "kline_1s", "kline_1m"}
    found = asyncio.run(first_of(start(speed=20), {f"btcusdt@{kind}" for kind in kinds}))
    assert found["btcusdt@trade"]["e"] == "trade"
    assert found["btcusdt@depth"]["e"] == "depthUpdate"
    assert "e" not in found["btcusdt@bookTicker"]
    assert len(found["btcusdt@depth5"]["bids"]) == 5
    assert found["btcusdt@ticker"]["e"] == "24hrTicker"
    assert found["btcusdt@kline_1m"]["k"]["i"] == "1m"


def test_a_closed_kline_on_the_stream_is_the_one_that_rest_tells(start: Start) -> None:
    client = start(speed=60)

    async def closed_minute() -> Decoded:
        async with asyncio.timeout(10):
            async for frame in frames(client, "/ws/ethusdt@kline_1m"):
                bar = frame["k"]
                if bar["x"]:
                    return bar
        raise AssertionError("the stream ended")

    bar = asyncio.run(closed_minute())
    ((opened, *prices),) = client.get("klines", symbol="ETHUSDT", interval="1m", startTime=bar["t"], limit=1)
    assert [opened, *prices[:5]] == [bar[name] for name in ("t", "o", "h", "l", "c", "v")]
    assert prices[7] == bar["n"]


def test_subscriptions_are_added_listed_and_taken_away(start: Start) -> None:
    client = start()

    async def conversation() -> list[Decoded]:
        asked: list[Decoded] = [
            {"method": "SUBSCRIBE", "params": ["btcusdt@kline_1h", "ethusdt@kline_1h"], "id": 1},
            {"method": "UNSUBSCRIBE", "params": ["ethusdt@kline_1h"], "id": 2},
            {"method": "LIST_SUBSCRIPTIONS", "id": 3},
            {"method": "SUBSCRIBE", "params": ["btcusdt@nothing"], "id": 4},
            {"method": "DANCE", "id": 5},
        ]
        answers: list[Decoded] = []
        async with asyncio.timeout(10):
            async for frame in frames(client, "/ws/0", *asked):
                if "id" in frame:
                    answers.append(frame)
                if len(answers) == len(asked):
                    break
        return answers

    subscribed, unsubscribed, listed, wrong, unknown = asyncio.run(conversation())
    assert subscribed == {"result": None, "id": 1}
    assert unsubscribed == {"result": None, "id": 2}
    assert listed == {"result": ["btcusdt@kline_1h"], "id": 3}
    assert (wrong["code"], unknown["code"]) == (2, 2)


def test_the_documented_book_sync_holds_on_the_generated_market(start: Start) -> None:
    client = start(speed=10)

    async def synced() -> int:
        events: list[Decoded] = []
        async with asyncio.timeout(10):
            async for frame in frames(client, "/ws/btcusdt@depth@100ms"):
                events.append(frame)
                if len(events) == 5:
                    break
        return apply_documented_sync(client, events)

    assert asyncio.run(synced()) >= 0


def apply_documented_sync(client: Client, events: list[Decoded]) -> int:
    """How many buffered events fit behind a snapshot taken now; asserts that none is missing between them."""
    snapshot = client.get("depth", symbol="BTCUSDT", limit=5_000)
    update_id = snapshot["lastUpdateId"]
    for earlier, later in itertools.pairwise(events):
        assert later["U"] == earlier["u"] + 1
    assert update_id >= events[0]["U"]
    return len([event for event in events if event["u"] > update_id])


def test_the_same_seed_is_the_same_market() -> None:
    def told(seed: int) -> list[object]:
        tape = GeneratedTape(seed, ("BTC/USDT",), STARTS_AT)
        steps = itertools.islice(tape.steps(0), 30)
        return [item for step in steps for part in step.parts for item in part.items]

    assert told(5) == told(5)
    assert told(5) != told(6)


def test_a_restarted_tape_tells_what_the_first_would_have_told() -> None:
    whole = GeneratedTape(5, ("BTC/USDT",), STARTS_AT)
    resumed = GeneratedTape(5, ("BTC/USDT",), STARTS_AT)

    def prints(tape: GeneratedTape, after: int, count: int) -> list[Print]:
        steps = itertools.islice(tape.steps(after), count)
        return [item for step in steps for part in step.parts for item in part.items if isinstance(item, Print)]

    assert prints(whole, 0, 120)[-5:] == prints(resumed, 60, 60)[-5:]


def test_wild_and_calm_times_cluster() -> None:
    bars = GeneratedTape(5, ("BTC/USDT",), STARTS_AT).history("BTC/USDT", "1m", 0, STARTS_AT)
    moves = [abs(float(bar.close / bar.open) - 1) for bar in bars]
    mean = statistics.mean(moves)
    together = statistics.mean((a - mean) * (b - mean) for a, b in itertools.pairwise(moves))
    assert together / statistics.pvariance(moves) > 0.1


def test_the_generated_book_is_deep_and_never_crossed() -> None:
    tape = GeneratedTape(5, ("BTC/USDT",), STARTS_AT)
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    seen = 0
    for step in itertools.islice(tape.steps(0), 60):
        for part in step.parts:
            for change in part.items:
                if isinstance(change, BookChange):
                    bids.update(change.bids)
                    asks.update(change.asks)
                    real_bids = [price for price, quantity in bids.items() if quantity]
                    real_asks = [price for price, quantity in asks.items() if quantity]
                    assert min(len(real_bids), len(real_asks)) >= 20
                    assert max(real_bids) < min(real_asks)
                    seen += 1
    assert seen > 60
