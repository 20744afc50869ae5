"""What a bot makes of a signal, and the reason that it leaves in its log."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.builders import ACCOUNT, BOT, NOON, TRACE, an_instrument
from tidegate.bots.model import (
    Bot,
    BotConfig,
    BotState,
    EntryKind,
    ExitPosition,
    IllegalBotTransition,
    LegView,
    StopPositions,
    WithdrawEntry,
)
from tidegate.bots.service import Bots, Decision, pause, start, stop
from tidegate.domain.errors import Invalid
from tidegate.domain.ids import ClientOrderId
from tidegate.domain.messages import BarEvaluated, OrderProposed, SignalArmed, SignalDisarmed, SignalTriggered
from tidegate.domain.orders import OrderType, Side
from tidegate.strategies.sizing import SizingKind, SizingRule

KEY = "ema_cross|BTC/USDT|1m"
COMMON: dict[str, Any] = {
    "trace_id": TRACE,
    "occurred_at": NOON,
    "signal_key": KEY,
    "symbol": "BTC/USDT",
    "timeframe": "1m",
    "bar_opened_at": NOON,
    "close": Decimal(100),
}


def a_bot(state: BotState = BotState.RUNNING, **changes: Any) -> Bot:
    values: dict[str, Any] = {"name": "b", "symbol": "BTC/USDT", "timeframe": "1m", "strategy": "ema_cross"}
    return Bot(BOT, ACCOUNT, BotConfig(**{**values, **changes}), KEY, state)


def a_view(**changes: Any) -> LegView:
    values: dict[str, Any] = {
        "instrument": an_instrument(),
        "position_quantity": Decimal(0),
        "is_exiting": False,
        "entry_order_ids": (),
        "equity": Decimal(10_000),
        "available": Decimal(10_000),
    }
    return LegView(**{**values, **changes})


def an_entry(**changes: Any) -> SignalTriggered:
    return SignalTriggered(**{**COMMON, "side": Side.BUY, "is_entry": True, "reason": "rule", **changes})


def an_exit() -> SignalTriggered:
    return SignalTriggered(**COMMON, side=Side.SELL, is_entry=False, reason="strategy_exit")


def an_arming(price: str | None = "101") -> SignalArmed:
    return SignalArmed(
        **COMMON,
        side=Side.BUY,
        entry_price=None if price is None else Decimal(price),
        invalidation_price=Decimal(95),
        expires_at=NOON,
    )


def decide(bot: Bot, signal: Any, view: LegView) -> Decision:
    (decision,) = Bots([bot]).on_signal(signal, lambda _: view)
    return decision


def test_a_triggered_entry_is_a_market_order_with_its_stop_and_target() -> None:
    (proposed,) = decide(a_bot(), an_entry(), a_view()).proposals
    assert isinstance(proposed, OrderProposed)
    intent = proposed.intent
    assert (intent.side, intent.type, intent.quantity) == (Side.BUY, OrderType.MARKET, Decimal("9.99000"))
    assert (intent.stop_loss_price, intent.take_profit_price) == (Decimal(98), Decimal(104))
    assert intent.key == f"{BOT}:{NOON}:entry"


def test_the_same_bar_gives_the_same_intent_and_another_bar_another() -> None:
    keys = [
        decide(a_bot(), an_entry(bar_opened_at=at), a_view()).proposals[0].intent.key  # type: ignore[union-attr]
        for at in (NOON, NOON, NOON + 1)
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("bot", "view", "reason"),
    [
        (a_bot(BotState.PAUSED), a_view(), "the bot is paused"),
        (a_bot(), a_view(instrument=None), "the venue does not list BTC/USDT"),
        (a_bot(), a_view(position_quantity=Decimal(1)), "a position is open"),
        (a_bot(), a_view(entry_order_ids=(ClientOrderId("x"),)), "an entry is waiting already"),
        (a_bot(), a_view(equity=None), "equity is unknown"),
        (a_bot(), a_view(available=Decimal(0)), "nothing is available"),
        (a_bot(sizing=SizingRule(SizingKind.FIXED, Decimal("0.00001"))), a_view(), "notional must be at least 5"),
    ],
)
def test_what_hinders_an_entry_is_said_and_nothing_is_proposed(bot: Bot, view: LegView, reason: str) -> None:
    decision = decide(bot, an_entry(), view)
    assert decision.proposals == ()
    assert reason in decision.verdict


def test_a_stopped_bot_hears_nothing() -> None:
    assert Bots([a_bot(BotState.STOPPED)]).on_signal(an_entry(), lambda _: a_view()) == []


def test_a_bot_hears_its_own_signal_only() -> None:
    assert Bots([a_bot()]).on_signal(an_entry(signal_key="other"), lambda _: a_view()) == []


def test_a_resting_entry_waits_while_armed_and_is_withdrawn_when_disarmed() -> None:
    bot = a_bot(entry=EntryKind.STOP)
    (proposed,) = decide(bot, an_arming("101.005"), a_view()).proposals
    assert isinstance(proposed, OrderProposed)
    assert (proposed.intent.type, proposed.intent.stop_price) == (OrderType.STOP, Decimal("101.01"))
    disarmed = SignalDisarmed(**COMMON, side=Side.BUY, reason="expired")
    withdrawn = decide(bot, disarmed, a_view(entry_order_ids=(ClientOrderId("x"),)))
    assert withdrawn.proposals == (WithdrawEntry(ClientOrderId("x")),)


def test_what_the_venue_holds_is_not_entered_again_when_it_triggers() -> None:
    assert decide(a_bot(entry=EntryKind.STOP), an_entry(), a_view()).proposals == ()


def test_a_limit_entry_rests_at_the_close() -> None:
    (proposed,) = decide(a_bot(entry=EntryKind.LIMIT), an_entry(), a_view()).proposals
    assert isinstance(proposed, OrderProposed)
    assert (proposed.intent.type, proposed.intent.limit_price) == (OrderType.LIMIT, Decimal(100))


def test_an_exit_signal_closes_a_position_once_and_a_flat_bot_does_nothing() -> None:
    held = a_view(position_quantity=Decimal(1))
    assert decide(a_bot(), an_exit(), held).proposals == (ExitPosition("strategy_exit"),)
    assert decide(a_bot(), an_exit(), replace(held, is_exiting=True)).proposals == ()
    assert decide(a_bot(), an_exit(), a_view()).proposals == ()


def test_a_paused_bot_still_leaves() -> None:
    held = a_view(position_quantity=Decimal(1))
    assert decide(a_bot(BotState.PAUSED), an_exit(), held).proposals == (ExitPosition("strategy_exit"),)


def test_the_log_of_a_bar_says_what_the_bot_did_or_else_what_the_rule_saw() -> None:
    bots = Bots([a_bot()])
    bar = BarEvaluated(**COMMON, values={"rsi": 50.0}, phase="idle", verdict="no crossing")
    assert [line.verdict for line in bots.log_bar(bar)] == ["no crossing"]
    bots.on_signal(an_entry(), lambda _: a_view())
    assert [line.verdict for line in bots.log_bar(bar)] == ["entry proposed: rule"]
    bots.note(BOT, "denied: risk.kill_switch_on")
    assert [line.verdict for line in bots.log_bar(bar)] == ["denied: risk.kill_switch_on"]


def test_pausing_withdraws_entries_and_stopping_does_with_the_position_what_was_asked() -> None:
    view = a_view(position_quantity=Decimal(1), entry_order_ids=(ClientOrderId("x"),))
    withdrawal = WithdrawEntry(ClientOrderId("x"))
    bot = a_bot()
    assert pause(bot, view) == [withdrawal]
    assert stop(a_bot(), StopPositions.KEEP, view) == [withdrawal]
    closing = a_bot()
    assert stop(closing, StopPositions.CLOSE, view) == [withdrawal, ExitPosition("bot stopped")]
    assert (bot.state, closing.state) == (BotState.PAUSED, BotState.STOPPING)


@pytest.mark.parametrize("state", [BotState.RUNNING, BotState.STOPPING])
def test_a_bot_that_runs_or_is_closing_cannot_be_started(state: BotState) -> None:
    with pytest.raises(IllegalBotTransition):
        start(a_bot(state))


def test_a_stopped_bot_cannot_be_paused() -> None:
    with pytest.raises(IllegalBotTransition):
        pause(a_bot(BotState.STOPPED), a_view())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"stop_loss_pct": Decimal(0)}, "stop_loss_pct"),
        ({"stop_loss_pct": Decimal(100)}, "stop_loss_pct"),
        ({"take_profit_pct": Decimal(-1)}, "take_profit_pct"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid, match=field):
        a_bot(**changes)
