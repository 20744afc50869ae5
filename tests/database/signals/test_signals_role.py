"""The signals role between two buses' worth of streams: in memory and on a real Redis, the same."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal as D

import pytest

from tests.waiting import eventually
from tidegate.domain.candles import Candle
from tidegate.domain.ids import TraceId
from tidegate.domain.messages import BarEvaluated, CandleClosed, Signal, TapeAdvanced, decode, encode
from tidegate.kit.bus import FROM_START, Bus, MemoryBus, RedisBus
from tidegate.kit.clock import Clock, ManualClock, SystemClock
from tidegate.signals.handlers import SignalsRole
from tidegate.signals.model import SignalSpec, signal_spec
from tidegate.signals.service import SignalService
from tidegate.signals.streams import MARKET_TAPE, SIGNALS_TAPE, market_stream, signals_stream

MINUTE_US = 60_000_000
BTC = signal_spec("quantum_cipher", "BTC/USDT", "1m", arming={"cooldown": 0})
ETH = signal_spec("ema_cross", "ETH/USDT", "1m", parameters={"fast": 3, "slow": 7})


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Wanted:
    def __init__(self, *specs: SignalSpec) -> None:
        self.specs = list(specs)

    async def wanted(self) -> Sequence[SignalSpec]:
        return self.specs


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Bus]:
    bus: Bus = MemoryBus() if request.param == "memory" else RedisBus(request.getfixturevalue("redis_url"))
    yield bus
    await bus.close()


def _closed(symbol: str, i: int, is_history: bool = False) -> CandleClosed:
    price = D(f"{100 + 5 * math.sin(i / 5) + 0.1 * i:.2f}")
    candle = Candle(symbol, "1m", i * MINUTE_US, price, price + 1, price - 1, price, D(3))
    trace_id = TraceId(f"{symbol}-{i}")
    return CandleClosed(trace_id=trace_id, occurred_at=candle.closes_at, candle=candle, is_history=is_history)


async def _send(bus: Bus, symbol: str, bars: range, is_history: bool = False) -> None:
    await bus.publish(market_stream(symbol, "1m"), [encode(_closed(symbol, i, is_history)) for i in bars])


async def _mark(bus: Bus, position: int) -> None:
    mark = TapeAdvanced(trace_id=TraceId("tape"), occurred_at=0, position=position)
    await bus.publish(MARKET_TAPE, [encode(mark)])


async def _published(bus: Bus, spec: SignalSpec) -> list[Signal]:
    found: list[Signal] = []
    cursor = FROM_START
    stream = signals_stream(spec.symbol, spec.timeframe)
    while entries := await bus.read({stream: cursor}, 0):
        cursor = entries[-1].id
        found += [decode(entry.payload) for entry in entries]  # type: ignore[misc]  # only signals are on it
    return found


async def _marks(bus: Bus) -> list[int]:
    entries = await bus.read({SIGNALS_TAPE: FROM_START}, 0)
    messages = [decode(entry.payload) for entry in entries]
    return [message.position for message in messages if isinstance(message, TapeAdvanced)]


@contextlib.asynccontextmanager
async def _role(bus: Bus, wanted: _Wanted, clock: Clock | None = None) -> AsyncIterator[None]:
    ready = asyncio.Event()
    task = asyncio.create_task(SignalsRole(bus, wanted, clock or SystemClock()).run(ready))
    try:
        await asyncio.wait_for(ready.wait(), 10)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _until_marked(bus: Bus, position: int) -> None:
    seen: list[int] = []

    def arrived() -> bool:
        return position in seen

    async def look() -> None:
        while not arrived():
            seen[:] = await _marks(bus)
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    try:
        await eventually(arrived, what=f"mark {position}")
    finally:
        looking.cancel()


def _expected(spec: SignalSpec, bars: range) -> list[Signal]:
    service = SignalService()
    service.require(spec)
    messages = [_closed(spec.symbol, i) for i in bars]
    return [signal for one in messages for signal in service.on_candle(one.candle, one.trace_id)]


async def test_a_mark_follows_every_signal_of_the_data_before_it(bus: Bus) -> None:
    async with _role(bus, _Wanted(BTC, ETH)):
        for step in range(12):
            for symbol in ("BTC/USDT", "ETH/USDT"):
                await _send(bus, symbol, range(step * 10, step * 10 + 10))
            await _mark(bus, step)
            await _until_marked(bus, step)
            for spec in (BTC, ETH):
                evaluated = [one for one in await _published(bus, spec) if isinstance(one, BarEvaluated)]
                assert len(evaluated) == step * 10 + 10
    assert await _published(bus, BTC) == _expected(BTC, range(120))
    assert await _published(bus, ETH) == _expected(ETH, range(120))


class _Overheard(MemoryBus):
    """A bus that remembers in which order its streams were written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, bytes]] = []

    async def publish(self, stream: str, payloads: Sequence[bytes], maxlen: int = 10_000) -> None:
        self.written += [(stream, payload) for payload in payloads]
        await super().publish(stream, payloads, maxlen)


