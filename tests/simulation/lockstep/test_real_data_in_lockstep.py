"""Real recordings and real candles, played in lockstep to real processes: `make check`, and a month in `make long`."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tests.real_data import CANDLES, CAPTURES
from tests.simulation.lockstep.run import SECONDS, Gap, Tape, a_bot, a_cipher, a_greedy_bot, play
from tests.simulation.lockstep.story import Story
from tidegate.domain.candles import Candle
from tidegate.market.archive import candles_of
from tidegate.market.imports import read_candle_file

SPOT = CANDLES / "binance_spot"
MINUTES = SPOT / "BTCUSDT-1m-20240726-20240825.feather"
MONTH = [SPOT / f"{base}USDT-1m-20260323-20260422.feather" for base in ("BTC", "ETH", "SOL")]
pytestmark = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason="the folder shared/data with real market data is not beside this repository"
)


def told_thrice(tape: Tape, tmp_path: Path, redis_url: str, postgres_url: str) -> Story:
    """The story of the separate processes, which two embedded runs have told before."""
    first, second = (play(tape, tmp_path / name, redis_url) for name in ("first", "second"))
    assert first.differences(second) == ""
    apart = play(tape, tmp_path / "apart", redis_url, postgres_url)
    assert first.differences(apart) == ""
    assert first.log == second.log == apart.log
    return apart


def numbers(candle: Candle) -> tuple[int | Decimal, ...]:
    return candle.opened_at, candle.open, candle.high, candle.low, candle.close, candle.volume


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_a_real_recording_tells_the_same_story_and_its_minutes_are_the_venues_own(
    tmp_path: Path, redis_url: str, postgres_url: str
) -> None:
    tape = Tape(
        replay=[CAPTURES / "binance_spot_btcusdt_20240808.jsonl.gz", MINUTES],
        symbols=["BTC/USDT"],
        bots=[
            a_bot("seconds"),
            a_bot("fives", timeframe="5s"),
            a_cipher("cipher of seconds"),
            a_cipher("cipher of fives", timeframe="5s"),
            a_bot("minutes", timeframe="1m"),
            a_greedy_bot(),
        ],
        gaps=[Gap(position=700, stream="btcusdt@kline_1s", frames=6)],
        settings=SECONDS,
    )
    story = told_thrice(tape, tmp_path, redis_url, postgres_url)
    assert len(story.fills) >= 20, story
    assert story.exits["stop_loss"] >= 1
    assert story.denials >= 1
    assert story.repaired >= 2
    file = read_candle_file(MINUTES)
    first, end = (int(datetime(2024, 8, 8, 23, 55, tzinfo=UTC).timestamp() + s) * 1_000_000 for s in (0, 300))
    theirs = [numbers(bar) for bar in candles_of(file.frame, file.series) if first <= bar.opened_at < end]
    assert len(theirs) == 5
    assert [numbers(bar) for bar in story.minutes if bar.opened_at >= first] == theirs


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(700)]),
        pytest.param(31, marks=[pytest.mark.long, pytest.mark.timeout(15_000)]),
    ],
)
def test_real_minutes_of_three_symbols_tell_the_same_story(
    days: int, tmp_path: Path, redis_url: str, postgres_url: str
) -> None:
    exits = {"stop_loss_pct": Decimal("0.4"), "take_profit_pct": Decimal("0.8")}
    crossing = {"parameters": {"fast": 12, "slow": 26}, "timeframe": "1m", **exits}
    tape = Tape(
        replay=[cut(file, days, tmp_path) for file in MONTH],
        symbols=["BTC/USDT", "ETH/USDT", "SOL/USDT"],
        bots=[
            *(a_bot(base, symbol=f"{base}/USDT", **crossing) for base in ("BTC", "ETH", "SOL")),
            a_bot("cipher", symbol="ETH/USDT", timeframe="5m", strategy="quantum_cipher", parameters={}, **exits),
        ],
        settings={"TIDEGATE_TIMEFRAMES": "1m,5m"},
        deadline_s=200.0 * days,
    )
    story = told_thrice(tape, tmp_path, redis_url, postgres_url)
    assert len(story.fills) >= 100 * days, story
    assert story.exits["stop_loss"] >= days


def cut(file: Path, days: int, folder: Path) -> Path:
    """The first days of a candle file, under its own name."""
    frame = pl.read_ipc(file)
    frame.filter(pl.col("date") < pl.col("date").min() + timedelta(days=days)).write_ipc(folder / file.name)
    return folder / file.name
