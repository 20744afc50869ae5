"""Replays: recordings go out byte for byte, candles fill by their rules, and lockstep waits for everybody."""

import asyncio
import gzip
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from tests.real_data import CANDLES, CAPTURES
from tests.venues.simulator.conftest import KEY, Client, Decoded, Start
from tests.venues.simulator.test_simulator_orders import Api
from tests.waiting import wait_until
from tidegate.domain.errors import TidegateError
from tidegate.venues.simulator.candle_files import CandleFile
from tidegate.venues.simulator.capture import CaptureTape
from tidegate.venues.simulator.market import Market
from tidegate.venues.simulator.recorder import write_sample
from tidegate.venues.simulator.replay import SAMPLES, open_replay
from tidegate.venues.simulator.streams import Streams
from tidegate.venues.simulator.tape import Tape

REAL = CAPTURES / "binance_spot_btcusdt_20240808.jsonl.gz"
REAL_CANDLES = CANDLES / "binance_spot" / "BTCUSDT-1m-20240726-20240825.feather"
needs_real_data = pytest.mark.skipif(not REAL.exists(), reason="the recordings of real markets are not on this machine")


@dataclass
class Lockstep:
    """One participant: reads both marks of a position, then acknowledges it."""

    client: Client
    market: aiohttp.ClientWebSocketResponse
    api: Api
    frames: list[Decoded] = field(default_factory=list)
    position: int = 0

    async def step(self) -> list[Decoded]:
        """Acknowledge the position and read until the next one; market frames that came before its mark."""
        await asyncio.to_thread(self.client.control, "acknowledge", position=self.position)
        self.position += 1
        told: list[Decoded] = []
        while True:
            frame = json.loads((await self.market.receive(timeout=10)).data)
            if frame.get("stream") == "!tape":
                assert frame["data"]["n"] == self.position
                break
            told.append(frame)
        mark = await self.api.event("tapeAdvanced")
        assert mark["n"] == self.position
        self.frames += told
        return told


@asynccontextmanager
async def lockstep(client: Client, *streams: str) -> AsyncIterator[Lockstep]:
    url = f"{client.ready.stream}/stream?streams={'/'.join(('!tape', *streams))}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url) as market,
        session.ws_connect(client.ready.ws_api) as account,
        asyncio.timeout(30),
    ):
        api = Api(account)
        await api.signed("userDataStream.subscribe.signature")
        yield Lockstep(client, market, api)


def recorded(path: Path) -> list[Decoded]:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    return [json.loads(line.partition(b" ")[2]) for line in lines]


def test_a_recording_is_sent_again_byte_for_byte(start: Start, recording: Path) -> None:
    client = start(replay=(str(recording),), speed=None)
    lines = [line.partition(b" ")[2].decode() for line in gzip.decompress(recording.read_bytes()).splitlines()]
    expected = [line for line in lines if "stream" in line][:150]

    async def heard() -> list[str]:
        streams = "btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker"
        found: list[str] = []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{client.ready.stream}/stream?streams={streams}/!tape") as socket,
            asyncio.timeout(30),
        ):
            await asyncio.to_thread(client.control, "acknowledge", position=0)
            while len(found) < len(expected):
                frame = (await socket.receive()).data
                if "!tape" in frame:
                    await asyncio.to_thread(client.control, "acknowledge", position=json.loads(frame)["data"]["n"])
                else:
                    found.append(frame)
        return found

    assert asyncio.run(heard())[: len(expected)] == expected


def test_nothing_moves_before_everybody_has_acknowledged(start: Start, candle_file: Path) -> None:
    client = start(replay=(str(candle_file),), speed=None, participants=2)

    async def story() -> None:
        async with lockstep(client) as tape:
            client.control("acknowledge", position=0)
            assert client.state()["mark"] == 0
            await tape.step()
            assert client.state()["mark"] == 1
            refused = client.http.post("/_control/acknowledge", json={"position": 9}, headers=client.token)
            assert refused.status_code == 422
            client.control("acknowledge", position=0)
            assert client.state()["mark"] == 1

    asyncio.run(story())


def test_the_documented_sync_holds_at_every_moment_of_a_recording(start: Start, recording: Path) -> None:
    client = start(replay=(str(recording),), speed=None)
    events = [frame["data"] for frame in recorded(recording) if "depth" in frame.get("stream", "")]
    told: list[Decoded] = []

    async def story() -> None:
        async with lockstep(client, "btcusdt@depth@100ms") as tape:
            for number in range(60):
                told.extend(frame["data"] for frame in await tape.step())
                if number % 10 == 0:
                    check_sync(client, told, events)

    asyncio.run(story())


def check_sync(client: Client, told: list[Decoded], events: list[Decoded]) -> None:
    """A snapshot taken now and the events that follow it make the book of a reader from the beginning."""
    snapshot = client.get("depth", symbol="BTCUSDT", limit=5_000)
    coming = [event for event in events[len(told) :] if event["u"] > snapshot["lastUpdateId"]]
    assert coming[0]["U"] <= snapshot["lastUpdateId"] + 1 <= coming[0]["u"]
    assert all(later["U"] == earlier["u"] + 1 for earlier, later in itertools.pairwise(coming))


