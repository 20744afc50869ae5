"""The pure rules of candles: built from trades, merged, doubled, late, missing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.market.stage import BTC, MINUTE, SECOND, candle, numbers, trade
from tidegate.domain.candles import Candle, duration_us, first_trade, floor_time, merge, with_trade, without_trades
from tidegate.domain.errors import Invalid
from tidegate.domain.messages import TradePrinted
from tidegate.market.model import CandleBuilder, CandleSeries, GapDetector, Series, Track, base_of, candle_trace_id


def built(trades: list[TradePrinted], *, timeframe: str = "1s", until_s: float | None = None) -> list[Candle]:
    builder = CandleBuilder(BTC, timeframe, grace_us=SECOND // 2)
    found = [each for one in trades for each in builder.add(one)]
    return found + (builder.advance(round(until_s * SECOND)) if until_s is not None else [])


def test_a_candle_holds_the_trades_of_its_second_and_is_closed_by_the_next_one() -> None:
    [bar] = built([trade(1, 0.9), trade(2, 1, "10"), trade(3, 1.5, "12"), trade(4, 1.7, "9"), trade(5, 2, "11")])
    assert bar.opened_at == SECOND
    assert [bar.open, bar.high, bar.low, bar.close] == [10, 12, 9, 9]
    assert [bar.volume, bar.quote_volume, bar.trade_count] == [3, 31, 3]


def test_the_bar_of_the_first_trade_is_not_whole_and_never_given() -> None:
    assert built([trade(1, 0.1), trade(2, 1.1)]) == []


def test_seconds_without_a_trade_are_flat_at_the_last_price() -> None:
    bars = built([trade(1, 0.9, "7"), trade(2, 4)])
    assert [bar.opened_at for bar in bars] == [SECOND, 2 * SECOND, 3 * SECOND]
    for bar in bars:
        assert [bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count] == [7, 7, 7, 7, 0, 0]


def test_market_time_closes_a_bar_only_after_the_grace() -> None:
    trades = [trade(1, 0.9), trade(2, 1.2)]
    assert built(trades, until_s=2.49) == []
    assert [bar.opened_at for bar in built(trades, until_s=2.5)] == [SECOND]


def test_a_repeated_trade_is_counted_once() -> None:
    [bar] = built([trade(1, 0.9), trade(2, 1.2), trade(2, 1.2), trade(1, 0.9), trade(3, 2)])
    assert bar.trade_count == 1


def test_bars_around_a_missing_trade_are_doubtful_and_not_given() -> None:
    builder = CandleBuilder(BTC, "1s", grace_us=0)
    given = [
        each
        for one in (trade(1, 0.9), trade(2, 1.2), trade(4, 3.1), trade(5, 4), trade(6, 5))
        for each in builder.add(one)
    ]
    assert [bar.opened_at for bar in given] == [4 * SECOND]
    assert sorted(set(builder.take_doubts())) == [0, SECOND, 2 * SECOND, 3 * SECOND]
    assert builder.take_doubts() == []


def test_flat_bars_closed_by_time_become_doubtful_when_a_trade_was_missed_after_all() -> None:
    builder = CandleBuilder(BTC, "1s", grace_us=0)
    builder.add(trade(1, 0.9))
    builder.add(trade(2, 1.5))
    assert [bar.opened_at for bar in builder.advance(3 * SECOND)] == [SECOND, 2 * SECOND]
    builder.take_doubts()
    builder.add(trade(4, 3.5))
    assert sorted(set(builder.take_doubts())) == [SECOND, 2 * SECOND]


def test_a_trade_of_a_bar_that_time_has_closed_makes_it_doubtful() -> None:
    builder = CandleBuilder(BTC, "1s", grace_us=0)
    builder.add(trade(1, 0.9))
    builder.add(trade(2, 1.1))
    builder.advance(2 * SECOND)
    builder.take_doubts()
    assert builder.add(trade(3, 1.9)) == []
    assert builder.take_doubts() == [SECOND]


prices = st.decimals(min_value=1, max_value=1000, places=2)


@given(st.lists(st.tuples(st.integers(0, 5_000_000), prices), min_size=1, max_size=40))
def test_the_builder_folds_as_the_domain_does(steps: list[tuple[int, Decimal]]) -> None:
    at, trades = 0, []
    for number, (step, price) in enumerate(steps):
        at += step
        trades.append(trade(number, at / SECOND, str(price)))
    expected: list[Candle] = []
    for one in trades:
        opened_at = floor_time(one.occurred_at, "1s")
        if not expected:
            expected.append(first_trade(BTC, "1s", one.occurred_at, one.price, one.quantity))
            continue
        while expected[-1].closes_at < opened_at:
            expected.append(without_trades(expected[-1]))
        if expected[-1].opened_at == opened_at:
            expected[-1] = with_trade(expected[-1], one.price, one.quantity)
        else:
            expected.append(first_trade(BTC, "1s", one.occurred_at, one.price, one.quantity))
    assert built(trades) == expected[1:-1]


def test_the_same_candle_twice_is_nothing_and_another_one_is_the_next_revision() -> None:
    series = CandleSeries(timeframe="1m", keep=10)
    assert series.accept(candle(5, "100")) == candle(5, "100")
    assert series.accept(candle(5, "100")) is None
    assert series.accept(candle(5, "101")) == candle(5, "101", revision=1)
    assert series.accept(candle(5, "102")) == candle(5, "102", revision=2)


def test_a_candle_older_than_all_that_is_kept_is_ignored() -> None:
    series = CandleSeries(timeframe="1m", keep=10)
    for minute in range(100):
        series.accept(candle(minute))
    assert series.accept(candle(89)) is None
    assert len(series) < 20


@pytest.mark.parametrize(("timeframe", "base"), [("1m", "1m"), ("2m", "1m"), ("1w", "1m"), ("5s", "1s"), ("90s", "1s")])
def test_whole_minutes_are_merged_from_minutes_and_the_rest_from_seconds(timeframe: str, base: str) -> None:
    assert base_of(timeframe) == base


@pytest.mark.parametrize("timeframe", ["2m", "5m", "1h", "1d", "1w"])
def test_a_longer_candle_follows_the_one_that_completes_it(timeframe: str) -> None:
    track = Track(Series(BTC, "1m"), keep=10)
    track.widen([timeframe], [])
    parts = duration_us(timeframe) // MINUTE
    start = floor_time(10**15, timeframe) // MINUTE
    minutes = [candle(start + number, str(number % 7 + 1)) for number in range(parts)]
    given = [track.accept(minute) for minute in minutes]
    assert [len(each) for each in given] == [1] * (parts - 1) + [2]
    assert given[-1] == [minutes[-1], merge(minutes, timeframe)]


def test_a_longer_candle_with_a_hole_is_given_when_the_hole_is_filled() -> None:
    track = Track(Series(BTC, "1m"), keep=10)
    track.widen(["2m"], [])
    assert [each.timeframe for each in track.accept(candle(11))] == ["1m"]
    assert [each.timeframe for each in track.accept(candle(10))] == ["1m", "2m"]


def test_a_correction_corrects_every_longer_candle_with_a_higher_revision() -> None:
    track = Track(Series(BTC, "1m"), keep=10)
    track.widen(["2m", "5m"], [])
    for minute in range(10, 15):
        track.accept(candle(minute))
    fixed, two, five = track.accept(candle(10, "90"))
    assert (fixed.revision, two.revision, five.revision) == (1, 1, 1)
    assert [two.low, five.low] == [90, 90]
    again = track.accept(candle(11, "80"))
    assert [(each.timeframe, each.revision) for each in again] == [("1m", 1), ("2m", 2), ("5m", 2)]


def test_history_gives_the_longer_candles_too_in_the_order_of_closing() -> None:
    track = Track(Series(BTC, "1m"), keep=4)
    added = track.widen(["2m"], [candle(minute) for minute in range(10, 15)])
    assert [(each.timeframe, each.opened_at // MINUTE) for each in added] == [
        ("1m", 10),
        ("1m", 11),
        ("2m", 10),
        ("1m", 12),
        ("1m", 13),
        ("2m", 12),
        ("1m", 14),
    ]


def test_a_timeframe_added_later_begins_with_what_is_kept() -> None:
    track = Track(Series(BTC, "1m"), keep=10)
    for minute in range(10, 13):
        track.accept(candle(minute))
    added = track.widen(["2m"], [candle(minute) for minute in range(8, 12)])
    assert [(each.timeframe, each.opened_at // MINUTE) for each in added] == [
        ("1m", 8),
        ("1m", 9),
        ("2m", 8),
        ("2m", 10),
    ]
    assert [each.timeframe for each in track.accept(candle(13))] == ["1m", "2m"]


@given(st.permutations(range(20, 32)), st.lists(st.integers(20, 31)))
def test_any_order_and_any_repetition_end_in_the_same_longer_candles(order: list[int], repeated: list[int]) -> None:
    track = Track(Series(BTC, "1m"), keep=50)
    track.widen(["3m", "4m"], [])
    given = [each for minute in order + repeated for each in track.accept(candle(minute, str(minute)))]
    straight = Track(Series(BTC, "1m"), keep=50)
    straight.widen(["3m", "4m"], [])
    expected = [each for minute in range(20, 32) for each in straight.accept(candle(minute, str(minute)))]
    assert {numbers(each) for each in given} == {numbers(each) for each in expected}
    assert len(given) == len(expected)


def test_a_gap_is_every_missing_open_time_between_two_candles() -> None:
    gaps = GapDetector(timeframe="1m", keep=100)
    for minute in (5, 6, 9, 10, 12):
        gaps.observe(minute * MINUTE)
    assert gaps.ranges() == [(7 * MINUTE, 9 * MINUTE), (11 * MINUTE, 12 * MINUTE)]
    gaps.observe(8 * MINUTE)
    assert gaps.ranges() == [(7 * MINUTE, 8 * MINUTE), (11 * MINUTE, 12 * MINUTE)]


def test_a_close_that_does_not_come_is_overdue_after_the_grace() -> None:
    gaps = GapDetector(timeframe="1m", keep=100)
    gaps.observe(0)
    assert not gaps.overdue(2 * MINUTE + SECOND, grace_us=2 * SECOND)
    assert gaps.overdue(2 * MINUTE + 2 * SECOND, grace_us=2 * SECOND)
    assert gaps.ranges() == [(MINUTE, 2 * MINUTE)]
    assert not gaps.overdue(2 * MINUTE + 3 * SECOND, grace_us=2 * SECOND)


def test_what_the_venue_never_had_is_given_up_after_five_answers() -> None:
    gaps = GapDetector(timeframe="1m", keep=100)
    gaps.observe(0)
    gaps.observe(2 * MINUTE)
    assert [gaps.asked(MINUTE, 2 * MINUTE, []) for _ in range(5)] == [0, 0, 0, 0, 1]
    assert not gaps


def test_a_timeframe_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="timeframe must be a number and one of s m h d w"):
        base_of("soon")


def test_the_trace_of_a_bar_is_the_same_for_all_and_another_for_every_other_bar() -> None:
    trace = candle_trace_id("sim", Series(BTC, "1m"), MINUTE)
    assert trace == candle_trace_id("sim", Series(BTC, "1m"), MINUTE)
    assert len(trace) == 32
    others = {
        candle_trace_id("live", Series(BTC, "1m"), MINUTE),
        candle_trace_id("sim", Series(BTC, "2m"), MINUTE),
        candle_trace_id("sim", Series(BTC, "1m"), 2 * MINUTE),
    }
    assert len(others | {trace}) == 4
