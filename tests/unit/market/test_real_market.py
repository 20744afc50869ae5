"""Real trades become the candles that the venue itself printed, and real minutes its longer ones."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.market.stage import BTC, MINUTE, SECOND, Heard, ScriptedVenue, closed, mark, numbers, run_ingest
from tidegate.domain.candles import Candle, CandleSource, merge
from tidegate.domain.ids import TraceId
from tidegate.domain.messages import MarketMessage, TradePrinted
from tidegate.market.archive import candles_of
from tidegate.market.imports import read_candle_file
from tidegate.market.model import Series, Track

DATA = Path(__file__).parents[4] / "shared" / "data"
CANDLES = DATA / "candles" / "binance_spot"
CAPTURE = DATA / "ws_raw" / "binance_spot_btcusdt_20240808.jsonl.gz"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the folder shared/data with real market data is not beside this repository"
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def recorded_trades() -> list[MarketMessage]:
    found: list[MarketMessage] = []
    with gzip.open(CAPTURE, "rt", encoding="utf-8") as lines:
        for line in lines:
            if '@trade"' in line:
                data = json.loads(line.partition(" ")[2])["data"]
                found.append(
                    TradePrinted(
                        trace_id=TraceId("capture"),
                        occurred_at=data["T"] * 1_000,
                        symbol=BTC,
                        venue_trade_id=str(data["t"]),
                        price=Decimal(data["p"]),
                        quantity=Decimal(data["q"]),
                        is_buyer_maker=data["m"],
                    )
                )
    return found


def minutes_of_file(name: str, start: int, end: int) -> list[Candle]:
    file = read_candle_file(CANDLES / name)
    return [bar for bar in candles_of(file.frame, file.series) if start <= bar.opened_at < end]


def ingested(trades: list[MarketMessage], history: list[Candle]) -> Heard:
    wanted = [(BTC, timeframe) for timeframe in ("1s", "5s", "1m", "2m")]
    return run_ingest(ScriptedVenue(trades, history), *wanted, candles_from=CandleSource.TRADES)[0]


@needs_data
def test_minutes_built_from_recorded_trades_equal_the_venues_own_in_every_full_minute() -> None:
    start, end = at("2024-08-08T23:55"), at("2024-08-09T00:00")
    heard = ingested(recorded_trades(), [])
    theirs = minutes_of_file("BTCUSDT-1m-20240726-20240825.feather", start, end)
    assert [numbers(bar) for bar in heard.candles("1m")] == [numbers(bar) for bar in theirs]
    seconds = [bar for bar in heard.candles("1s") if start <= bar.opened_at < end]
    assert (len(theirs), len(seconds)) == (5, 300)
    for number, bar in enumerate(theirs):
        assert numbers(merge(seconds[number * 60 : number * 60 + 60], "1m")) == numbers(bar)


@needs_data
def test_minutes_and_seconds_of_a_capture_with_lost_trades_end_the_same() -> None:
    trades = recorded_trades()
    trades.append(mark(1, at("2024-08-09T00:00:10") / SECOND))
    whole = ingested(trades, [])
    history = [*whole.candles("1s"), *whole.candles("1m")]
    holed = ingested(trades[:4_000] + trades[4_100:7_000] + trades[7_003:], history)
    assert holed.gaps()
    for timeframe in ("1s", "5s", "1m", "2m"):
        assert holed.final(timeframe) == whole.final(timeframe)


@needs_data
def test_real_minutes_merged_to_five_equal_the_venues_own() -> None:
    start, end = at("2024-08-05T00:00"), at("2024-08-06T00:00")  # the day of the crash
    track = Track(Series(BTC, "1m"), keep=10)
    track.widen(["5m"], [])
    minutes = minutes_of_file("BTCUSDT-1m-20240726-20240825.feather", start, end)
    merged = [bar for minute in minutes for bar in track.accept(minute)[1:]]
    theirs = minutes_of_file("BTCUSDT-5m-20240101-20240906.feather", start, end)
    assert len(merged) == len(theirs) == 288
    for ours, other in zip(merged, theirs, strict=True):
        assert numbers(ours)[:5] == numbers(other)[:5]
        assert abs(ours.volume - other.volume) < Decimal("1e-9")  # that file went through floats


@needs_data
def test_a_real_day_with_killed_sockets_ends_in_the_same_candles() -> None:
    bars = minutes_of_file("BTCUSDT-1m-20240726-20240825.feather", at("2024-08-05T00:00"), at("2024-08-06T00:00"))
    whole, _ = run_ingest(ScriptedVenue(map(closed, bars)), (BTC, "5m"), (BTC, "1h"))
    left = [bar for number, bar in enumerate(bars) if number % 97 < 80 or number > 1_430]
    holed, ingest = run_ingest(ScriptedVenue(map(closed, left), bars), (BTC, "5m"), (BTC, "1h"))
    assert ingest.counts.repaired > 200
    for timeframe in ("1m", "5m", "1h"):
        assert holed.final(timeframe) == whole.final(timeframe)
    assert len(holed.final("1m")) == 1_440 == len(bars)
    assert bars[0].opened_at % MINUTE == 0


@needs_data
@pytest.mark.parametrize(
    "path",
    ["candles/bitfinex_spot/BTCUSD-1m-2019.csv.gz", "candles/perp_venue_unstated/BTC-PERP-1m-20211231-20220201.csv.gz"],
)
def test_real_files_of_other_venues_are_read_whole(path: str) -> None:
    file = read_candle_file(DATA / path)
    assert len(file.frame) == {"BTC/USD": 512_727, "BTC/PERP": 45_031}[file.series.symbol]
