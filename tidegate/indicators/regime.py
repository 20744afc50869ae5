"""Regime: does the market trend or range, and is it wild or quiet? A filter, not a forecast; causal only.

ADX, choppiness and efficiency ratio vote, two of three decide; the volatility is where ATR / close stands among its own
last 90 days. Both switch only after the new state has held for 3 bars.
"""

import math
from typing import NamedTuple

from tidegate.indicators.layout import Bar, State, joined, part
from tidegate.indicators.trend import (
    adx_state,
    adx_step,
    atr_first_valid,
    atr_state,
    atr_step,
    choppiness_state,
    choppiness_step,
    efficiency_ratio_first_valid,
    efficiency_ratio_state,
    efficiency_ratio_step,
)

UNKNOWN = 0.0
UPTREND, DOWNTREND, RANGE = 1.0, -1.0, 2.0
QUIET, NORMAL, WILD = 1.0, 2.0, 3.0

ADX_TREND, ADX_RANGE = 25.0, 20.0  # between them the last vote stands
CHOPPINESS_RANGE, CHOPPINESS_TREND = 61.8, 38.2
EFFICIENCY_TREND, EFFICIENCY_RANGE = 0.35, 0.2  # a random walk over 20 bars has about 0.22
SWITCH_BARS = 3

PERCENTILE_WILD, PERCENTILE_QUIET = 0.8, 0.2
WINDOW_US = 90 * 86_400 * 1_000_000
SAMPLES_MAX = 2_160  # one an hour; shorter bars are sampled evenly over the 90 days
SAMPLES_MIN = 30

_TREND, _VOLATILITY, _ADX_VOTE = 5, 8, 11


class Regime(NamedTuple):
    """`trend` and `volatility` are this module's constants, `UNKNOWN` before their first switch."""

    trend: float
    volatility: float
    adx: float
    plus_di: float
    minus_di: float
    choppiness: float
    efficiency: float
    atr: float  # quote per base


class RegimeFirstValid(NamedTuple):
    """The earliest bar (from 0) at which a regime can be known."""

    trend: int
    volatility: int


def regime_state(bar_us: int) -> State:
    """`bar_us` is the length of the bars; it sets how many make 90 days."""
    switches = [UNKNOWN, UNKNOWN, 0.0] * 2
    own = [*switches, 0.0]
    rank = _rank_state(*_sampling(bar_us))
    return joined(own, adx_state(14), choppiness_state(14), efficiency_ratio_state(20), atr_state(14), rank)


def regime_step(state: State, at: int, bar: Bar) -> Regime:
    """The regime as it is known at the close of this bar."""
    adx = adx_step(state, part(state, at, 0), bar)
    choppiness = choppiness_step(state, part(state, at, 1), bar)
    efficiency = efficiency_ratio_step(state, part(state, at, 2), bar.close)
    atr = atr_step(state, part(state, at, 3), bar)
    if adx.adx > ADX_TREND:
        state[at + _ADX_VOTE] = 1.0
    elif adx.adx < ADX_RANGE:
        state[at + _ADX_VOTE] = -1.0
    votes = (
        state[at + _ADX_VOTE]
        + _vote(-choppiness, -CHOPPINESS_TREND, -CHOPPINESS_RANGE)
        + _vote(efficiency, EFFICIENCY_TREND, EFFICIENCY_RANGE)
    )
    seen = UNKNOWN
    if votes >= 2.0:
        seen = UPTREND if adx.plus_di > adx.minus_di else DOWNTREND
    elif votes <= -2.0:
        seen = RANGE
    return Regime(
        trend=_switched(state, at + _TREND, seen),
        volatility=_switched(state, at + _VOLATILITY, _rank_step(state, part(state, at, 4), atr / bar.close)),
        adx=adx.adx,
        plus_di=adx.plus_di,
        minus_di=adx.minus_di,
        choppiness=choppiness,
        efficiency=efficiency,
        atr=atr,
    )


def regime_first_valid(bar_us: int) -> RegimeFirstValid:
    _, stride, samples_min = _sampling(bar_us)
    hold = SWITCH_BARS - 1
    first_sample = atr_first_valid(14)
    first_rank = first_sample + (samples_min - 1) * stride + 1
    return RegimeFirstValid(efficiency_ratio_first_valid(20) + hold, first_rank + hold)


def _vote(x: float, trend_above: float, range_below: float) -> float:
    if x > trend_above:
        return 1.0
    return -1.0 if x < range_below else 0.0


def _switched(state: State, at: int, seen: float) -> float:
    """[current, candidate, bars the candidate has held]; a bar without a call begins the count anew."""
    if seen in (UNKNOWN, state[at]):
        state[at + 2] = 0.0
    elif seen == state[at + 1]:
        state[at + 2] += 1.0
    else:
        state[at + 1], state[at + 2] = seen, 1.0
    if state[at + 2] >= SWITCH_BARS:
        state[at], state[at + 2] = seen, 0.0
    return state[at]


def _sampling(bar_us: int) -> tuple[int, int, int]:
    """How many samples are kept, how many bars lie between two, and how many must be there before a call."""
    bars = max(1, WINDOW_US // bar_us)
    samples = min(SAMPLES_MAX, bars)
    return samples, max(1, bars // samples), min(SAMPLES_MIN, samples)


# Where a value stands among the last samples: [capacity, stride, samples needed, bars until the next sample, how many,
# slot of the oldest], then the samples in time order and again in order of value.
_RANK_HEAD = 6


def _rank_state(capacity: int, stride: int, needed: int) -> State:
    return [float(capacity), float(stride), float(needed), 0.0, 0.0, 0.0, *([0.0] * (2 * capacity))]


def _rank_step(state: State, at: int, x: float) -> float:
    """Wild above 80 % of the earlier samples, quiet below 80 % of them; `UNKNOWN` before enough are there."""
    if math.isnan(x):
        return UNKNOWN
    capacity, count = int(state[at]), int(state[at + 4])
    ordered = at + _RANK_HEAD + capacity
    seen = UNKNOWN
    if count >= state[at + 2]:
        seen = NORMAL
        if state[ordered + min(count - 1, math.floor(PERCENTILE_WILD * count))] < x:
            seen = WILD
        elif state[ordered + math.ceil(PERCENTILE_QUIET * count) - 1] >= x:
            seen = QUIET
    if state[at + 3] > 0.0:
        state[at + 3] -= 1.0
        return seen
    state[at + 3] = state[at + 1] - 1.0
    slot = at + _RANK_HEAD + int(state[at + 5])
    if count == capacity:
        _replace_ordered(state, ordered, count, (state[slot], x))
    else:
        state[at + 4] += 1.0
        _insert_ordered(state, ordered, count, x)
    state[slot] = x
    state[at + 5] = float((int(state[at + 5]) + 1) % capacity)
    return seen


def _insert_ordered(state: State, begin: int, count: int, x: float) -> None:
    i = begin + count
    while i > begin and state[i - 1] > x:
        state[i] = state[i - 1]
        i -= 1
    state[i] = x


def _replace_ordered(state: State, begin: int, count: int, change: tuple[float, float]) -> None:
    """Take `change[0]` out of the ordered run and put `change[1]` in, moving only what lies between them."""
    old, new = change
    low, high = begin, begin + count - 1
    while low < high:
        middle = (low + high) // 2
        if state[middle] < old:
            low = middle + 1
        else:
            high = middle
    last = begin + count - 1
    while low < last and state[low + 1] < new:
        state[low] = state[low + 1]
        low += 1
    while low > begin and state[low - 1] > new:
        state[low] = state[low - 1]
        low -= 1
    state[low] = new