async def test_a_mark_that_overtakes_more_data_than_one_read_returns_still_comes_last() -> None:
    bus = _Overheard()
    await _send(bus, "BTC/USDT", range(10))
    async with _role(bus, _Wanted(BTC)):
        await _send(bus, "BTC/USDT", range(10, 2_500))
        await _mark(bus, 7)
        await _until_marked(bus, 7)
    streams = [stream for stream, _ in bus.written]
    evaluated = [
        i
        for i, (stream, payload) in enumerate(bus.written)
        if stream.startswith("signals:") and isinstance(decode(payload), BarEvaluated)
    ]
    assert len(evaluated) == 2_490
    assert evaluated[-1] < streams.index(SIGNALS_TAPE)


async def test_a_new_signal_warms_up_on_what_the_stream_holds_and_says_nothing_of_it(bus: Bus) -> None:
    await _send(bus, "BTC/USDT", range(57))
    async with _role(bus, _Wanted(BTC)):
        assert await _published(bus, BTC) == []
        await _send(bus, "BTC/USDT", range(57, 90))
        await _mark(bus, 1)
        await _until_marked(bus, 1)
    expected = [one for one in _expected(BTC, range(90)) if one.bar_opened_at >= 57 * MINUTE_US]
    assert await _published(bus, BTC) == expected


async def test_history_that_comes_after_the_start_warms_up_and_is_not_traded(bus: Bus) -> None:
    async with _role(bus, _Wanted(BTC)):
        await _send(bus, "BTC/USDT", range(57), is_history=True)
        await _send(bus, "BTC/USDT", range(57, 90))
        await _mark(bus, 1)
        await _until_marked(bus, 1)
    expected = [one for one in _expected(BTC, range(90)) if one.bar_opened_at >= 57 * MINUTE_US]
    assert await _published(bus, BTC) == expected


async def test_history_told_again_does_not_hide_a_candle_that_closed_while_the_role_was_down(bus: Bus) -> None:
    async with _role(bus, _Wanted(BTC)):
        await _send(bus, "BTC/USDT", range(82))
        await _mark(bus, 1)
        await _until_marked(bus, 1)
    await _send(bus, "BTC/USDT", range(82, 89))
    await _send(bus, "BTC/USDT", range(89), is_history=True)
    async with _role(bus, _Wanted(BTC)):
        await _mark(bus, 2)
        await _until_marked(bus, 2)
    assert await _published(bus, BTC) == _expected(BTC, range(89))


async def test_a_restart_says_what_came_meanwhile_and_nothing_twice(bus: Bus) -> None:
    async with _role(bus, _Wanted(BTC)):
        await _send(bus, "BTC/USDT", range(80))
        await _mark(bus, 1)
        await _until_marked(bus, 1)
    await _send(bus, "BTC/USDT", range(80, 89))  # nine minutes while the role is down
    async with _role(bus, _Wanted(BTC)):
        await _mark(bus, 2)
        await _until_marked(bus, 2)
    assert await _published(bus, BTC) == _expected(BTC, range(89))


async def test_a_signal_older_than_ten_minutes_is_not_said_after_a_restart(bus: Bus) -> None:
    async with _role(bus, _Wanted(BTC)):
        await _send(bus, "BTC/USDT", range(50))
        await _mark(bus, 1)
        await _until_marked(bus, 1)
    await _send(bus, "BTC/USDT", range(50, 100))
    async with _role(bus, _Wanted(BTC)):
        await _mark(bus, 2)
        await _until_marked(bus, 2)
    bars = [one.bar_opened_at // MINUTE_US for one in await _published(bus, BTC) if isinstance(one, BarEvaluated)]
    assert bars == [*range(50), *range(90, 100)]


async def test_what_is_wanted_later_is_taken_up_and_what_is_wanted_no_more_is_dropped(bus: Bus) -> None:
    wanted, clock = _Wanted(ETH), ManualClock(0)
    async with _role(bus, wanted, clock):
        await _send(bus, "BTC/USDT", range(57))
        await _mark(bus, 1)
        await _until_marked(bus, 1)
        wanted.specs = [BTC]
        clock.advance_to(2_000_000)
        await _mark(bus, 2)  # ends the read that waits; the next turn looks at what is wanted
        await _until_marked(bus, 2)
        await _mark(bus, 3)
        await _until_marked(bus, 3)
        for symbol in ("BTC/USDT", "ETH/USDT"):
            await _send(bus, symbol, range(57, 60))
        await _mark(bus, 4)
        await _until_marked(bus, 4)
    assert [one.bar_opened_at // MINUTE_US for one in await _published(bus, BTC) if isinstance(one, BarEvaluated)] == [
        57,
        58,
        59,
    ]
    assert await _published(bus, ETH) == []


async def test_nobody_wanting_anything_still_passes_the_marks(bus: Bus) -> None:
    async with _role(bus, _Wanted()):
        await _mark(bus, 1)
        await _until_marked(bus, 1)
