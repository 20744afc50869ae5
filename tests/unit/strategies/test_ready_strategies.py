"""The ready strategies say what their pages promise."""

import math

import pytest

from tidegate.domain.errors import Invalid, NotFound
from tidegate.domain.orders import Side
from tidegate.indicators.averages import ema_state, ema_step
from tidegate.indicators.layout import Bar, batch
from tidegate.indicators.oscillators import rsi_state, rsi_step
from tidegate.strategies.catalogue import READY, entry_of
from tidegate.strategies.ema_cross import EmaCrossParameters
from tidegate.strategies.parameters import checked, specs_of, text_of, values_of
from tidegate.strategies.protocol import Assessment

MINUTE_US = 60_000_000


def _bars(count: int) -> list[Bar]:
    closes = [100 + 5 * math.sin(i / 5) + 0.1 * i for i in range(count)]
    return [Bar(float(i * MINUTE_US), closes[max(0, i - 1)], c + 1, c - 1, c, 1.0) for i, c in enumerate(closes)]


def _assess(name: str, bars: list[Bar], **parameters: object) -> list[Assessment]:
    strategy = READY[name].build(parameters, MINUTE_US)
    return [strategy.assess(bar) for bar in bars]


def test_ema_cross_sets_up_where_the_averages_cross_and_confirms_below_the_rsi_bound() -> None:
    bars = _bars(200)
    closes = [bar.close for bar in bars]
    gap = [
        fast - slow
        for fast, slow in zip(
            batch(ema_step, ema_state(5), closes), batch(ema_step, ema_state(13), closes), strict=True
        )
    ]
    rsi = batch(rsi_step, rsi_state(14), closes)
    seen = _assess("ema_cross", bars, fast=5, slow=13, rsi_bound=60)
    for i in range(14, 200):
        crossed = Side.BUY if gap[i - 1] < 0 < gap[i] else Side.SELL if gap[i - 1] > 0 > gap[i] else None
        assert seen[i].setup is crossed
        assert seen[i].leaves is (crossed.opposite if crossed else None)
        assert (seen[i].confirms is Side.BUY) == (gap[i] > 0 and rsi[i] < 60)
    assert {one.setup for one in seen} == {None, Side.BUY, Side.SELL}


def test_quantum_cipher_enters_on_green_dots_and_leaves_on_red_ones() -> None:
    seen = _assess("quantum_cipher", _bars(120))
    assert [i for i, one in enumerate(seen) if one.setup is Side.BUY] == [24, 56, 87, 118]
    assert [i for i, one in enumerate(seen) if one.leaves is Side.BUY] == [7, 39, 71, 102]
    assert all(seen[i].confirms is Side.BUY for i in (24, 56, 87, 118))


@pytest.mark.parametrize("name", sorted(READY))
def test_a_strategy_is_ready_exactly_when_it_is_warm(name: str) -> None:
    strategy = READY[name].build({}, MINUTE_US)
    ready = [strategy.assess(bar).is_ready for bar in _bars(120)]
    assert ready.index(True) == strategy.warm_up_bars - 1
    assert strategy.settling_bars >= strategy.warm_up_bars


@pytest.mark.parametrize("name", sorted(READY))
def test_all_numbers_exist_once_a_strategy_is_ready(name: str) -> None:
    first = next(one for one in _assess(name, _bars(120), regime="trend") if one.is_ready)
    known = {"atr", "rsi", "regime"} | ({"ema_slow"} if name == "ema_cross" else {"wt1", "wt2"})
    assert not [key for key in known if math.isnan(first.values[key])]
    assert first.stop_distance == 2 * first.atr > 0


@pytest.mark.parametrize("name", sorted(READY))
def test_the_regime_filter_vetoes_what_is_not_wanted_and_what_is_not_known(name: str) -> None:
    rise = [Bar(float(i * MINUTE_US), 100.0 + i, 101.0 + i, 99.5 + i, 100.5 + i, 1.0) for i in range(80)]
    assert _assess(name, rise, regime="range")[-1].veto == "the regime is uptrend, range is wanted"
    assert _assess(name, rise, regime="trend")[-1].veto == ""
    assert _assess(name, rise, regime="calm")[-1].veto == "the volatility regime is not known yet"
    assert _assess(name, rise)[-1].veto == ""


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"fastt": 3}, "ema_cross has no parameter 'fastt'; it has fast, slow"),
        ({"fast": 1}, "fast of ema_cross must be a whole number from 2 to 500, not 1"),
        ({"fast": 501}, "from 2 to 500, not 501"),
        ({"fast": 5.5}, "a whole number"),
        ({"fast": True}, "not True"),
        ({"fast": "12"}, "not '12'"),
        ({"rsi_bound": 100.1}, "a number from 1 to 100, not 100.1"),
        ({"rsi_bound": math.nan}, "not nan"),
        ({"regime": "bull"}, "one of any, trend, range, calm, not 'bull'"),
        ({"fast": 30, "slow": 30}, "fast of ema_cross must be below slow"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_range(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        READY["ema_cross"].build(given, MINUTE_US)
    assert sentence in str(caught.value)


def test_the_bounds_of_a_range_are_allowed() -> None:
    assert checked(EmaCrossParameters, {"fast": 2, "slow": 3, "rsi_bound": 100}, "ema_cross").rsi_bound == 100.0
    checked(EmaCrossParameters, {"fast": 500, "slow": 1000, "rsi_bound": 1}, "ema_cross")


def test_parameters_make_the_same_text_however_defaults_are_written() -> None:
    spelled = checked(EmaCrossParameters, {"fast": 12, "rsi_bound": 70}, "ema_cross")
    assert text_of(spelled) == text_of(EmaCrossParameters())
    assert checked(EmaCrossParameters, values_of(spelled), "ema_cross") == spelled


@pytest.mark.parametrize("name", sorted(READY))
def test_every_parameter_is_documented_and_its_default_allowed(name: str) -> None:
    for spec in specs_of(READY[name].parameters):
        assert spec.doc
        checked(READY[name].parameters, {spec.name: spec.default}, name)
    assert READY[name].loses_when


def test_an_unknown_strategy_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"'macd'; there is ema_cross, quantum_cipher"):
        entry_of(READY, "macd")
