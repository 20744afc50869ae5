"""Each indicator against its formula written out naively, over random markets."""

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.indicators.averages import (
    cross_state,
    cross_step,
    ema_first_valid,
    ema_state,
    ema_step,
    sma_first_valid,
    sma_state,
    sma_step,
    wilder_first_valid,
    wilder_state,
    wilder_step,
)
from tidegate.indicators.layout import Bar, State, batch
from tidegate.indicators.oscillators import (
    money_flow_first_valid,
    money_flow_state,
    money_flow_step,
    rsi_first_valid,
    rsi_state,
    rsi_step,
    stoch_rsi_first_valid,
    stoch_rsi_state,
    stoch_rsi_step,
    wave_trend_first_valid,
    wave_trend_state,
    wave_trend_step,
)
from tidegate.indicators.quantum_cipher import cipher_state, cipher_step
from tidegate.indicators.regime import regime_state, regime_step
from tidegate.indicators.trend import (
    adx_first_valid,
    adx_state,
    adx_step,
    atr_first_valid,
    atr_state,
    atr_step,
    choppiness_first_valid,
    choppiness_state,
    choppiness_step,
    efficiency_ratio_first_valid,
    efficiency_ratio_state,
    efficiency_ratio_step,
)

MINUTE_US = 60_000_000
NAN = math.nan


def _market(moves: Sequence[tuple[float, float, float]]) -> list[Bar]:
    """Bars that join: each opens at the last close."""
    bars: list[Bar] = []
    close = 100.0
    for i, (move, up, down) in enumerate(moves):
        opened, close = close, close * (1.0 + move)
        bars.append(Bar(float(i * MINUTE_US), opened, max(opened, close) + up, min(opened, close) - down, close, 1.0))
    return bars


_move = st.integers(-20, 20).map(lambda thousandths: thousandths / 1_000)
_wick = st.integers(0, 5).map(lambda tenths: tenths / 10)
markets = st.lists(st.tuples(_move, _wick, _wick), min_size=70, max_size=160).map(_market)


def _same(found: Sequence[float], expected: Sequence[float], tolerance: float = 1e-9) -> None:
    assert len(found) == len(expected)
    for i, (one, other) in enumerate(zip(found, expected, strict=True)):
        if math.isnan(other):
            assert math.isnan(one), f"bar {i}: {one} where nothing is known"
        else:
            assert one == pytest.approx(other, rel=tolerance, abs=1e-7), f"bar {i}"


def _naive_wilder(xs: Sequence[float], n: int) -> list[float]:
    out = [NAN] * len(xs)
    known = [i for i, x in enumerate(xs) if not math.isnan(x)]
    for place, i in enumerate(known):
        if place == n - 1:
            out[i] = sum(xs[j] for j in known[:n]) / n
        elif place >= n:
            out[i] = out[i - 1] + (xs[i] - out[i - 1]) / n
    return out


def _naive_ranges(bars: Sequence[Bar]) -> list[float]:
    return [bars[0].high - bars[0].low] + [
        max(b.high - b.low, abs(b.high - a.close), abs(b.low - a.close)) for a, b in pairwise(bars)
    ]


@given(markets)
@settings(max_examples=40, deadline=None)
def test_averages_equal_their_formulas(bars: list[Bar]) -> None:
    closes = [bar.close for bar in bars]
    ema, alpha = [closes[0]], 2 / 13
    for x in closes[1:]:
        ema.append(alpha * x + (1 - alpha) * ema[-1])
    _same(batch(ema_step, ema_state(12), closes), ema)
    sma = [NAN if i < 9 else math.fsum(closes[i - 9 : i + 1]) / 10 for i in range(len(closes))]
    _same(batch(sma_step, sma_state(10), closes), sma)
    _same(batch(wilder_step, wilder_state(14), closes), _naive_wilder(closes, 14))


@given(markets)
@settings(max_examples=40, deadline=None)
def test_rsi_equals_its_formula(bars: list[Bar]) -> None:
    changes = [NAN] + [b.close - a.close for a, b in pairwise(bars)]
    gains = _naive_wilder([x if math.isnan(x) else max(x, 0.0) for x in changes], 14)
    losses = _naive_wilder([x if math.isnan(x) else max(-x, 0.0) for x in changes], 14)
    expected = [
        NAN if math.isnan(g) else 50.0 if g + loss == 0 else 100.0 if loss == 0 else 100.0 - 100.0 / (1.0 + g / loss)
        for g, loss in zip(gains, losses, strict=True)
    ]
    _same(batch(rsi_step, rsi_state(14), [bar.close for bar in bars]), expected)


