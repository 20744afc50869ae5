"""The same tape tells the same story: twice embedded, and once as separate processes on PostgreSQL and Valkey."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.simulation.lockstep.run import Gap, Tape, play
from tidegate.bots.model import BotConfig
from tidegate.strategies.sizing import SizingKind, SizingRule


def a_bot(name: str, **changes: object) -> BotConfig:
    values: dict[str, object] = {
        "name": name,
        "symbol": "BTC/USDT",
        "timeframe": "1s",
        "strategy": "ema_cross",
        "parameters": {"fast": 2, "slow": 4, "rsi_bound": 100},
        "sizing": SizingRule(SizingKind.PERCENT, Decimal(10)),
        "stop_loss_pct": Decimal("0.02"),
        "take_profit_pct": Decimal("0.04"),
    }
    return BotConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_sample(tmp_path: Path, redis_url: str, postgres_url: str) -> None:
    tape = Tape(
        replay=["sample"],
        symbols=["BTC/USDT"],
        bots=[a_bot("one")],
        settings={"TIDEGATE_BASE_TIMEFRAME": "1s", "TIDEGATE_TIMEFRAMES": "1s,1m"},
    )
    story = play(tape, tmp_path / "first", redis_url)
    print(story)
    apart = play(tape, tmp_path / "apart", redis_url, postgres_url)
    print(apart)
    assert not story.differences(apart)
