"""Bots as a file."""

from decimal import Decimal
from pathlib import Path

import pytest

from tidegate.app.cli.bot_file import body_of, bot_of, read_bot_file
from tidegate.bots.model import BotState, EntryKind
from tidegate.domain.errors import Invalid

WHOLE = """
- name: btc-cross
  symbol: BTC-USDT
  timeframe: 1m
  strategy: ema_cross
  parameters: {fast: 5, slow: 20}
  entry: limit
  sizing: {kind: risk, value: 0.5, notional_max: 2000}
  stop_loss_pct: 1.5
  take_profit_pct: null
  state: stopped
"""
SHORT = "{name: b, symbol: BTC/USDT, timeframe: 1m, strategy: ema_cross}"


@pytest.fixture
def bots_yaml(tmp_path: Path) -> Path:
    return tmp_path / "bots.yaml"


def test_every_field_of_a_bot_can_be_written(bots_yaml: Path) -> None:
    bots_yaml.write_text(WHOLE)
    (bot,) = read_bot_file(bots_yaml)
    assert bot.state is BotState.STOPPED
    assert bot.config.symbol == "BTC/USDT"
    assert bot.config.entry is EntryKind.LIMIT
    assert bot.config.sizing.value == Decimal("0.5")
    assert bot.config.stop_loss_pct == Decimal("1.5")
    assert bot.config.take_profit_pct is None


def test_what_is_left_out_takes_its_default_and_the_bot_runs(bots_yaml: Path) -> None:
    bots_yaml.write_text(f"bots: [{SHORT}]")
    (bot,) = read_bot_file(bots_yaml)
    assert bot.state is BotState.RUNNING
    assert bot.config.stop_loss_pct == 2


def test_the_api_takes_decimals_as_text_and_gives_the_same_bot_back(bots_yaml: Path) -> None:
    bots_yaml.write_text(WHOLE)
    (bot,) = read_bot_file(bots_yaml)
    body = body_of(bot.config)
    assert body["sizing"] == {"kind": "risk", "value": "0.5", "notional_max": "2000"}
    assert bot_of(body | {"state": "stopped", "bot_id": "1"}) == bot.config


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[{name: b, symbl: BTC/USDT}]", "bot 1 (b): symbl is not a field of a bot; did you mean symbol."),
        (f"[{SHORT}, {{name: c, sizing: {{knd: fixed}}}}]", "bot 2 (c): sizing: knd is not a field of a bot"),
        ("[{name: b}]", "bot 1 (b): the required field symbol is missing."),
        ("[3]", "bot 1: must be fields such as"),
        ("3", "must be a list of bots"),
        (f"[{SHORT}, {SHORT}]", "has two bots named 'b'"),
        (f"[{SHORT[:-1]}, state: on}}]", "state must be one of running, stopped, not True."),
        (f"[{SHORT[:-1]}, entry: later}}]", "entry must be one of market, limit, stop."),
        (f"[{SHORT[:-1]}, sizing: {{kind: all, value: 1}}}}]", "sizing.kind must be one of fixed, percent, risk."),
        (f"[{SHORT[:-1]}, stop_loss_pct: -1}}]", "bot 1 (b): stop_loss_pct must be above 0 percent"),
        (f"[{SHORT[:-1]}, stop_loss_pct: [1]}}]", "stop_loss_pct: expected decimal"),
        ("[{name: b, symbol: Bitcoin, timeframe: 1m, strategy: x}]", "bot 1 (b): "),
        ("- name: [", "is no YAML: line 1"),
    ],
)
def test_a_mistake_is_told_with_its_bot_and_its_field(bots_yaml: Path, text: str, sentence: str) -> None:
    bots_yaml.write_text(text)
    with pytest.raises(Invalid) as refusal:
        read_bot_file(bots_yaml)
    assert str(refusal.value).startswith(str(bots_yaml))
    assert sentence in str(refusal.value)


def test_a_file_that_is_not_there_is_named(bots_yaml: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read: No such file"):
        read_bot_file(bots_yaml)
