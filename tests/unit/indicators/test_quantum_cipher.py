"""Quantum Cipher against its reference vector, and the rules of dots, divergences, gold and flags."""

import math

import pytest

from tidegate.indicators.averages import ema_state, ema_step
from tidegate.indicators.divergence import Divergence, divergence_state, divergence_step
from tidegate.indicators.layout import Bar, batch
from tidegate.indicators.quantum_cipher import FLAG_BAR_US, Cipher, cipher_first_valid, cipher_state, cipher_step
from tidegate.kit.ids import seeded_random

HOUR_US = 3_600_000_000


def _reference(count: int = 120, bar_us: int = 60_000_000) -> list[Bar]:
    closes = [100 + 5 * math.sin(i / 5) + 0.1 * i for i in range(count)]
    opens = [closes[0], *closes]
    return [Bar(float(i * bar_us), opens[i], c + 1, c - 1, c, 1.0) for i, c in enumerate(closes)]


def _bars_where(cipher: list[Cipher], name: str) -> list[int]:
    return [i for i, one in enumerate(cipher) if getattr(one, name)]


def test_the_reference_series_gives_the_reference_numbers() -> None:
    cipher = batch(cipher_step, cipher_state(), _reference())
    assert (cipher[100].wt1, cipher[100].wt2) == pytest.approx((64.574391, 62.258406), abs=5e-7)
    assert (cipher[119].wt1, cipher[119].wt2) == pytest.approx((-51.471972, -53.318203), abs=5e-7)
    assert cipher[119].money_flow == pytest.approx(3.260791, abs=5e-7)


def test_the_original_lengths_give_the_original_numbers() -> None:
    last = batch(cipher_step, cipher_state(channel=10, average=21, signal=4), _reference())[-1]
    assert (last.wt1, last.wt2) == pytest.approx((-34.318518, -32.016121), abs=5e-7)


def test_the_reference_series_gives_the_reference_dots() -> None:
    cipher = batch(cipher_step, cipher_state(), _reference())
    assert [i for i, one in enumerate(cipher) if one.cross > 0] == [24, 56, 87, 118]
    assert [i for i, one in enumerate(cipher) if one.cross < 0] == [7, 39, 71, 102]
    assert _bars_where(cipher, "buy") == [24, 56, 87, 118]
    assert _bars_where(cipher, "sell") == [7, 39, 71, 102]


def test_a_divergence_is_told_two_bars_after_its_dot() -> None:
    cipher = batch(cipher_step, cipher_state(), _reference())
    assert _bars_where(cipher, "bearish") == [41, 104]  # the dots stand at 39 and 102


def test_first_valid_names_the_first_bar_of_each_number() -> None:
    cipher = batch(cipher_step, cipher_state(), _reference())
    first = cipher_first_valid()
    for name in ("wt1", "wt2", "money_flow", "rsi", "stoch_k", "stoch_d"):
        known = [i for i, one in enumerate(cipher) if not math.isnan(getattr(one, name))]
        assert known[0] == getattr(first, name), name


def _divergences(points: list[tuple[float, float]], top: float = -math.inf, bottom: float = math.inf) -> Divergence:
    """Peaks (oscillator, price) with four lower bars between them; what the last bar proves."""
    state = divergence_state(top, bottom)
    last = Divergence(0, 0, 0, 0, math.nan, math.nan)
    for x, price in points:
        shape = [(x - 9, price - 9), (x - 5, price - 5), (x, price), (x - 5, price - 5), (x - 9, price - 9)]
        for y, high in shape:
            last = divergence_step(state, 0, y, (high, high - 1))
    return last


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(60, 100), (50, 110)], (1, 0)),  # price higher, oscillator lower
        ([(50, 110), (60, 100)], (0, 1)),  # price lower, oscillator higher
        ([(50, 100), (60, 110)], (0, 0)),  # both higher
        ([(60, 100), (60, 110)], (0, 0)),  # oscillator equal
    ],
)
def test_price_and_oscillator_must_disagree(points: list[tuple[float, float]], expected: tuple[int, int]) -> None:
    found = _divergences(points)
    assert (found.bearish, found.hidden_bearish) == expected


def test_a_bottom_mirrors_a_top() -> None:
    state = divergence_state()
    last = Divergence(0, 0, 0, 0, math.nan, math.nan)
    for x, price in ((-60.0, 100.0), (-50.0, 90.0)):
        for away in (9, 5, 0, 5, 9):
            last = divergence_step(state, 0, x + away, (price + away + 1, price + away))
    assert (last.bullish, last.hidden_bullish, last.bottom) == (1, 0, -50)


def test_a_fractal_below_the_limit_is_no_fractal_even_as_the_previous_one() -> None:
    assert _divergences([(60, 100), (44, 110)], top=45).bearish == 0
    assert _divergences([(60, 100), (44, 105), (50, 110)], top=45).bearish == 1  # 60 is the previous one, not 44


