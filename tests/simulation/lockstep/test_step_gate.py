"""When a step is played, in which order, and when the tape may move on."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from tests.waiting import eventually
from tidegate.app.engine import AccountNews, Stimulus
from tidegate.app.lockstep import StepGate, WaitingClock
from tidegate.app.streams import EngineStreams
from tidegate.domain.candles import Candle
from tidegate.domain.ids import AccountId, TraceId
from tidegate.domain.messages import (
    BarEvaluated,
    CandleClosed,
    MarketMessage,
    QuoteChanged,
    Signal,
    TapeAdvanced,
    encode,
)
from tidegate.domain.orders import StreamReset, TapeMark
from tidegate.kit.bus import MemoryBus
from tidegate.kit.clock import ManualClock
from tidegate.market.model import Series
from tidegate.signals.streams import SIGNALS_TAPE, signals_stream

ONE, TWO = AccountId("one"), AccountId("two")
TRACE = TraceId("t")
PRICE = Decimal(100)


class Told:
    """What leaves the gate, in order: to the engine, to the courier, to the tape."""

    def __init__(self, *accounts: AccountId) -> None:
        self.lines: list[str] = []
        self.accounts = accounts
        self.gate = StepGate(self.offer, self, accounts, self.acknowledge)

    async def offer(self, stimulus: Stimulus) -> None:
        match stimulus:
            case AccountNews(account_id=account_id, event=event):
                self.lines.append(f"{type(event).__name__} of {account_id}")
            case QuoteChanged(symbol=symbol, bid_price=bid):
                self.lines.append(f"{symbol} at {bid}")
            case CandleClosed(candle=bar):
                self.lines.append(f"{bar.symbol} {bar.timeframe}")
            case BarEvaluated():
                self.lines.append(f"{stimulus.symbol} {stimulus.timeframe} {stimulus.verdict}")
            case _:
                self.lines.append(type(stimulus).__name__)

    async def drain(self) -> None:
        self.lines.append("drained")

    async def acknowledge(self, position: int) -> None:
        self.lines.append(f"step {position}")

    @property
    def steps(self) -> list[str]:
        return [line for line in self.lines if line.startswith("step")]


def mark(position: int, at: int = 0) -> TapeAdvanced:
    return TapeAdvanced(trace_id=TRACE, occurred_at=at, position=position)


def closed(symbol: str, timeframe: str) -> CandleClosed:
    candle = Candle(symbol, timeframe, 0, PRICE, PRICE, PRICE, PRICE, Decimal(1))
    return CandleClosed(trace_id=TRACE, occurred_at=0, candle=candle)


def evaluated(symbol: str, verdict: str) -> BarEvaluated:
    return BarEvaluated(
        trace_id=TRACE,
        occurred_at=0,
        signal_key="key",
        symbol=symbol,
        timeframe="1m",
        bar_opened_at=0,
        close=PRICE,
        values={},
        phase="idle",
        verdict=verdict,
    )


def quote(symbol: str, bid: int) -> QuoteChanged:
    return QuoteChanged(
        trace_id=TRACE,
        occurred_at=0,
        symbol=symbol,
        bid_price=Decimal(bid),
        bid_quantity=Decimal(1),
        ask_price=Decimal(bid + 1),
        ask_quantity=Decimal(1),
    )


def story(told: Told, tell: Callable[[StepGate], Awaitable[None]]) -> list[str]:
    """What leaves the gate behind step 0."""

    async def run() -> list[str]:
        await told.gate.begin()
        for account_id in told.accounts:
            await told.gate.on_account(account_id, TapeMark(0))
        await told.gate.on_market(mark(0))
        told.lines.clear()
        await tell(told.gate)
        return told.lines

    return asyncio.run(run())


def test_the_first_step_waits_for_the_market_for_every_account_and_for_the_engine() -> None:
    told = Told(ONE, TWO)

    async def run() -> None:
        await told.gate.on_account(ONE, StreamReset())
        await told.gate.on_market(mark(0))
        await told.gate.on_account(TWO, StreamReset())
        assert told.steps == []
        await told.gate.begin()
        assert told.steps == ["step 0"]

    asyncio.run(run())


def test_a_step_is_acknowledged_once_the_marks_of_all_streams_have_come() -> None:
    told = Told(ONE)

    async def run() -> None:
        await told.gate.begin()
        await told.gate.on_account(ONE, StreamReset())
        await told.gate.on_market(mark(0))
        await told.gate.on_market(mark(1))
        assert told.steps == ["step 0"]
        await told.gate.on_account(ONE, TapeMark(1))
        assert told.steps == ["step 0", "step 1"]
        await told.gate.on_account(ONE, TapeMark(1))
        await told.gate.on_market(mark(1))
        assert told.steps == ["step 0", "step 1"]

    asyncio.run(run())


def test_what_is_due_goes_first_then_news_of_accounts_then_quotes_then_bars_by_name_and_length() -> None:
    async def tell(gate: StepGate) -> None:
        await gate.on_market(closed("ETH/USDT", "1m"))
        await gate.on_market(closed("BTC/USDT", "5m"))
        await gate.on_market(quote("ETH/USDT", 7))
        await gate.on_market(quote("BTC/USDT", 8))
        await gate.on_market(quote("ETH/USDT", 9))
        await gate.on_market(closed("BTC/USDT", "1m"))
        await gate.on_account(ONE, StreamReset())
        await gate.on_market(mark(1))
        await gate.on_account(ONE, TapeMark(1))

    assert [line for line in story(Told(ONE), tell) if line != "drained"] == [
        "Tick",
        "StreamReset of one",
        "BTC/USDT at 8",
        "ETH/USDT at 9",
        "BTC/USDT 1m",
        "BTC/USDT 5m",
        "ETH/USDT 1m",
        "step 1",
    ]


def test_all_that_one_bar_says_is_decided_before_any_call_leaves_as_where_the_candle_itself_is_heard() -> None:
    async def tell(gate: StepGate) -> None:
        await gate.on_market(evaluated("ETH/USDT", "third"))
        await gate.on_market(evaluated("BTC/USDT", "first"))
        await gate.on_market(evaluated("BTC/USDT", "second"))
        await gate.on_market(mark(1))

    assert story(Told(), tell)[2:] == [
        "BTC/USDT 1m first",
        "BTC/USDT 1m second",
        "drained",
        "ETH/USDT 1m third",
        "drained",
        "step 1",
    ]


def test_the_engine_waits_by_the_wall_until_the_tape_moves_and_then_by_the_tape() -> None:
    wall, tape = ManualClock(1_000), ManualClock(50)
    clock = WaitingClock(wall, tape.now_us)
    wall.advance_to(1_007)
    assert clock.now_us() == 57
    tape.advance_to(60)
    wall.advance_to(9_000)
    assert clock.now_us() == 60


def test_an_engine_that_comes_late_hears_the_newest_mark_and_no_signal_of_the_past() -> None:
    heard: list[MarketMessage | Signal] = []

    async def hear(message: MarketMessage | Signal) -> None:
        heard.append(message)

    async def run() -> None:
        bus = MemoryBus()
        stream = signals_stream("BTC/USDT", "1m")
        await bus.publish(stream, [encode(evaluated("BTC/USDT", "past"))])
        await bus.publish(SIGNALS_TAPE, [encode(mark(1)), encode(mark(2))])
        streams = EngineStreams(bus, hear)
        await streams.follow([Series("BTC/USDT", "1m")])
        await bus.publish(stream, [encode(evaluated("BTC/USDT", "now"))])
        await bus.publish(SIGNALS_TAPE, [encode(mark(3))])
        listening = asyncio.create_task(streams.run())
        await eventually(lambda: any(isinstance(one, TapeAdvanced) for one in heard), what="the mark is heard")
        listening.cancel()

    asyncio.run(run())
    assert [one.position if isinstance(one, TapeAdvanced) else one.trace_id for one in heard] == [TRACE, 3]