def test_klines_of_a_recording_are_built_from_its_trades(start: Start, recording: Path) -> None:
    client = start(replay=(str(recording),), speed=0)
    trades = [frame["data"] for frame in recorded(recording) if frame.get("stream") == "btcusdt@trade"]
    first_s = trades[0]["T"] // 1_000 + 2
    expected = [trade for trade in trades if trade["T"] // 1_000 == first_s]
    wait_for_end(client)
    rows = client.get("klines", symbol="BTCUSDT", interval="1s", startTime=first_s * 1_000, limit=1)
    assert Decimal(rows[0][5]) == sum(Decimal(trade["q"]) for trade in expected)
    assert rows[0][8] == len(expected)


def wait_for_end(client: Client) -> None:
    wait_until(lambda: client.state()["tape_has_ended"], what="the tape has ended")


def test_candles_beside_a_recording_are_its_history(start: Start, recording: Path, candle_file: Path) -> None:
    client = start(replay=(f"{recording}", f"{candle_file}"), speed=None)
    rows = client.get("klines", symbol="BTCUSDT", interval="1m", limit=1_000)
    starts_at_ms = client.state()["tape_at_ms"]
    assert len(rows) == 60
    assert rows[-1][6] < starts_at_ms  # nothing of the future


def test_a_candle_replay_fills_a_market_order_at_the_next_open(start: Start, candle_file: Path) -> None:
    client = start(replay=(str(candle_file),), speed=None)
    bars = CandleFile(candle_file)

    async def story() -> None:
        async with lockstep(client, "btcusdt@kline_1m") as tape:
            (closed,) = await tape.step()
            assert closed["data"]["k"]["x"] is True
            placed = await asyncio.to_thread(client.buy, "0.01", newClientOrderId="bought")
            assert (placed["status"], placed["fills"]) == ("NEW", [])
            assert await tape.step() == []  # the fill at the open comes alone, so that a stop can follow in time
            report = await tape.api.event("executionReport")
            while report["x"] != "TRADE":
                report = await tape.api.event("executionReport")
            assert Decimal(report["L"]) == bars.bar(1).open
            (second,) = await tape.step()
            assert Decimal(second["data"]["k"]["o"]) == bars.bar(1).open

    asyncio.run(story())


def test_recorded_trades_fill_resting_orders_and_trigger_stops(start: Start, recording: Path) -> None:
    client = start(replay=(str(recording),), speed=None)

    async def story() -> None:
        async with lockstep(client) as tape:
            for _ in range(5):  # until the quotes have come to where the recorder's snapshot was
                await tape.step()
            bid, ask = client.best()
            client.limit("BUY", "0.001", bid, newClientOrderId="bid")
            client.limit("SELL", "0.001", ask, newClientOrderId="ask")
            stop = {"symbol": "BTCUSDT", "quantity": "0.001", "timeInForce": "GTC", "type": "STOP_LOSS_LIMIT"}
            rise = {"side": "BUY", "stopPrice": ask + 3, "price": ask + 300, "newClientOrderId": "rise"}
            fall = {"side": "SELL", "stopPrice": bid - 3, "price": bid - 300, "newClientOrderId": "fall"}
            client.signed("POST", "order", **stop, **rise)
            client.signed("POST", "order", **stop, **fall)
            for _ in range(100):
                await tape.step()

    asyncio.run(story())
    books = client.state()["accounts"][KEY]
    filled = {order["clientOrderId"]: order for order in books["orders"] if order["status"] == "FILLED"}
    makers = {trade["orderId"] for trade in books["trades"] if trade["isMaker"]}
    assert set(filled) & {"rise", "fall"}
    assert {filled[name]["orderId"] for name in {"bid", "ask"} & set(filled)} & makers


def test_two_replays_in_lockstep_end_in_the_same_books(start: Start, candle_file: Path) -> None:
    def played() -> Decoded:
        client = start(replay=(str(candle_file),), speed=None)

        async def story() -> None:
            async with lockstep(client, "btcusdt@kline_1m") as tape:
                for number in range(30):
                    told = await tape.step()
                    if number % 6 == 0 and told:
                        await asyncio.to_thread(client.buy, "0.01", newClientOrderId=f"buy{number}")
                        price = (Decimal(told[-1]["data"]["k"]["c"]) * Decimal("1.0003")).quantize(Decimal("0.01"))
                        await asyncio.to_thread(client.limit, "SELL", "0.01", price, newClientOrderId=f"sell{number}")

        asyncio.run(story())
        return client.state()["accounts"][KEY]

    first, second = played(), played()
    assert first == second
    assert len(first["trades"]) >= 5


def test_who_subscribes_late_hears_the_mark_that_is_due(start: Start, candle_file: Path) -> None:
    client = start(replay=(str(candle_file),), speed=None)

    async def story() -> None:
        async with lockstep(client) as tape:
            await tape.step()
        async with lockstep(client) as tape:
            assert (await tape.market.receive_json())["data"]["n"] == 1
            assert (await tape.api.event("tapeAdvanced"))["n"] == 1
            tape.position = 1
            await tape.step()

    asyncio.run(story())


def test_the_sample_is_what_the_generator_makes(tmp_path: Path) -> None:
    write_sample(tmp_path)
    made = {path.name: gzip.decompress(path.read_bytes()) for path in tmp_path.iterdir()}
    kept = {path.name: gzip.decompress(path.read_bytes()) for path in SAMPLES.iterdir()}
    assert made == kept
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 300_000


def test_the_sample_plays_to_its_end_with_history_before_it() -> None:
    market = play(open_replay(("sample",)))
    bars = market.bars.read("1m", 0, 2**62)
    assert len(bars) > 1_440
    file = next(CandleFile(path) for path in SAMPLES.iterdir() if path.name.endswith(".csv.gz"))
    assert [bar.close for bar in bars[:-1]] == [file.bar(index).close for index in range(len(bars) - 1)]


def play(tape: Tape) -> Market:
    """The market of the first symbol after the whole tape."""
    market = Market(tape.symbols[0], tape, Streams(), tape.starts_at)
    for step in itertools.chain(tape.past(0), tape.steps(0)):
        for part in step.parts:
            for item in part.items:
                market.tell(item)
            market.pass_time(part.at)
    return market


@needs_real_data
def test_real_trades_give_the_venues_own_candles() -> None:
    tape = open_replay((str(REAL), str(REAL_CANDLES)))
    market = play(tape)
    file = CandleFile(REAL_CANDLES)
    minutes = market.bars.read("1m", tape.starts_at, 2**62)[:-1]
    assert len(minutes) == 5
    for bar in minutes:
        (known,) = file.bars(bar.opened_at, bar.opened_at + 1)
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
            known.open,
            known.high,
            known.low,
            known.close,
            known.volume,
        )
        assert bar.trade_count > 1


