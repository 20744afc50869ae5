"""The api role: what it provides to the endpoints, what runs beside them, and the server around both."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

from tidegate.accounts.callers import RequestCallers
from tidegate.accounts.repository import VisibleAccounts
from tidegate.accounts.secrets import AccessTokens, Passwords
from tidegate.accounts.service import Accounts, ApiKeys
from tidegate.app import health, page, websocket
from tidegate.app.api import create_app
from tidegate.app.checks import bus_check, database_check, engine_check, feed_check, venue_check
from tidegate.app.command_bus import DECISION_S, CommandBus
from tidegate.app.hub import Hub
from tidegate.app.idempotency.repository import IdempotencyKeys
from tidegate.app.lifespan import Service, Services
from tidegate.app.loading import signal_key
from tidegate.app.overview import Overview
from tidegate.app.readers import AccountExposures, MarketMarks, PortfolioTrading, ScreenSnapshots
from tidegate.app.settings import Settings
from tidegate.bots.desk import BotDesk
from tidegate.bots.reading.repository import BotReader
from tidegate.domain.errors import Unavailable
from tidegate.domain.ports import MarketSource
from tidegate.execution.desk import OrderDesk
from tidegate.execution.reading.repository import FillReader, OrderReader, PositionReader, TradeReader
from tidegate.kit.bus import Bus
from tidegate.kit.clock import Clock
from tidegate.kit.db import Database
from tidegate.kit.http import Callers
from tidegate.ledger.repository import LedgerReader
from tidegate.market.reader import MarketReader
from tidegate.market.repository import CandleStore
from tidegate.portfolio.service import PortfolioReader
from tidegate.risk.kill_switch.desk import KillSwitch
from tidegate.risk.repository import RiskReader
from tidegate.signals.ports import WantedSignals
from tidegate.signals.recent import SignalReader

_STOP_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """What wiring hands the api."""

    settings: Settings
    database: Database
    bus: Bus
    clock: Clock
    source: MarketSource
    candles: CandleStore
    wanted: WantedSignals
    venue: str
    decision_s: float = DECISION_S
    passwords: Passwords | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """The application, what runs beside it in order, and its open sockets."""

    app: FastAPI
    services: Services
    sockets: websocket.WebSockets


def build(parts: ApiParts, on_failure: Callable[[], None] | None = None) -> Api:
    """Everything put together, nothing started; `on_failure` is called when an essential service ends by itself."""
    settings, database = parts.settings, parts.database
    market = MarketReader(parts.bus, parts.candles, parts.source, venue=parts.venue, clock=parts.clock)
    commands = CommandBus(parts.bus, database, parts.clock, shards=settings.shards, decision_s=parts.decision_s)
    provided = _provided(parts, market, commands)
    hub = Hub(parts.bus, database, _snapshots(provided), venue=parts.venue, clock=parts.clock)
    callers: RequestCallers = provided[RequestCallers]
    sockets = websocket.WebSockets(hub, callers, provided[VisibleAccounts], parts.clock)
    monitor = _monitor(parts, market)
    provided |= {
        websocket.WebSockets: sockets,
        health.HealthMonitor: monitor,
        Overview: _overview(parts, provided, monitor),
    }
    services = Services(
        [
            Service(name="market", start=market.catch_up, run=market.run),
            Service(name="decisions", run=commands.run),
            Service(name="market channels", run=hub.follow_market),
            Service(name="account channels", run=hub.follow_accounts),
            Service(name="health monitor", start=monitor.look, run=monitor.run),
        ],
        on_failure,
    )
    app = create_app(provided, origins=settings.cors_origins, extra=(health.router, websocket.router, page.router))
    return Api(app, services, sockets)


async def serve(parts: ApiParts, ready: Callable[[], None]) -> None:
    """Listen on host and port until cancelled; `Unavailable` when the port is busy or a service has failed."""
    listener = _listener(parts.settings)
    failed = asyncio.Event()
    api = build(parts, on_failure=failed.set)
    server = Server(api.app, ready)
    async with api.services.running():
        serving = asyncio.create_task(server.serve([listener]))
        failing = asyncio.create_task(failed.wait())
        try:
            await asyncio.wait([serving, failing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            failing.cancel()
            await api.sockets.close()
            server.should_exit = True
            await serving
    raise Unavailable("The api has stopped, because a service of it failed; the log says which.", code="api.failed")


class Server(uvicorn.Server):
    """Leaves signals to the role and services to the caller, and says when it listens."""

    def __init__(self, app: FastAPI, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=websocket.MESSAGE_BYTES_MAX,
            ws_ping_interval=websocket.PING_S,
            ws_ping_timeout=websocket.SILENCE_S,
            timeout_graceful_shutdown=_STOP_S,
            lifespan="off",
        )
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Port {settings.port} of {settings.host} cannot be used: {error.strerror};"
            " stop who uses it, or set TIDEGATE_PORT to another one.",
            code="api.port_busy",
        ) from None
    return listener


def _provided(parts: ApiParts, market: MarketReader, commands: CommandBus) -> dict[type[Any], Any]:
    settings, database, clock = parts.settings, parts.database, parts.clock
    visible = VisibleAccounts(database)
    people = Accounts(
        database,
        clock=clock,
        tokens=AccessTokens(settings.secret_key.get_secret_value()),
        passwords=parts.passwords or Passwords(),
    )
    callers = RequestCallers(people, origins=settings.cors_origins)
    orders, fills = OrderReader(database, visible), FillReader(database, visible)
    positions, trades = PositionReader(database, visible), TradeReader(database, visible)
    bots, ledger = BotReader(database, visible), LedgerReader(database, visible)
    marks = MarketMarks(market, clock)
    exposures = AccountExposures(orders=orders, positions=positions, trades=trades, marks=marks)
    return {
        Callers: callers,
        RequestCallers: callers,
        Accounts: people,
        ApiKeys: ApiKeys(database, clock=clock),
        VisibleAccounts: visible,
        MarketReader: market,
        SignalReader: SignalReader(parts.bus, parts.wanted),
        OrderReader: orders,
        FillReader: fills,
        PositionReader: positions,
        TradeReader: trades,
        BotReader: bots,
        LedgerReader: ledger,
        RiskReader: RiskReader(database, visible, exposures, defaults=settings.risk.limits()),
        PortfolioReader: PortfolioReader(
            accounts=visible, holdings=ledger, trading=PortfolioTrading(positions, fills), marks=marks
        ),
        OrderDesk: OrderDesk(
            accounts=visible,
            instruments=market,
            orders=orders,
            commands=commands,
            keys=IdempotencyKeys(database, clock),
            market_now=marks.market_now,
        ),
        BotDesk: BotDesk(
            reader=bots,
            accounts=visible,
            instruments=market,
            commands=commands,
            signal_key_of=signal_key,
            clock=clock,
            market_now=marks.market_now,
        ),
        KillSwitch: KillSwitch(accounts=visible, commands=commands, market_now=marks.market_now),
    }


def _snapshots(provided: Mapping[type[Any], Any]) -> ScreenSnapshots:
    return ScreenSnapshots(
        market=provided[MarketReader],
        signals=provided[SignalReader],
        orders=provided[OrderReader],
        fills=provided[FillReader],
        positions=provided[PositionReader],
        bots=provided[BotReader],
        risk=provided[RiskReader],
    )


def _overview(parts: ApiParts, provided: Mapping[type[Any], Any], monitor: health.HealthMonitor) -> Overview:
    return Overview(
        accounts=provided[VisibleAccounts],
        portfolio=provided[PortfolioReader],
        ledger=provided[LedgerReader],
        market=provided[MarketReader],
        bots=provided[BotReader],
        orders=provided[OrderReader],
        risk=provided[RiskReader],
        health=monitor,
        timeframe=parts.settings.base_timeframe,
        symbols=parts.settings.symbols,
        clock=parts.clock,
    )


def _monitor(parts: ApiParts, market: MarketReader) -> health.HealthMonitor:
    settings = parts.settings
    checks = {
        "database": database_check(parts.database),
        "bus": bus_check(parts.bus),
        "engine": engine_check(parts.database, lease_s=settings.lease_s, clock=parts.clock),
        "feeds": feed_check(market, settings.symbols),
    }
    if settings.simulator_url:
        checks["venue"] = venue_check(settings.simulator_url)
    return health.HealthMonitor(checks, essential=("database", "bus"), clock=parts.clock)