@given(markets)
@settings(max_examples=40, deadline=None)
def test_atr_and_adx_equal_their_formulas(bars: list[Bar]) -> None:
    ranges = _naive_ranges(bars)
    _same(batch(atr_step, atr_state(14), bars), _naive_wilder(ranges, 14))
    up = [NAN] + [b.high - a.high for a, b in pairwise(bars)]
    down = [NAN] + [a.low - b.low for a, b in pairwise(bars)]
    moves = list(zip(up, down, strict=True))
    plus = [NAN] + [u if u > d and u > 0 else 0.0 for u, d in moves[1:]]
    minus = [NAN] + [d if d > u and d > 0 else 0.0 for u, d in moves[1:]]
    spread = _naive_wilder([NAN, *ranges[1:]], 14)

    def share(xs: list[float]) -> list[float]:
        pairs = zip(_naive_wilder(xs, 14), spread, strict=True)
        return [NAN if math.isnan(s) else 0.0 if s == 0 else 100.0 * x / s for x, s in pairs]

    plus_di, minus_di = share(plus), share(minus)
    index = [
        NAN if math.isnan(p) else 0.0 if p + m == 0 else 100.0 * abs(p - m) / (p + m)
        for p, m in zip(plus_di, minus_di, strict=True)
    ]
    found = batch(adx_step, adx_state(14), bars)
    _same([one.plus_di for one in found], plus_di)
    _same([one.minus_di for one in found], minus_di)
    _same([one.adx for one in found], _naive_wilder(index, 14), 1e-6)


@given(markets)
@settings(max_examples=40, deadline=None)
def test_choppiness_and_efficiency_equal_their_formulas(bars: list[Bar]) -> None:
    ranges = _naive_ranges(bars)
    choppiness: list[float] = []
    for i in range(len(bars)):
        window = bars[max(0, i - 13) : i + 1]
        span = max(b.high for b in window) - min(b.low for b in window)
        if i < 13:
            choppiness.append(NAN)
        elif span == 0:
            choppiness.append(choppiness[-1] if not math.isnan(choppiness[-1]) else 0.0)
        else:
            choppiness.append(100 * math.log10(sum(ranges[i - 13 : i + 1]) / span) / math.log10(14))
    _same(batch(choppiness_step, choppiness_state(14), bars), choppiness, 1e-6)
    closes = [bar.close for bar in bars]
    efficiency: list[float] = []
    for i in range(len(closes)):
        path = sum(abs(closes[j] - closes[j - 1]) for j in range(max(1, i - 19), i + 1))
        efficiency.append(NAN if i < 20 else 0.0 if path == 0 else abs(closes[i] - closes[i - 20]) / path)
    _same(batch(efficiency_ratio_step, efficiency_ratio_state(20), closes), efficiency)


@given(markets)
@settings(max_examples=25, deadline=None)
def test_stochastic_rsi_and_money_flow_equal_their_formulas(bars: list[Bar]) -> None:
    rsi = batch(rsi_step, rsi_state(14), [math.log(bar.close) for bar in bars])
    raw: list[float] = []
    for i in range(len(bars)):
        window = rsi[max(0, i - 13) : i + 1]
        if i < 27:
            raw.append(NAN)
            continue
        span = max(window) - min(window)
        previous = 0.0 if math.isnan(raw[-1]) else raw[-1]
        raw.append(100 * (rsi[i] - min(window)) / span if span > 0 else previous)

    def mean3(xs: list[float]) -> list[float]:
        return [NAN if i < 2 else sum(xs[i - 2 : i + 1]) / 3 for i in range(len(xs))]

    found = batch(stoch_rsi_step, stoch_rsi_state(), [bar.close for bar in bars])
    _same([one.k for one in found], mean3(raw), 1e-6)
    _same([one.d for one in found], mean3(mean3(raw)), 1e-6)
    terms = [0.0 if b.high == b.low else (b.close - b.open) / (b.high - b.low) * 150 for b in bars]
    flow = [NAN if i < 59 else math.fsum(terms[i - 59 : i + 1]) / 60 - 2.5 for i in range(len(bars))]
    _same(batch(money_flow_step, money_flow_state(60), bars), flow, 1e-6)