def test_equal_neighbours_are_no_fractal() -> None:
    state = divergence_state()
    found = [divergence_step(state, 0, x, (1, 0)) for x in (1.0, 2.0, 3.0, 3.0, 1.0, 0.0)]
    assert all(math.isnan(one.top) for one in found)


def _crashes(seed: int) -> list[Bar]:
    """Falls, rebounds and second lows, deep enough for wt2 ≤ -75 and RSI < 30."""
    random = seeded_random(seed)
    closes = [300.0]
    while len(closes) < 600:
        for step in (0.0, -random.uniform(1, 3), random.uniform(0.5, 2), -random.uniform(0.5, 3), random.uniform(1, 3)):
            for _ in range(random.randint(3, 12)):
                closes.append(max(5.0, closes[-1] + step + random.gauss(0, 0.3)))
    return [Bar(float(i), c, c + 0.3, c - 0.3, c, 1.0) for i, c in enumerate(closes)]


def _is_gold(cipher: list[Cipher], i: int) -> bool:
    wt2 = [one.wt2 for one in cipher[: i + 1]]
    bottoms = [
        j for j in range(4, i - 3) if wt2[j] <= -65 and wt2[j] < min(wt2[j - 2], wt2[j - 1], wt2[j + 1], wt2[j + 2])
    ]
    if not bottoms or not (cipher[i].bullish or cipher[i].rsi_bullish):
        return False
    previous = cipher[bottoms[-1]]
    return previous.wt2 <= -75 < wt2[i] and wt2[i] >= previous.wt2 + 5 and previous.rsi < 30


def test_gold_needs_a_divergence_after_an_earlier_bottom_of_75_with_a_low_rsi() -> None:
    drawn = 0
    for seed in range(20):
        cipher = batch(cipher_step, cipher_state(), _crashes(seed))
        gold = _bars_where(cipher, "gold")
        assert gold == [i for i in range(len(cipher)) if _is_gold(cipher, i)]
        drawn += sum(bool(cipher[i].bullish) for i in gold)
    assert drawn >= 3, "the series are made to draw gold on the wave's own divergence too"


def test_hidden_divergences_are_off_unless_wanted() -> None:
    bars = [
        bar._replace(close=bar.close - 0.3 * i, high=bar.high - 0.3 * i, low=bar.low - 0.3 * i)
        for i, bar in enumerate(_reference(300))
    ]
    quiet = batch(cipher_step, cipher_state(), bars)
    loud = batch(cipher_step, cipher_state(hidden=True), bars)
    assert not _bars_where(quiet, "hidden_bearish") + _bars_where(quiet, "hidden_bullish")
    assert _bars_where(loud, "hidden_bearish") + _bars_where(loud, "hidden_bullish")


def test_a_flag_reads_only_higher_bars_that_have_closed_and_were_seen_whole() -> None:
    bars = [
        Bar(float(i * HOUR_US), c, c + 1, c - 1, c + 0.5, 1.0)
        for i, c in enumerate(100 + 20 * math.sin(i / 60) + 3 * math.sin(i / 4) for i in range(900))
    ]
    bars = bars[5:]  # begins within a 12-hour bar
    cipher = batch(cipher_step, cipher_state(bar_us=HOUR_US), bars)
    fast_of: dict[int, float] = {}
    for i, (bar, one) in enumerate(zip(bars, cipher, strict=True)):
        end = (int(bar.opened_at) + HOUR_US) // FLAG_BAR_US * FLAG_BAR_US
        if end not in fast_of:
            whole = [b for b in bars[: i + 1] if FLAG_BAR_US <= b.opened_at < end]
            fast_of[end] = _fast_of_twelve_hours(whole)
        higher = fast_of[end]
        assert one.bull_flag == float(one.money_flow > 0 and one.wt2 < 0 and one.cross > 0 and higher > 0)
        assert one.bear_flag == float(one.money_flow < 0 and one.wt2 > 0 and one.cross < 0 and higher < 0)
    assert _bars_where(cipher, "bull_flag") or _bars_where(cipher, "bear_flag")


def _fast_of_twelve_hours(bars: list[Bar]) -> float:
    groups = [bars[i : i + 12] for i in range(0, len(bars), 12)]
    prices = [(max(b.high for b in g) + min(b.low for b in g) + g[-1].close) / 3 for g in groups]
    centre = batch(ema_step, ema_state(9), prices)
    deviation = batch(ema_step, ema_state(9), [abs(p - c) for p, c in zip(prices, centre, strict=True)])
    index = [(p - c) / (0.015 * d) if d else 0.0 for p, c, d in zip(prices, centre, deviation, strict=True)]
    wt1 = batch(ema_step, ema_state(12), index)
    return wt1[-1] - sum(wt1[-3:]) / 3 if len(wt1) >= 3 else math.nan
