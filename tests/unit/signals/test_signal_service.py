"""The signal service: one computation for all, closed bars once and in order, and a reason for every bar."""

import math
from dataclasses import replace
from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.candles import Candle
from tidegate.domain.errors import Invalid, NotFound
from tidegate.domain.ids import TraceId
from tidegate.domain.messages import (
    BarEvaluated,
    Signal,
    SignalArmed,
    SignalDisarmed,
    SignalTriggered,
    decode,
    encode,
)
from tidegate.domain.orders import Side
from tidegate.indicators.layout import Bar
from tidegate.signals.model import EXIT_REASON, SignalSpec, price_of, signal_spec
from tidegate.signals.service import SignalService
from tidegate.strategies.arming import ArmingOptions
from tidegate.strategies.catalogue import READY, Catalogue, described
from tidegate.strategies.ema_cross import EmaCross, EmaCrossParameters
from tidegate.strategies.protocol import Assessment

MINUTE_US = 60_000_000
TRACE = TraceId("trace-1")


def _candle(i: int, close: float, **changes: object) -> Candle:
    price = D(f"{close:.2f}")
    candle = Candle("BTC/USDT", "1m", i * MINUTE_US, price, price + 1, price - 1, price, D(3))
    return replace(candle, **changes)  # type: ignore[arg-type]


def _waves(count: int) -> list[Candle]:
    return [_candle(i, 100 + 5 * math.sin(i / 5) + 0.1 * i) for i in range(count)]


def _spec(
    strategy: str = "quantum_cipher", arming: dict[str, object] | None = None, **parameters: object
) -> SignalSpec:
    return signal_spec(strategy, "BTC/USDT", "1m", parameters=parameters, arming=arming)


def _heard(candles: list[Candle], *specs: SignalSpec) -> list[list[Signal]]:
    service = SignalService()
    for spec in specs or (_spec(),):
        service.require(spec)
    return [service.on_candle(candle, TraceId(f"trace-{candle.opened_at}")) for candle in candles]


def _bars_with(signals: list[list[Signal]], kind: type[Signal], **wanted: object) -> list[int]:
    return [
        i
        for i, bar in enumerate(signals)
        for one in bar
        if isinstance(one, kind) and all(getattr(one, name) == value for name, value in wanted.items())
    ]


def _verdict(bar: list[Signal]) -> str:
    assert isinstance(bar[-1], BarEvaluated)
    return bar[-1].verdict


class _Counted:
    """EMA cross that counts the bars it has assessed."""

    bars = 0

    def __init__(self, parameters: EmaCrossParameters, bar_us: int) -> None:
        self._inner = EmaCross(parameters, bar_us)
        self.warm_up_bars = self._inner.warm_up_bars
        self.settling_bars = self._inner.settling_bars

    def assess(self, bar: Bar) -> Assessment:
        _Counted.bars += 1
        return self._inner.assess(bar)


def _counting() -> Catalogue:
    _Counted.bars = 0
    entry = described(
        "counted", EmaCrossParameters, _Counted, title="", summary="", loses_when="", arming=ArmingOptions()
    )
    return {"counted": entry}


# ── what is said ────────────────────────────────────────────────────────────────────────────────────────


def test_green_dots_enter_and_red_dots_leave_on_the_bar_that_closed() -> None:
    signals = _heard(_waves(120), _spec(arming={"cooldown": 0}))
    assert _bars_with(signals, SignalTriggered, is_entry=True, side=Side.BUY) == [56, 87, 118]  # 24 is warm-up
    assert _bars_with(signals, SignalTriggered, is_entry=False, side=Side.SELL, reason=EXIT_REASON) == [39, 71, 102]


def test_every_bar_ends_with_its_evaluation() -> None:
    for i, bar in enumerate(_heard(_waves(60))):
        assert [type(one) for one in bar].count(BarEvaluated) == 1
        assert isinstance(bar[-1], BarEvaluated)
        assert bar[-1].bar_opened_at == i * MINUTE_US
        assert bar[-1].occurred_at == (i + 1) * MINUTE_US
        assert _verdict(bar)


def test_the_trace_of_the_candle_passes_through() -> None:
    for i, bar in enumerate(_heard(_waves(60))):
        assert {one.trace_id for one in bar} == {f"trace-{i * MINUTE_US}"}


def test_every_signal_survives_the_wire() -> None:
    for bar in _heard(_waves(120), _spec(arming={"sides": "both", "trigger": "stop_entry"})):
        assert [decode(encode(one)) for one in bar] == bar


