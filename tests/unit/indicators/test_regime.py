"""The regime: who votes, when it switches, and where volatility stands among its own past."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.indicators.layout import Bar, batch
from tidegate.indicators.regime import (
    DOWNTREND,
    NORMAL,
    QUIET,
    RANGE,
    UNKNOWN,
    UPTREND,
    WILD,
    Regime,
    regime_first_valid,
    regime_state,
    regime_step,
)
from tidegate.indicators.trend import atr_state, atr_step
from tidegate.kit.ids import seeded_random

DAY_US = 86_400_000_000


def _bars(closes: list[float], spread: float = 0.5) -> list[Bar]:
    return [Bar(float(i * DAY_US), c, c + spread, c - spread, c, 1.0) for i, c in enumerate(closes)]


def _regimes(closes: list[float]) -> list[Regime]:
    return batch(regime_step, regime_state(DAY_US), _bars(closes))


def test_a_straight_rise_is_an_uptrend_and_a_straight_fall_a_downtrend() -> None:
    assert _regimes([100.0 + i for i in range(60)])[-1].trend == UPTREND
    assert _regimes([200.0 - i for i in range(60)])[-1].trend == DOWNTREND


def test_a_market_that_goes_to_and_fro_is_a_range() -> None:
    assert _regimes([100.0 + (i % 2) for i in range(60)])[-1].trend == RANGE


def test_nothing_is_known_before_first_valid() -> None:
    first = regime_first_valid(DAY_US)
    trends = [one.trend for one in _regimes([100.0 + i for i in range(60)])]
    assert trends.index(UPTREND) == first.trend
    volatilities = [one.volatility for one in _regimes([100.0 + i for i in range(60)])]
    assert next(i for i, one in enumerate(volatilities) if one != UNKNOWN) == first.volatility


def _call(one: Regime, adx_vote: float) -> float:
    chop = -1 if one.choppiness > 61.8 else 1 if one.choppiness < 38.2 else 0
    path = 1 if one.efficiency > 0.35 else -1 if one.efficiency < 0.2 else 0
    votes = adx_vote + chop + path
    if votes >= 2:
        return UPTREND if one.plus_di > one.minus_di else DOWNTREND
    return RANGE if votes <= -2 else UNKNOWN


@given(st.lists(st.floats(-2.0, 2.0), min_size=60, max_size=200))
@settings(max_examples=50, deadline=None)
def test_two_of_three_decide_and_only_three_bars_in_a_row_switch(moves: list[float]) -> None:
    closes = [100.0]
    for i, move in enumerate(moves):
        closes.append(max(20.0, closes[-1] + move + (1.0 if i % 80 < 40 else 0.0)))
    adx_vote, current, calls = 0.0, UNKNOWN, [UNKNOWN] * 3
    for one in _regimes(closes):
        adx_vote = 1.0 if one.adx > 25 else -1.0 if one.adx < 20 else adx_vote
        calls = [*calls[1:], _call(one, adx_vote)]
        if calls[0] == calls[1] == calls[2] != UNKNOWN:
            current = calls[0]
        assert one.trend == current


@pytest.mark.parametrize("seed", range(12))
def test_volatility_is_ranked_among_the_last_ninety_days(seed: int) -> None:
    random = seeded_random(seed)
    spreads = [random.uniform(0.1, 8.0) if random.random() < 0.3 else random.uniform(2, 3) for _ in range(300)]
    bars = [Bar(float(i * DAY_US), 100.0, 100.0 + s, 100.0 - s, 100.0, 1.0) for i, s in enumerate(spreads)]
    shares = [atr / 100.0 for atr in batch(atr_step, atr_state(14), bars)]
    current, calls = UNKNOWN, [UNKNOWN] * 3
    for i, one in enumerate(batch(regime_step, regime_state(DAY_US), bars)):
        earlier = [share for share in shares[max(0, i - 90) : i] if not math.isnan(share)]
        call = UNKNOWN
        if len(earlier) >= 30:
            below = sum(share < shares[i] for share in earlier)
            call = WILD if below > 0.8 * len(earlier) else QUIET if below < 0.2 * len(earlier) else NORMAL
        calls = [*calls[1:], call]
        if calls[0] == calls[1] == calls[2] != UNKNOWN:
            current = calls[0]
        assert one.volatility == current, i
