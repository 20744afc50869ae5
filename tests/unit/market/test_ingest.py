"""The ingest against a scripted venue: gaps, doubles, late candles, failing questions, lockstep, growth."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.market.stage import (
    BTC,
    ETH,
    MINUTE,
    SECOND,
    Heard,
    ScriptedVenue,
    candle,
    closed,
    mark,
    quote,
    run_ingest,
    trade,
)
from tidegate.domain.candles import Candle, CandleSource
from tidegate.domain.errors import NotFound
from tidegate.domain.messages import CandleClosed, MarketMessage, TapeAdvanced
from tidegate.kit.clock import ManualClock
from tidegate.market.model import Series, candle_trace_id
from tidegate.market.service import Ingest, IngestOptions

MINUTES = [candle(minute, str(100 + minute % 13)) for minute in range(100, 160)]


def test_a_gap_is_repaired_before_the_candle_that_shows_it() -> None:
    bars = MINUTES[:8]
    heard, ingest = run_ingest(ScriptedVenue(map(closed, bars[:3] + bars[6:]), bars), (BTC, "2m"))
    assert [(each.opened_at, each.source.value) for each in heard.candles()] == [
        (bar.opened_at, "rest" if 3 <= number < 6 else "stream") for number, bar in enumerate(bars)
    ]
    [gap] = heard.gaps()
    assert (gap.first_opened_at, gap.last_opened_at, gap.candle_count) == (bars[3].opened_at, bars[5].opened_at, 3)
    assert [each.opened_at for each in heard.candles("2m")] == [bar.opened_at for bar in bars[::2]]
    assert ingest.counts.repaired == 3


def test_a_gap_that_the_venue_cannot_answer_now_is_repaired_with_a_later_candle() -> None:
    bars = MINUTES[:8]
    venue = ScriptedVenue(map(closed, [*bars[:3], *bars[4:]]), bars[3:4])
    venue.questions_failing = 6  # history with each candle that comes, then the gap
    heard, ingest = run_ingest(venue, (BTC, "2m"))
    assert [each.opened_at // MINUTE for each in heard.candles()] == [100, 101, 102, 104, 103, 105, 106, 107]
    assert sorted(each.opened_at // MINUTE for each in heard.candles("2m")) == [100, 102, 104, 106]
    assert ingest.counts.questions_failed == 6


def test_a_candle_that_the_venue_never_had_is_given_up() -> None:
    heard, ingest = run_ingest(ScriptedVenue(map(closed, MINUTES[:2] + MINUTES[3:30])))
    assert ingest.counts.given_up == 1
    assert len(heard.candles()) == 29


def test_a_duplicate_is_dropped_and_a_correction_published_with_the_longer_candles() -> None:
    fixed = replace(MINUTES[1], close=MINUTES[1].close + 1, high=MINUTES[1].close + 1)
    heard, ingest = run_ingest(ScriptedVenue(map(closed, [*MINUTES[:4], MINUTES[2], fixed])), (BTC, "2m"))
    assert [(each.opened_at // MINUTE, each.revision) for each in heard.candles()][4:] == [(101, 1)]
    assert [(each.opened_at // MINUTE, each.revision) for each in heard.candles("2m")] == [(100, 0), (102, 0), (100, 1)]
    assert (ingest.counts.duplicates, ingest.counts.corrections) == (1, 1)


faults = st.lists(
    st.sampled_from(["pass", "pass", "pass", "drop", "repeat", "late", "wrong first"]), min_size=58, max_size=58
)


@given(faults, st.integers(0, 5))
def test_whatever_the_stream_does_the_candles_end_as_in_an_undisturbed_run(plan: list[str], failing: int) -> None:
    """A killed socket is a run of drops; the candles behind the last one let nothing stay undiscovered."""
    wanted = [(BTC, "1m"), (BTC, "2m"), (BTC, "5m")]
    undisturbed, _ = run_ingest(ScriptedVenue(map(closed, MINUTES)), *wanted)
    script: list[Candle] = []
    late: list[Candle] = []
    for bar, fault in zip(MINUTES, ["pass", *plan, "pass"], strict=True):
        match fault:
            case "repeat":
                script += [bar, bar]
            case "late":
                late.append(bar)
            case "wrong first":
                script += [replace(bar, close=bar.low, volume=bar.volume + 1), bar]
            case "pass":
                script.append(bar)
        if len(late) == 3:
            script += reversed(late)
            late.clear()
    tail = [candle(160 + number) for number in range(8)]
    venue = ScriptedVenue(map(closed, script + late + tail), MINUTES)
    venue.questions_failing = failing
    disturbed, _ = run_ingest(venue, *wanted)
    for timeframe in ("1m", "2m", "5m"):
        after = [each for each in disturbed.final(timeframe) if each[0] < 160 * MINUTE]  # type: ignore[operator]
        assert after == undisturbed.final(timeframe)


def test_the_same_input_gives_the_same_output_message_for_message() -> None:
    script = [closed(bar) for bar in [*MINUTES[:5], *MINUTES[9:20], MINUTES[12]]]
    first, _ = run_ingest(ScriptedVenue(script, MINUTES), (BTC, "3m"))
    second, _ = run_ingest(ScriptedVenue(script, MINUTES), (BTC, "3m"))
    assert first.messages == second.messages


def test_candles_before_the_first_live_one_are_history_and_never_published() -> None:
    venue = ScriptedVenue([closed(MINUTES[10])], MINUTES[:10])
    heard, _ = run_ingest(venue, (BTC, "5m"), now=110 * MINUTE + 7 * SECOND)
    assert [each.opened_at // MINUTE for each in heard.history if each.timeframe == "1m"] == [*range(100, 110)]
    assert [each.opened_at // MINUTE for each in heard.history if each.timeframe == "5m"] == [100, 105]
    assert [each.opened_at // MINUTE for each in heard.candles()] == [110]


def test_history_is_asked_for_anew_when_the_tape_tells_another_time_than_the_clock() -> None:
    venue = ScriptedVenue([closed(MINUTES[10]), closed(MINUTES[11])], MINUTES[:11])
    heard, _ = run_ingest(venue, (BTC, "2m"), now=10**9 * MINUTE)
    assert [each.opened_at // MINUTE for each in heard.history if each.timeframe == "2m"] == [100, 102, 104, 106, 108]
    assert [each.opened_at // MINUTE for each in heard.candles("2m")] == [110]
    assert len(venue.questions) == 2


def test_what_was_kept_is_not_asked_for_again_and_keeps_its_revision() -> None:
    class Kept:
        async def read(self, symbol: str, timeframe: str, start: int, end: int) -> list[Candle]:
            return [replace(bar, revision=3) for bar in MINUTES[:8] if start <= bar.opened_at < end]

    async def story() -> tuple[Heard, ScriptedVenue]:
        heard, venue = Heard(), ScriptedVenue([closed(replace(MINUTES[7], volume=MINUTES[7].volume * 2))], MINUTES[:10])
        options = IngestOptions(venue="test", history_bars=10)
        clock = ManualClock(110 * MINUTE)
        ingest = Ingest(venue, heard.send, options, clock=clock, history_sink=heard.send_history, kept=Kept())
        await ingest.want([Series(BTC, "1m")])
        await ingest.run()
        return heard, venue

    heard, venue = asyncio.run(story())
    assert venue.questions == [(BTC, "1m", 108 * MINUTE, 110 * MINUTE)]
    assert [each.revision for each in heard.history] == [3] * 8 + [0] * 2
    assert [each.revision for each in heard.candles()] == [4]


def test_a_close_that_does_not_come_is_asked_for_when_a_trade_shows_that_it_is_overdue() -> None:
    script: list[MarketMessage] = [closed(MINUTES[0]), trade(1, 102 * 60 + 1.9), trade(2, 102 * 60 + 2.1)]
    heard, _ = run_ingest(ScriptedVenue(script, MINUTES[:2]))
    assert [type(each).__name__ for each in heard.messages] == [
        "CandleClosed",
        "TradePrinted",
        "CandleClosed",
        "GapRepaired",
        "TradePrinted",
    ]


def test_candles_from_trades_are_closed_by_time_in_name_order_and_before_the_mark() -> None:
    script: list[MarketMessage] = [
        trade(1, 0.5, symbol=ETH),
        trade(1, 0.6, symbol=BTC),
        trade(2, 1.2, "50", symbol=ETH),
        mark(1, 3.0),
        mark(2, 3.5),
    ]
    heard, _ = run_ingest(
        ScriptedVenue(script), (ETH, "1s"), (BTC, "1s"), (BTC, "2s"), candles_from=CandleSource.TRADES
    )
    shown = [
        (each.candle.symbol, each.candle.timeframe, each.candle.opened_at // SECOND)
        if isinstance(each, CandleClosed)
        else type(each).__name__
        for each in heard.messages
    ]
    assert shown == [
        *["TradePrinted"] * 3,
        (BTC, "1s", 1),
        (ETH, "1s", 1),
        "TapeAdvanced",
        (BTC, "1s", 2),
        (ETH, "1s", 2),
        "TapeAdvanced",
    ]


def test_seconds_around_missed_trades_come_from_the_venue_and_equal_an_undisturbed_run() -> None:
    trades = [trade(number, number * 0.3, str(100 + number % 7)) for number in range(40)]
    wanted = [(BTC, "1s"), (BTC, "2s")]
    whole, _ = run_ingest(ScriptedVenue(trades), *wanted, candles_from=CandleSource.TRADES)
    history = [replace(each, source=CandleSource.REST) for each in whole.candles("1s")]
    holed, ingest = run_ingest(
        ScriptedVenue(trades[:12] + trades[21:], history), *wanted, candles_from=CandleSource.TRADES
    )
    assert holed.final("1s") == whole.final("1s")
    assert holed.final("2s") == whole.final("2s")
    assert ingest.counts.repaired >= 2


def test_every_candle_carries_the_trace_of_its_bar_and_the_time_at_which_it_was_known() -> None:
    heard, _ = run_ingest(ScriptedVenue(map(closed, [MINUTES[0], MINUTES[2]]), MINUTES), (BTC, "1m"))
    for each in heard.messages:
        if isinstance(each, CandleClosed):
            assert each.trace_id == candle_trace_id("test", Series(BTC, "1m"), each.candle.opened_at)
    repaired = [each for each in heard.messages if isinstance(each, CandleClosed)][1]
    assert repaired.occurred_at == MINUTES[2].closes_at


def test_quotes_trades_and_marks_pass_in_the_order_in_which_they_came() -> None:
    script: list[MarketMessage] = [quote(1), trade(1, 1), mark(0, 1), quote(2), mark(1, 2)]
    heard, _ = run_ingest(ScriptedVenue(script))
    assert heard.messages == script


def test_a_symbol_that_the_venue_lacks_is_refused_by_name_and_nothing_of_the_request_is_served() -> None:
    with pytest.raises(NotFound, match="test lists no symbol DOGE/USDT"):
        run_ingest(venue := ScriptedVenue(), (BTC, "1m"), ("DOGE/USDT", "1m"))
    assert venue.streams == []


class LiveVenue(ScriptedVenue):
    """Sends what the test says, when it says so, to every open stream that wants it."""

    def __init__(self) -> None:
        super().__init__(history=MINUTES)
        self._open: list[asyncio.Queue[MarketMessage | None]] = []

    async def send(
        self, message: MarketMessage | None, *, stream: int, until: Callable[[], bool] = lambda: True
    ) -> None:
        await _turns(lambda: len(self._open) > stream)
        self._open[stream].put_nowait(message)
        await _turns(until)

    async def stream(self, symbols: object, timeframes: object):  # type: ignore[no-untyped-def]
        self.streams.append((tuple(symbols), tuple(timeframes)))  # type: ignore[arg-type]
        queue: asyncio.Queue[MarketMessage | None] = asyncio.Queue()
        self._open.append(queue)
        while (message := await queue.get()) is not None:
            yield message


async def _turns(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen within 1,000 turns of the loop")


def test_a_symbol_wanted_later_gets_its_own_stream_and_disturbs_no_other() -> None:
    async def story() -> tuple[Heard, LiveVenue]:
        heard, venue = Heard(), LiveVenue()
        ingest = Ingest(venue, heard.send, IngestOptions(venue="test"), clock=ManualClock(0))
        await ingest.want([Series(BTC, "1m")])
        running = asyncio.create_task(ingest.run())
        await venue.send(closed(MINUTES[0]), stream=0, until=lambda: len(heard.messages) == 1)
        await ingest.want([Series(BTC, "2m"), Series(BTC, "1s"), Series(ETH, "1m")])
        await venue.send(trade(1, 1), stream=1)  # the first stream brings the trades of this symbol already
        await venue.send(trade(1, 1), stream=0, until=lambda: len(heard.messages) == 2)
        await venue.send(closed(MINUTES[1]), stream=0, until=lambda: len(heard.messages) == 4)
        for number in (0, 1):
            await venue.send(None, stream=number)
        await running
        return heard, venue

    heard, venue = asyncio.run(story())
    assert venue.streams == [((BTC,), ("1m",)), ((BTC, ETH), ("1m", "1s"))]
    assert [type(each).__name__ for each in heard.messages] == [
        "CandleClosed",
        "TradePrinted",
        "CandleClosed",
        "CandleClosed",
    ]
    assert [each.opened_at // MINUTE for each in heard.candles("2m")] == [100]


def test_a_mark_is_passed_on_when_every_stream_has_come_so_far() -> None:
    async def story() -> Heard:
        heard, venue = Heard(), LiveVenue()
        ingest = Ingest(venue, heard.send, IngestOptions(venue="test"), clock=ManualClock(0))
        await ingest.want([Series(BTC, "1m")])
        running = asyncio.create_task(ingest.run())
        await venue.send(mark(1, 1), stream=0, until=lambda: len(heard.messages) == 1)
        await ingest.want([Series(ETH, "1m")])
        await venue.send(mark(2, 2), stream=0, until=lambda: len(heard.messages) == 2)  # the new one gave no mark yet
        await venue.send(mark(3, 3), stream=1)
        await venue.send(quote(3), stream=0, until=lambda: len(heard.messages) == 3)
        await venue.send(mark(3, 3), stream=0, until=lambda: len(heard.messages) == 4)
        for number in (0, 1):
            await venue.send(None, stream=number)
        await running
        return heard

    messages = asyncio.run(story()).messages
    assert [each.position if isinstance(each, TapeAdvanced) else "quote" for each in messages] == [1, 2, "quote", 3]
