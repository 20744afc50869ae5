"""How far and how straight a market moves: true range, ADX, choppiness, efficiency ratio."""

import math
from typing import NamedTuple

from tidegate.indicators.averages import (
    wilder_state,
    wilder_step,
    window_highest,
    window_lowest,
    window_push,
    window_state,
    window_sum,
    window_value,
)
from tidegate.indicators.layout import Bar, State, joined, part


def true_range(bar: Bar, previous_close: float) -> float:
    """The range including the gap from the previous close (`nan` for none: high - low)."""
    if math.isnan(previous_close):
        return bar.high - bar.low
    return max(bar.high, previous_close) - min(bar.low, previous_close)


def atr_state(length: int = 14) -> State:
    """Wilder's average true range."""
    return joined([math.nan], wilder_state(length))


def atr_step(state: State, at: int, bar: Bar) -> float:
    """In quote per base; the first bar counts with high - low."""
    spread = true_range(bar, state[at + 1])
    state[at + 1] = bar.close
    return wilder_step(state, part(state, at, 0), spread)


def atr_first_valid(length: int = 14) -> int:
    return length - 1


class Adx(NamedTuple):
    """Strength of a trend without its sign, and the two directions; each 0 to 100."""

    adx: float
    plus_di: float
    minus_di: float


def adx_state(length: int = 14) -> State:
    """Wilder's directional movement."""
    four = [wilder_state(length) for _ in range(4)]
    return joined([math.nan, math.nan, math.nan], *four)


def adx_step(state: State, at: int, bar: Bar) -> Adx:
    """Movement counts from the second bar on; a market without range has no direction (0)."""
    high, low, close = state[at + 4], state[at + 5], state[at + 6]
    state[at + 4], state[at + 5], state[at + 6] = bar.high, bar.low, bar.close
    if math.isnan(close):
        return Adx(math.nan, math.nan, math.nan)
    up, down = bar.high - high, low - bar.low
    rise = wilder_step(state, part(state, at, 0), up if up > down and up > 0.0 else 0.0)
    fall = wilder_step(state, part(state, at, 1), down if down > up and down > 0.0 else 0.0)
    spread = wilder_step(state, part(state, at, 2), true_range(bar, close))
    if math.isnan(spread):
        return Adx(math.nan, math.nan, math.nan)
    plus_di = 0.0 if spread == 0.0 else 100.0 * rise / spread
    minus_di = 0.0 if spread == 0.0 else 100.0 * fall / spread
    both = plus_di + minus_di
    index = 0.0 if both == 0.0 else 100.0 * abs(plus_di - minus_di) / both
    return Adx(wilder_step(state, part(state, at, 3), index), plus_di, minus_di)


def adx_first_valid(length: int = 14) -> Adx:
    return Adx(2 * length - 1, length, length)


def choppiness_state(length: int = 14) -> State:
    """Share of movement that led nowhere."""
    return joined([math.nan, 0.0], window_state(length), window_state(length), window_state(length))


def choppiness_step(state: State, at: int, bar: Bar) -> float:
    """100 · log10(Σ true range / (highest high - lowest low)) / log10(length); no range at all repeats the last."""
    ranges, highs, lows = part(state, at, 0), part(state, at, 1), part(state, at, 2)
    window_push(state, highs, bar.high)
    window_push(state, lows, bar.low)
    full = window_push(state, ranges, true_range(bar, state[at + 3]))
    state[at + 3] = bar.close
    if not full:
        return math.nan
    span = window_highest(state, highs) - window_lowest(state, lows)
    if span > 0.0:
        state[at + 4] = 100.0 * math.log10(window_sum(state, ranges) / span) / math.log10(state[ranges])
    return state[at + 4]


def choppiness_first_valid(length: int = 14) -> int:
    return length - 1


def efficiency_ratio_state(length: int = 20) -> State:
    """Kaufman's efficiency ratio."""
    return joined([], window_state(length + 1), window_state(length))


def efficiency_ratio_step(state: State, at: int, close: float) -> float:
    """|close - close `length` bars ago| / Σ|change| of just those bars: 0 noise, 1 a straight line; still is 0."""
    closes, changes = part(state, at, 0), part(state, at, 1)
    if state[closes + 1] > 0.0:
        window_push(state, changes, abs(close - window_value(state, closes, 0)))
    if not window_push(state, closes, close):
        return math.nan
    path = window_sum(state, changes)
    return 0.0 if path == 0.0 else abs(close - window_value(state, closes, int(state[changes]))) / path


def efficiency_ratio_first_valid(length: int = 20) -> int:
    return length