def test_an_entry_carries_the_strategys_stop_and_target() -> None:
    bar = _heard(_waves(120), _spec(stop_atr=2.0, target_atr=0))[56]
    entry = next(one for one in bar if isinstance(one, SignalTriggered))
    evaluated = bar[-1]
    assert isinstance(evaluated, BarEvaluated) and entry.stop_loss_price is not None
    assert float(entry.stop_loss_price) == pytest.approx(float(entry.close) - 2 * evaluated.values["atr"])
    assert entry.take_profit_price is None


def test_a_stop_entry_names_where_the_order_waits_and_until_when() -> None:
    candles = _waves(120)
    signals = _heard(candles, _spec(arming={"trigger": "stop_entry", "max_wait": 4}))
    armed = next(one for one in signals[56] if isinstance(one, SignalArmed))
    assert armed.entry_price == candles[56].high
    assert armed.expires_at == candles[56].closes_at + 4 * MINUTE_US
    assert armed.invalidation_price is not None and armed.invalidation_price < candles[56].low
    assert _bars_with(signals, SignalTriggered, reason="stop_entry")[0] == 57


def test_a_set_up_that_dies_is_disarmed_with_its_reason() -> None:
    candles = [*_waves(57), _candle(57, 60.0)]
    signals = _heard(candles, _spec(arming={"trigger": "stop_entry"}))
    assert [(one.side, one.reason) for one in signals[57] if isinstance(one, SignalDisarmed)] == [
        (Side.BUY, "invalidated")
    ]
    assert _verdict(signals[57]) == "disarmed: invalidated"


def test_the_log_says_why_nothing_was_traded() -> None:
    signals = _heard(_waves(120), _spec(arming={"max_wait": 9, "trigger": "pullback", "invalidation_atr": 20}))
    verdicts = [_verdict(bar) for bar in signals]
    assert verdicts[0] == "warming up: 1 of 33 bars"
    assert verdicts[40].startswith("the wave has not crossed")
    assert verdicts[56] == "armed: waiting for pullback, 9 bars left"
    vetoed = [_verdict(bar) for bar in _heard(_waves(120), _spec(regime="calm"))]
    assert vetoed[60].startswith("warming up: 61 of")


def test_both_sides_are_watched_by_machines_of_their_own() -> None:
    signals = _heard(_waves(120), _spec(arming={"sides": "both", "cooldown": 0}))
    assert _bars_with(signals, SignalTriggered, is_entry=True, side=Side.SELL) == [39, 71, 102]
    assert _bars_with(signals, SignalTriggered, is_entry=False, side=Side.BUY) == [56, 87, 118]


# ── once, in order, without gaps ────────────────────────────────────────────────────────────────────────


def test_two_users_share_one_computation() -> None:
    catalogue = _counting()
    service = SignalService(catalogue)
    spec = signal_spec("counted", "BTC/USDT", "1m", catalogue=catalogue)
    same = signal_spec("counted", "BTC-USDT", "1m", parameters={"fast": 12}, catalogue=catalogue)
    assert service.require(spec) is True
    assert service.require(same) is False
    for candle in _waves(10):
        assert len(service.on_candle(candle, TRACE)) == 1
    assert _Counted.bars == 10


def test_the_last_user_takes_the_signal_along() -> None:
    service = SignalService()
    service.require(_spec())
    service.require(_spec())
    service.drop(_spec())
    assert service.on_candle(_candle(0, 100), TRACE)
    service.drop(_spec())
    assert service.on_candle(_candle(1, 100), TRACE) == []
    assert service.series == set()
    service.drop(_spec())


def test_signals_leave_in_the_order_of_their_keys_whoever_came_first() -> None:
    specs = [_spec(), _spec("ema_cross"), _spec("ema_cross", fast=5)]
    there, back = _heard(_waves(80), *specs), _heard(_waves(80), *reversed(specs))
    assert there == back
    assert [one.signal_key for one in there[0]] == sorted(spec.key for spec in specs)


def test_other_symbols_and_timeframes_are_not_heard() -> None:
    service = SignalService()
    service.require(_spec())
    assert service.on_candle(_candle(0, 100, symbol="ETH/USDT"), TRACE) == []
    assert service.on_candle(_candle(0, 100, timeframe="5m"), TRACE) == []


@given(st.lists(st.integers(0, 119), max_size=40))
@settings(max_examples=30, deadline=None)
def test_repeated_and_late_candles_change_nothing(again: list[int]) -> None:
    candles = _waves(120)
    disturbed: list[Candle] = []
    for i, candle in enumerate(candles):
        disturbed += [candle, *[candles[j] for j in again if j <= i and j % 7 == i % 7]]
    assert [bar for bar in _heard(disturbed) if bar] == _heard(candles)


