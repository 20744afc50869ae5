"""Quantum Cipher: wave trend, money flow, RSI and stochastic RSI read together; dots, divergences, gold and flags.

Nothing repaints: a divergence is told on the bar that proves it, two bars after the dot that charts draw, and a flag
reads only higher bars that have closed.
"""

import math
from typing import NamedTuple

from tidegate.indicators.averages import cross_state, cross_step, window_value
from tidegate.indicators.divergence import DOT_DELAY, divergence_state, divergence_step
from tidegate.indicators.layout import Bar, State, joined, part
from tidegate.indicators.oscillators import (
    money_flow_state,
    money_flow_step,
    rsi_state,
    rsi_step,
    stoch_rsi_state,
    stoch_rsi_step,
    wave_trend_state,
    wave_trend_step,
)

OVERSOLD, OVERBOUGHT = -53.0, 53.0
GOLD_LEVEL, GOLD_RISE, GOLD_RSI = -75.0, 5.0, 30.0
FLAG_BAR_US = 12 * 3_600 * 1_000_000

_WAVE, _FLOW, _RSI, _STOCH, _CROSS, _WAVE_DIVERGENCE, _WAVE_SECOND, _WAVE_HIDDEN = range(8)
_RSI_DIVERGENCE, _STOCH_DIVERGENCE, _HIGHER = 8, 9, 10
# Own floats: the two levels, whether hidden divergences are wanted, then (wt2, rsi) of the last proven wave bottom
# as it is known now, was known one bar ago and two bars ago.
_OVERSOLD, _OVERBOUGHT, _HIDDEN, _BOTTOM = 11, 12, 13, 14


class Cipher(NamedTuple):
    """One bar of the cipher; what happened is 1 or 0, `cross` is 1 (up), -1 (down) or 0."""

    wt1: float
    wt2: float
    fast: float  # wt1 - wt2
    money_flow: float
    rsi: float
    stoch_k: float
    stoch_d: float
    cross: float
    buy: float  # green dot: cross up while oversold
    sell: float  # red dot: cross down while overbought
    bearish: float
    bullish: float
    second_bearish: float  # the same with the weaker limits
    second_bullish: float
    hidden_bearish: float
    hidden_bullish: float
    rsi_bearish: float
    rsi_bullish: float
    stoch_bearish: float
    stoch_bullish: float
    gold: float
    bull_flag: float
    bear_flag: float


class CipherFirstValid(NamedTuple):
    """The bar (from 0) of each first number; a dot can appear one bar after `wt2`."""

    wt1: int
    wt2: int
    money_flow: int
    rsi: int
    stoch_k: int
    stoch_d: int
    bearish: int  # as bullish, second and hidden ones
    rsi_bearish: int
    stoch_bearish: int


def cipher_state(
    *,
    channel: int = 9,
    average: int = 12,
    signal: int = 3,
    oversold: float = OVERSOLD,
    overbought: float = OVERBOUGHT,
    bar_us: int = 0,
    hidden: bool = False,
) -> State:
    """`bar_us` is the length of the bars; 0, or bars of 12 hours and more, leave the flags off."""
    own = [oversold, overbought, float(hidden), *([math.nan] * 6)]
    return joined(
        own,
        wave_trend_state(channel, average, signal),
        money_flow_state(),
        rsi_state(14),
        stoch_rsi_state(),
        cross_state(),
        divergence_state(45.0, -65.0),
        divergence_state(15.0, -40.0),
        divergence_state(),
        divergence_state(60.0, 30.0),
        divergence_state(),
        _higher_state(channel, average, signal, bar_us),
    )


