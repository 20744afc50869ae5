"""What the endpoints answer of signals and strategies, through HTTP."""

from collections.abc import Sequence
from decimal import Decimal as D

import httpx
import pytest
from fastapi import FastAPI, Request

from tidegate.domain.ids import TenantId, TraceId, UserId
from tidegate.domain.messages import BarEvaluated, SignalArmed, SignalTriggered, encode
from tidegate.domain.orders import Side
from tidegate.kit.bus import MemoryBus
from tidegate.kit.http import Caller, Callers, add_manners
from tidegate.signals.endpoints import signals, strategies
from tidegate.signals.model import SignalSpec, signal_spec
from tidegate.signals.recent import SignalReader
from tidegate.signals.streams import signals_stream

SPEC = signal_spec("ema_cross", "BTC/USDT", "1m")
OTHER = signal_spec("ema_cross", "ETH/USDT", "5m")


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Wanted:
    async def wanted(self) -> Sequence[SignalSpec]:
        return [SPEC, OTHER]


class _Anybody:
    async def caller_of(self, request: Request) -> Caller:
        return Caller(UserId("u"), TenantId("t"), "owner")


def _triggered(at: int, spec: SignalSpec = SPEC) -> bytes:
    return encode(
        SignalTriggered(
            trace_id=TraceId(f"trace-{at}"),
            occurred_at=at * 1_000_000,
            signal_key=spec.key,
            symbol=spec.symbol,
            timeframe=spec.timeframe,
            bar_opened_at=0,
            close=D("61234.50"),
            side=Side.BUY,
            is_entry=True,
            reason="rule",
        )
    )


def _evaluated(at: int) -> bytes:
    return encode(
        BarEvaluated(
            trace_id=TraceId("t"),
            occurred_at=at * 1_000_000,
            signal_key=SPEC.key,
            symbol=SPEC.symbol,
            timeframe=SPEC.timeframe,
            bar_opened_at=0,
            close=D(1),
            values={"rsi": 51.5},
            phase="idle",
            verdict="no crossing",
        )
    )


def _armed(at: int) -> bytes:
    return encode(
        SignalArmed(
            trace_id=TraceId("t"),
            occurred_at=at * 1_000_000,
            signal_key=SPEC.key,
            symbol=SPEC.symbol,
            timeframe=SPEC.timeframe,
            bar_opened_at=0,
            close=D(1),
            side=Side.BUY,
            entry_price=D("0.000001"),
            invalidation_price=None,
            expires_at=1_723_161_300_123_000,
        )
    )


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def client(bus: MemoryBus) -> httpx.AsyncClient:
    app = FastAPI()
    add_manners(app)
    app.include_router(signals.router, prefix="/api/v1/signals")
    app.include_router(strategies.router, prefix="/api/v1/strategies")
    app.state.provided = {SignalReader: SignalReader(bus, _Wanted()), Callers: _Anybody()}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tidegate")


async def _publish(bus: MemoryBus, *payloads: bytes, spec: SignalSpec = SPEC) -> None:
    await bus.publish(signals_stream(spec.symbol, spec.timeframe), payloads)


async def test_signals_come_newest_first_over_all_streams(bus: MemoryBus, client: httpx.AsyncClient) -> None:
    await _publish(bus, _triggered(1), _triggered(3))
    await _publish(bus, _triggered(2, OTHER), spec=OTHER)
    page = (await client.get("/api/v1/signals")).json()
    assert [one["trace_id"] for one in page["items"]] == ["trace-3", "trace-2", "trace-1"]
    assert page["next_cursor"] is None
    assert page["items"][0]["close"] == "61234.5"
    assert page["items"][0]["occurred_at"] == "1970-01-01T00:00:03.000Z"
    assert page["items"][0]["name"] == "signals.signal_triggered.v1"


async def test_evaluated_bars_are_listed_only_if_wanted(bus: MemoryBus, client: httpx.AsyncClient) -> None:
    await _publish(bus, _armed(1), _evaluated(2))
    (armed,) = (await client.get("/api/v1/signals")).json()["items"]
    assert (armed["entry_price"], armed["expires_at"]) == ("0.000001", "2024-08-08T23:55:00.123Z")
    both = (await client.get("/api/v1/signals", params={"with_bars": "true"})).json()["items"]
    assert [one["verdict"] for one in both] == ["no crossing", None]
    assert both[0]["values"] == {"rsi": 51.5}


async def test_a_page_ends_with_the_cursor_of_the_next(bus: MemoryBus, client: httpx.AsyncClient) -> None:
    await _publish(bus, *[_triggered(at) for at in range(5)])
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/v1/signals", params=params)).json()
        seen += [one["trace_id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await _publish(bus, _triggered(10 + len(seen)))  # news does not disturb the pages
    assert seen == [f"trace-{at}" for at in (4, 3, 2, 1, 0)]


async def test_a_cursor_that_nobody_gave_out_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/signals", params={"cursor": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "signals.cursor_invalid")


async def test_symbol_and_timeframe_filter(bus: MemoryBus, client: httpx.AsyncClient) -> None:
    await _publish(bus, _triggered(1))
    await _publish(bus, _triggered(2, OTHER), spec=OTHER)
    for params in ({"symbol": "ETH-USDT"}, {"timeframe": "5m"}):
        items = (await client.get("/api/v1/signals", params=params)).json()["items"]
        assert [one["symbol"] for one in items] == ["ETH/USDT"]
    assert (await client.get("/api/v1/signals", params={"symbol": "ETHUSDT"})).status_code == 422


async def test_strategies_are_listed_with_ranges_and_when_they_lose(client: httpx.AsyncClient) -> None:
    items = (await client.get("/api/v1/strategies")).json()["items"]
    assert [one["name"] for one in items] == ["ema_cross", "quantum_cipher"]
    fast = next(one for one in items[0]["parameters"] if one["name"] == "fast")
    assert (fast["kind"], fast["default"], fast["low"], fast["high"]) == ("integer", 12, 2, 500)
    trigger = next(one for one in items[0]["arming"] if one["name"] == "trigger")
    assert trigger["choices"] == ["rule", "stop_entry", "pullback"]
    assert all(one["loses_when"] for one in items)
    one = await client.get("/api/v1/strategies/quantum_cipher")
    assert one.json() == items[1]
    assert (await client.get("/api/v1/strategies/macd")).status_code == 404