def test_a_corrected_candle_is_noted_and_not_traded_again() -> None:
    service = SignalService()
    service.require(_spec(arming={"cooldown": 0}))
    candles = _waves(57)
    before = [service.on_candle(candle, TRACE) for candle in candles][-1]
    assert _bars_with([before], SignalTriggered) == [0]
    corrected = replace(candles[-1], close=D(200), revision=1)
    note = service.on_candle(corrected, TRACE)
    assert [type(one) for one in note] == [BarEvaluated]
    assert "corrected (revision 1)" in _verdict(note)
    assert service.on_candle(corrected, TRACE) == []
    undisturbed = _heard(_waves(58), _spec(arming={"cooldown": 0}))
    assert _verdict(service.on_candle(_waves(58)[57], TRACE)) == _verdict(undisturbed[57])


def test_a_gap_disarms_and_nothing_is_signalled_until_warm_again() -> None:
    service = SignalService()
    service.require(_spec(arming={"trigger": "pullback"}))
    for candle in _waves(57):
        service.on_candle(candle, TRACE)
    candles = _waves(200)
    after = [service.on_candle(candle, TRACE) for candle in candles[60:]]
    assert [one.reason for one in after[0] if isinstance(one, SignalDisarmed)] == ["gap"]
    assert _verdict(after[0]) == "warming up anew after a gap of 3 bars: 1 of 33 bars"
    assert all(len(bar) == 1 for bar in after[1:32])
    assert not _verdict(after[32]).startswith("warming up")


def test_history_warms_up_in_silence_and_later_bars_are_the_same_as_without_a_break() -> None:
    candles, spec = _waves(120), _spec()
    whole = _heard(candles)
    for cut in (10, 57, 58, 90):
        service = SignalService()
        service.require(spec)
        service.warm_up(candles[:cut])
        rest = [service.on_candle(candle, TraceId(f"trace-{candle.opened_at}")) for candle in candles[cut:]]
        assert rest == whole[cut:]


def test_history_for_a_new_signal_leaves_the_running_ones_alone() -> None:
    service = SignalService()
    service.require(_spec())
    service.warm_up(_waves(60))
    service.require(_spec("ema_cross"))
    service.warm_up(_waves(60), _spec("ema_cross"))
    last = service.on_candle(_waves(61)[60], TRACE)
    assert [one for one in last if isinstance(one, BarEvaluated) and one.verdict.startswith("warming")] == []
    assert service.settling_bars(_spec("ema_cross")) >= 4 * 26


# ── what is asked for ───────────────────────────────────────────────────────────────────────────────────


def test_the_key_names_everything_that_changes_the_signal() -> None:
    keys = {
        _spec().key,
        _spec(channel=10).key,
        _spec(arming={"cooldown": 4}).key,
        _spec("ema_cross").key,
        signal_spec("ema_cross", "ETH/USDT", "1m").key,
        signal_spec("ema_cross", "ETH/USDT", "5m").key,
    }
    assert len(keys) == 6
    assert _spec(channel=9, arming={"cooldown": 3}).key == _spec().key


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        ({"strategy": "macd"}, NotFound, "macd"),
        ({"symbol": "BTCUSDT"}, Invalid, "symbol"),
        ({"timeframe": "1x"}, Invalid, "timeframe"),
        ({"parameters": {"fast": 0}}, Invalid, "fast of ema_cross must be a whole number from 2 to 500"),
        ({"arming": {"wait": 1}}, Invalid, "arming has no parameter 'wait'"),
        ({"arming": {"max_wait": 501}}, Invalid, "max_wait of arming"),
    ],
)
def test_a_wrong_spec_is_refused_by_name(change: dict[str, object], kind: type[Exception], sentence: str) -> None:
    asked: dict[str, object] = {"strategy": "ema_cross", "symbol": "BTC/USDT", "timeframe": "1m", **change}
    with pytest.raises(kind, match=sentence):
        signal_spec(**asked)  # type: ignore[arg-type]


@given(st.decimals("0.00000001", 999_999, places=8))
def test_a_price_comes_back_as_the_decimal_it_was_made_of(price: D) -> None:
    assert price_of(float(price)) == price


def test_every_ready_strategy_can_be_watched() -> None:
    for name in READY:
        assert _heard(_waves(80), _spec(name))[-1]
