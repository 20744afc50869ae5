"""Oscillators: RSI, stochastic RSI, wave trend, money flow."""

import math
from typing import NamedTuple

from tidegate.indicators.averages import (
    ema_state,
    ema_step,
    sma_state,
    sma_step,
    wilder_state,
    wilder_step,
    window_highest,
    window_lowest,
    window_push,
    window_state,
)
from tidegate.indicators.layout import Bar, State, joined, part


def rsi_state(length: int) -> State:
    """Wilder's relative strength index."""
    return joined([math.nan], wilder_state(length), wilder_state(length))


def rsi_step(state: State, at: int, x: float) -> float:
    """0 to 100; 50 as long as nothing has ever moved."""
    if math.isnan(x):
        return math.nan
    previous = state[at + 2]
    state[at + 2] = x
    if math.isnan(previous):
        return math.nan
    change = x - previous
    gain = wilder_step(state, part(state, at, 0), max(change, 0.0))
    loss = wilder_step(state, part(state, at, 1), max(-change, 0.0))
    if math.isnan(gain):
        return math.nan
    if gain + loss == 0.0:
        return 50.0
    return 100.0 * gain / (gain + loss)


def rsi_first_valid(length: int) -> int:
    return length


class StochRsi(NamedTuple):
    """%K and its average %D, 0 to 100."""

    k: float
    d: float


def stoch_rsi_state(rsi_length: int = 14, stoch_length: int = 14, k: int = 3, d: int = 3) -> State:
    """Where the RSI of ln(close) stands within its own recent range."""
    return joined([0.0], rsi_state(rsi_length), window_state(stoch_length), sma_state(k), sma_state(d))


def stoch_rsi_step(state: State, at: int, close: float) -> StochRsi:
    """An RSI that has not moved within the window repeats the previous value (0 at first)."""
    rsi = rsi_step(state, part(state, at, 0), math.log(close))
    window = part(state, at, 1)
    if math.isnan(rsi) or not window_push(state, window, rsi):
        return StochRsi(math.nan, math.nan)
    lowest = window_lowest(state, window)
    span = window_highest(state, window) - lowest
    if span > 0.0:
        state[at + 4] = 100.0 * (rsi - lowest) / span
    k = sma_step(state, part(state, at, 2), state[at + 4])
    return StochRsi(k, sma_step(state, part(state, at, 3), k))


def stoch_rsi_first_valid(rsi_length: int = 14, stoch_length: int = 14, k: int = 3, d: int = 3) -> StochRsi:
    first_k = rsi_length + stoch_length - 1 + k - 1
    return StochRsi(first_k, first_k + d - 1)


class WaveTrend(NamedTuple):
    """The wave and its signal line."""

    wt1: float
    wt2: float


def wave_trend_state(channel: int = 9, average: int = 12, signal: int = 3) -> State:
    """LazyBear's wave trend; the original lengths are 10, 21, 4, the cipher uses 9, 12, 3."""
    return joined([], ema_state(channel), ema_state(channel), ema_state(average), sma_state(signal))


def wave_trend_step(state: State, at: int, typical_price: float) -> WaveTrend:
    """`typical_price` is (high + low + close) / 3; a market that never moved gives 0."""
    centre = ema_step(state, part(state, at, 0), typical_price)
    deviation = ema_step(state, part(state, at, 1), abs(typical_price - centre))
    index = 0.0 if deviation == 0.0 else (typical_price - centre) / (0.015 * deviation)
    wt1 = ema_step(state, part(state, at, 2), index)
    return WaveTrend(wt1, sma_step(state, part(state, at, 3), wt1))


def wave_trend_first_valid(channel: int = 9, average: int = 12, signal: int = 3) -> WaveTrend:
    return WaveTrend(0, signal - 1)


def money_flow_state(length: int = 60) -> State:
    """Where bars close within their range, averaged."""
    return sma_state(length)


def money_flow_step(state: State, at: int, bar: Bar) -> float:
    """SMA of (close - open) / (high - low) · 150, less 2.5; a bar without range counts 0."""
    span = bar.high - bar.low
    return sma_step(state, at, 0.0 if span == 0.0 else (bar.close - bar.open) / span * 150.0) - 2.5


def money_flow_first_valid(length: int = 60) -> int:
    return length - 1