@needs_real_data
def test_the_real_book_is_never_crossed() -> None:
    tape = open_replay((str(REAL),))
    market = Market("BTC/USDT", tape, Streams(), tape.starts_at)
    for step in itertools.chain(tape.past(0), itertools.islice(tape.steps(0), 1_000)):
        for part in step.parts:
            market.remember(part.items, part.at)
            assert market.book.bids(1)[0][0] < market.book.asks(1)[0][0]


ROWS = "timestamp,open,high,low,close,volume\n1700000000000,1,2,0.5,1.5,10\n1700000060000,{row}\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("BTCUSDT-1m.csv", ROWS.format(row="1,2,0.5,abc,3"), "no number"),
        ("BTCUSDT-1m.csv", ROWS.format(row="1,0.9,0.5,0.8,3"), "row 2, column high"),
        ("BTCUSDT-1m.csv", ROWS.format(row="1,2,0.5,1,-3"), "row 2, column volume"),
        ("BTCUSDT-1m.csv", ROWS.format(row="0,2,0.5,1,3"), "row 2, column open"),
        ("BTCUSDT-1m.csv", "open,high\n1,2\n", "no time column"),
        ("BTCUSDT-1m.csv", ROWS.splitlines()[0] + "\n", "fewer than two candles"),
        ("BTCUSDT-1m.feather", "not a feather file", "cannot be read"),
        ("candles.csv", "", "does not begin with a symbol"),
        ("notes.txt", "", "neither a recording"),
        ("x.jsonl", "17 {broken\n", "line 1 is no recorded frame"),
        ("x.jsonl", "17 " + '{"stream":"btcusdt@other","data":{}}\n', "holds no trade"),
        ("x.jsonl.gz", "not gzip", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(TidegateError, match=said) as refused:
        open_replay((str(path),))
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(TidegateError, match=r"nowhere\.feather does not exist"):
        open_replay(("nowhere.feather",))


def test_a_truncated_recording_names_the_last_good_line(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(recording.read_bytes()[:-2_000])
    with pytest.raises(TidegateError, match=r"cannot be read after line \d+"):
        CaptureTape([path], [])


@pytest.mark.parametrize("suffix", ["feather", "parquet", "csv"])
def test_every_candle_format_reads_the_same(tmp_path: Path, candle_file: Path, suffix: str) -> None:
    import polars

    frame = polars.read_csv(candle_file)
    path = tmp_path / f"BTC_USDT-1m.{suffix}"
    dated = frame.with_columns(date=polars.from_epoch("timestamp", time_unit="ms")).drop("timestamp")
    if suffix == "feather":
        dated.write_ipc(path)
    elif suffix == "parquet":
        dated.write_parquet(path)
    else:
        frame.write_csv(path)
    first, second = CandleFile(candle_file), CandleFile(path)
    assert (second.symbol, second.timeframe) == ("BTC/USDT", "1m")
    assert list(first.times) == list(second.times)
    assert first.bar(7) == second.bar(7)
