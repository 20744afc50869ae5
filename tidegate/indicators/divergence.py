"""Five-bar fractals of an oscillator, and where price and oscillator disagree between two of them."""

import math
from typing import NamedTuple

from tidegate.indicators.averages import window_push, window_state, window_value
from tidegate.indicators.layout import State, joined, part

DOT_DELAY = 2  # bars from the fractal (where charts draw the dot) to the bar that proves it
_TOP_LIMIT, _BOTTOM_LIMIT = 3, 4
_TOP, _TOP_PRICE, _BOTTOM, _BOTTOM_PRICE = 5, 6, 7, 8


class Divergence(NamedTuple):
    """What a bar proves about the fractal two bars before it; 1 or 0 each, and the fractals' own values or `nan`."""

    bearish: float
    bullish: float
    hidden_bearish: float
    hidden_bullish: float
    top: float
    bottom: float


def divergence_state(top_limit: float = -math.inf, bottom_limit: float = math.inf) -> State:
    """Only tops of at least `top_limit` and bottoms of at most `bottom_limit` count, now and as the previous one."""
    own = [top_limit, bottom_limit, math.nan, math.nan, math.nan, math.nan]
    return joined(own, window_state(5), window_state(3), window_state(3))


def divergence_step(state: State, at: int, x: float, prices: tuple[float, float]) -> Divergence:
    """`x` is the oscillator and `prices` (high, low) of the bar.

    Bearish: price made a higher high and the oscillator a lower one; hidden bearish: the other way round.
    """
    values, highs, lows = part(state, at, 0), part(state, at, 1), part(state, at, 2)
    window_push(state, highs, prices[0])
    window_push(state, lows, prices[1])
    if math.isnan(x) or not window_push(state, values, x):
        return Divergence(0.0, 0.0, 0.0, 0.0, math.nan, math.nan)
    bearish = bullish = hidden_bearish = hidden_bullish = 0.0
    top = bottom = math.nan
    middle = window_value(state, values, DOT_DELAY)
    if middle >= state[at + _TOP_LIMIT] and _stands_out(state, values, middle, 1.0):
        top, price = middle, window_value(state, highs, DOT_DELAY)
        bearish = 1.0 if price > state[at + _TOP_PRICE] and top < state[at + _TOP] else 0.0
        hidden_bearish = 1.0 if price < state[at + _TOP_PRICE] and top > state[at + _TOP] else 0.0
        state[at + _TOP], state[at + _TOP_PRICE] = top, price
    if middle <= state[at + _BOTTOM_LIMIT] and _stands_out(state, values, middle, -1.0):
        bottom, price = middle, window_value(state, lows, DOT_DELAY)
        bullish = 1.0 if price < state[at + _BOTTOM_PRICE] and bottom > state[at + _BOTTOM] else 0.0
        hidden_bullish = 1.0 if price > state[at + _BOTTOM_PRICE] and bottom < state[at + _BOTTOM] else 0.0
        state[at + _BOTTOM], state[at + _BOTTOM_PRICE] = bottom, price
    return Divergence(bearish, bullish, hidden_bearish, hidden_bullish, top, bottom)


def divergence_first_valid() -> int:
    """Bars after the oscillator's own first value at which a fractal can be proven."""
    return 4


def _stands_out(state: State, values: int, middle: float, sign: float) -> bool:
    return (
        sign * middle > sign * window_value(state, values, 0)
        and sign * middle > sign * window_value(state, values, 1)
        and sign * middle > sign * window_value(state, values, 3)
        and sign * middle > sign * window_value(state, values, 4)
    )
