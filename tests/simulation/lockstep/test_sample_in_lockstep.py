"""The project's own recording, played in lockstep to real processes."""

from pathlib import Path

import pytest

from tests.simulation.lockstep.run import SECONDS, Gap, Tape, a_bot, a_cipher, a_greedy_bot, play

SAMPLE = Tape(
    replay=["sample"],
    symbols=["BTC/USDT"],
    bots=[a_bot("seconds"), a_cipher("fives", timeframe="5s"), a_bot("minutes", timeframe="1m"), a_greedy_bot()],
    gaps=[Gap(position=400, stream="btcusdt@kline_1s", frames=6)],
    settings=SECONDS,
)


@pytest.mark.timeout(700)
def test_the_sample_tells_the_same_story_twice_embedded_and_as_separate_processes(
    tmp_path: Path, redis_url: str, postgres_url: str
) -> None:
    first, second = (play(SAMPLE, tmp_path / name, redis_url) for name in ("first", "second"))
    assert first.differences(second) == ""
    apart = play(SAMPLE, tmp_path / "apart", redis_url, postgres_url)
    assert first.differences(apart) == ""
    assert first.log == second.log == apart.log
    assert len(first.fills) >= 20, first
    assert first.exits["stop_loss"] >= 1
    assert first.denials >= 1
    assert apart.repaired >= 2