@given(markets)
@settings(max_examples=25, deadline=None)
def test_every_number_first_appears_where_first_valid_says(bars: list[Bar]) -> None:
    closes = [bar.close for bar in bars]
    stoch = batch(stoch_rsi_step, stoch_rsi_state(), closes)
    wave = batch(wave_trend_step, wave_trend_state(), closes)
    adx = batch(adx_step, adx_state(14), bars)
    outputs: list[tuple[list[float], float]] = [
        (batch(ema_step, ema_state(12), closes), ema_first_valid(12)),
        (batch(sma_step, sma_state(12), closes), sma_first_valid(12)),
        (batch(wilder_step, wilder_state(12), closes), wilder_first_valid(12)),
        (batch(rsi_step, rsi_state(9), closes), rsi_first_valid(9)),
        (batch(atr_step, atr_state(9), bars), atr_first_valid(9)),
        (batch(choppiness_step, choppiness_state(9), bars), choppiness_first_valid(9)),
        (batch(efficiency_ratio_step, efficiency_ratio_state(9), closes), efficiency_ratio_first_valid(9)),
        (batch(money_flow_step, money_flow_state(9), bars), money_flow_first_valid(9)),
        ([one.k for one in stoch], stoch_rsi_first_valid().k),
        ([one.d for one in stoch], stoch_rsi_first_valid().d),
        ([one.wt1 for one in wave], wave_trend_first_valid().wt1),
        ([one.wt2 for one in wave], wave_trend_first_valid().wt2),
        ([one.adx for one in adx], adx_first_valid(14).adx),
        ([one.plus_di for one in adx], adx_first_valid(14).plus_di),
    ]
    for values, first in outputs:
        assert [math.isnan(value) for value in values] == [i < first for i in range(len(values))]


_WHOLE_BARS: list[tuple[Callable[[State, int, Bar], Sequence[float]], Callable[[], State]]] = [
    (cipher_step, lambda: cipher_state(bar_us=MINUTE_US, hidden=True)),
    (regime_step, lambda: regime_state(MINUTE_US)),
    (adx_step, lambda: adx_state(14)),
]


@given(markets, st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_a_stream_resumed_from_its_saved_state_gives_the_same_bits_as_the_batch(bars: list[Bar], cut: int) -> None:
    for step, start in _WHOLE_BARS:
        whole = batch(step, start(), bars)
        state = start()
        streamed = [step(state, 0, bar) for bar in bars[:cut]]
        resumed = [0.0, *json.loads(json.dumps(state))]  # another place in another row
        streamed += [step(resumed, 1, bar) for bar in bars[cut:]]
        assert [tuple(map(float.hex, one)) for one in streamed] == [tuple(map(float.hex, one)) for one in whole]


@given(markets, st.integers(30, 69))
@settings(max_examples=25, deadline=None)
def test_no_indicator_looks_ahead(bars: list[Bar], cut: int) -> None:
    other = bars[:cut] + [bar._replace(close=bar.low, high=bar.high * 3) for bar in bars[cut:]]
    for step, start in _WHOLE_BARS:
        one, two = batch(step, start(), bars)[:cut], batch(step, start(), other)[:cut]
        assert [tuple(map(float.hex, x)) for x in one] == [tuple(map(float.hex, x)) for x in two]


def test_a_touch_of_zero_is_no_crossing() -> None:
    assert batch(cross_step, cross_state(), [1.0, 0.0, 1.0, -1.0, 0.0, -2.0, 3.0]) == [0, 0, 0, -1, 0, 0, 1]


def test_what_is_not_a_number_leaves_the_state_as_it_was() -> None:
    for step, state in ((ema_step, ema_state(3)), (sma_step, sma_state(3)), (wilder_step, wilder_state(3))):
        batch(step, state, [1.0, 2.0, 4.0])
        before = list(state)
        assert math.isnan(step(state, 0, NAN))
        assert state == before


def test_a_market_that_never_moves_divides_by_nothing() -> None:
    flat = [Bar(float(i * MINUTE_US), 5.0, 5.0, 5.0, 5.0, 0.0) for i in range(120)]
    last = batch(cipher_step, cipher_state(bar_us=MINUTE_US), flat)[-1]
    assert (last.wt1, last.wt2, last.money_flow, last.rsi, last.stoch_k) == (0.0, 0.0, -2.5, 50.0, 0.0)
    calm = batch(regime_step, regime_state(MINUTE_US), flat)[-1]
    assert (calm.adx, calm.choppiness, calm.efficiency) == (0.0, 0.0, 0.0)