def cipher_step(state: State, at: int, bar: Bar) -> Cipher:
    """All outputs of one closed bar."""
    wave = wave_trend_step(state, part(state, at, _WAVE), (bar.high + bar.low + bar.close) / 3.0)
    flow = money_flow_step(state, part(state, at, _FLOW), bar)
    rsi = rsi_step(state, part(state, at, _RSI), bar.close)
    stoch = stoch_rsi_step(state, part(state, at, _STOCH), bar.close)
    fast = wave.wt1 - wave.wt2
    cross = cross_step(state, part(state, at, _CROSS), fast)
    prices = (bar.high, bar.low)
    main = divergence_step(state, part(state, at, _WAVE_DIVERGENCE), wave.wt2, prices)
    second = divergence_step(state, part(state, at, _WAVE_SECOND), wave.wt2, prices)
    hidden = divergence_step(state, part(state, at, _WAVE_HIDDEN), wave.wt2, prices)
    of_rsi = divergence_step(state, part(state, at, _RSI_DIVERGENCE), rsi, prices)
    of_stoch = divergence_step(state, part(state, at, _STOCH_DIVERGENCE), stoch.k, prices)
    _remember_bottom(state, at, main.bottom)
    higher_fast = _higher_step(state, part(state, at, _HIGHER), bar)
    wants_hidden = state[at + _HIDDEN]
    return Cipher(
        wt1=wave.wt1,
        wt2=wave.wt2,
        fast=fast,
        money_flow=flow,
        rsi=rsi,
        stoch_k=stoch.k,
        stoch_d=stoch.d,
        cross=cross,
        buy=1.0 if cross > 0.0 and wave.wt2 <= state[at + _OVERSOLD] else 0.0,
        sell=1.0 if cross < 0.0 and wave.wt2 >= state[at + _OVERBOUGHT] else 0.0,
        bearish=main.bearish,
        bullish=main.bullish,
        second_bearish=second.bearish,
        second_bullish=second.bullish,
        hidden_bearish=wants_hidden * hidden.hidden_bearish,
        hidden_bullish=wants_hidden * hidden.hidden_bullish,
        rsi_bearish=of_rsi.bearish,
        rsi_bullish=of_rsi.bullish,
        stoch_bearish=of_stoch.bearish,
        stoch_bullish=of_stoch.bullish,
        gold=_gold(state, at + _BOTTOM, wave.wt2, main.bullish + of_rsi.bullish),
        bull_flag=1.0 if flow > 0.0 and wave.wt2 < 0.0 and cross > 0.0 and higher_fast > 0.0 else 0.0,
        bear_flag=1.0 if flow < 0.0 and wave.wt2 > 0.0 and cross < 0.0 and higher_fast < 0.0 else 0.0,
    )


def cipher_first_valid(signal: int = 3) -> CipherFirstValid:
    return CipherFirstValid(0, signal - 1, 59, 14, 29, 31, signal + 3, 18, 33)


def _gold(state: State, at: int, wt2: float, bullish: float) -> float:
    """A bullish divergence after a wave bottom at -75 or deeper with RSI below 30, once the wave has left it by 5."""
    bottom, rsi_at_bottom = state[at + 4], state[at + 5]
    left = wt2 > GOLD_LEVEL and wt2 >= bottom + GOLD_RISE
    return 1.0 if bullish > 0.0 and bottom <= GOLD_LEVEL and left and rsi_at_bottom < GOLD_RSI else 0.0


def _remember_bottom(state: State, at: int, bottom: float) -> None:
    # The bottom that a divergence starts from is the one known two bars ago: today's own must not count as previous.
    mine = at + _BOTTOM
    for i in range(5, 1, -1):
        state[mine + i] = state[mine + i - 2]
    if math.isnan(bottom):
        return
    rsis = part(state, part(state, at, _RSI_DIVERGENCE), 0)
    state[mine] = bottom
    state[mine + 1] = window_value(state, rsis, DOT_DELAY) if state[rsis + 1] > DOT_DELAY else math.nan


# The wave of the flags' higher bars: [bar_us, is whole, high, low, fast of the last closed higher bar].
_BAR, _WHOLE, _HIGH, _LOW, _HIGHER_FAST = 1, 2, 3, 4, 5


def _higher_state(channel: int, average: int, signal: int, bar_us: int) -> State:
    own = [float(bar_us), 0.0, math.nan, math.nan, math.nan]
    return joined(own, wave_trend_state(channel, average, signal))


def _higher_step(state: State, at: int, bar: Bar) -> float:
    """The fast wave of the last closed 12-hour bar; a higher bar whose beginning was not seen is left out."""
    bar_us = state[at + _BAR]
    if bar_us <= 0.0 or bar_us >= FLAG_BAR_US:
        return math.nan
    if bar.opened_at % FLAG_BAR_US == 0.0:
        state[at + _WHOLE] = 1.0
        state[at + _HIGH], state[at + _LOW] = bar.high, bar.low
    elif state[at + _WHOLE] > 0.0:
        state[at + _HIGH] = max(state[at + _HIGH], bar.high)
        state[at + _LOW] = min(state[at + _LOW], bar.low)
    closes_it = (bar.opened_at + bar_us) % FLAG_BAR_US == 0.0
    if closes_it and state[at + _WHOLE] > 0.0:
        typical = (state[at + _HIGH] + state[at + _LOW] + bar.close) / 3.0
        wave = wave_trend_step(state, part(state, at, 0), typical)
        state[at + _HIGHER_FAST] = wave.wt1 - wave.wt2
        state[at + _WHOLE] = 0.0
    return state[at + _HIGHER_FAST]
