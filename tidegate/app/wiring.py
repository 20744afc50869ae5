"""Which concrete part fills which port: the only file that knows every stage and every venue."""

import aiohttp

from tidegate.accounts.model import TradingAccount
from tidegate.app.settings import Settings
from tidegate.domain.errors import Forbidden, Invalid, Unavailable
from tidegate.domain.ids import Environment
from tidegate.kit.bus import Bus, RedisBus
from tidegate.kit.clock import Clock
from tidegate.kit.db import Database
from tidegate.market.archive import DayArchive
from tidegate.market.model import Series
from tidegate.market.repository import CandleStore
from tidegate.venues.binance.account import BinanceVenue
from tidegate.venues.binance.hosts import HostClass, Hosts, simulator_hosts
from tidegate.venues.binance.market import BinanceMarket

SIMULATOR = "simulator"
_CONTROL_TOKEN_HEADER = "X-Control-Token"


def open_bus(settings: Settings) -> Bus:
    """The streams between processes; `Unavailable` names the setting when there is none."""
    if settings.redis_url is None:
        raise Unavailable("TIDEGATE_REDIS_URL is not set; `tidegate up` starts a Valkey of its own.")
    return RedisBus(settings.redis_url)


def refuse_real_money(account: TradingAccount, settings: Settings) -> None:
    """Orders go to the simulator alone: real hosts serve public market data and nothing else."""
    if account.venue == SIMULATOR and account.environment is Environment.SIMULATION:
        return
    if settings.dry_run_mode:
        raise Forbidden(
            f"Account {account.name!r} trades at {account.venue}, which DRY_RUN_MODE=true forbids.",
            code="wiring.dry_run",
        )
    raise Forbidden(
        f"Account {account.name!r} trades at {account.venue}: trading on real venues is not open yet.",
        code="wiring.live_closed",
    )


class TapeClock:
    """Market time of a venue whose tape does not run with our clock: a replay."""

    def __init__(self, clock: Clock, offset_us: int) -> None:
        self._clock = clock
        self._offset_us = offset_us

    def now_us(self) -> int:
        return self._clock.now_us() + self._offset_us

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


async def market_clock(market: BinanceMarket, settings: Settings, clock: Clock) -> Clock:
    """The clock of market time: ours, or that of the tape which the simulator plays."""
    return TapeClock(clock, await market.market_time_us(settings.symbols[0]) - clock.now_us())


def hosts_of(settings: Settings) -> Hosts:
    """Where the simulator of these settings is; `Invalid` when it is not named."""
    if not settings.simulator_url:
        raise Invalid("TIDEGATE_SIMULATOR_URL is not set; `tidegate up` starts a simulator of its own.")
    url = settings.simulator_url
    stream = url.replace("http", "ws", 1)
    return simulator_hosts(url, stream, f"{stream}/ws-api/v3")


def open_market(settings: Settings, clock: Clock) -> BinanceMarket:
    """Public market data."""
    return BinanceMarket(hosts_of(settings), clock=clock, lockstep=settings.lockstep)


def open_venue(account: TradingAccount, settings: Settings, clock: Clock) -> BinanceVenue:
    """Where an account trades, if it may."""
    refuse_real_money(account, settings)
    hosts = hosts_of(settings)
    if hosts.host_class is not HostClass.SIMULATOR:
        raise Forbidden(f"{hosts.name} is a real venue: it serves public data only.", code="wiring.live_closed")
    return BinanceVenue(
        hosts,
        settings.simulator_key.get_secret_value(),
        settings.simulator_secret.get_secret_value(),
        account.account_id,
        clock=clock,
        lockstep=settings.lockstep,
    )


def candle_store(settings: Settings, database: Database) -> CandleStore:
    """Candles of the venue that the market data comes from."""
    return CandleStore(database, DayArchive(settings.data_dir / "candles"), venue=SIMULATOR)


def configured_series(settings: Settings) -> list[Series]:
    """What is kept and shown whether a bot wants it or not."""
    timeframes = (settings.base_timeframe, *settings.timeframes)
    return [Series(symbol, timeframe) for symbol in settings.symbols for timeframe in dict.fromkeys(timeframes)]


class Tape:
    """The simulator's lockstep control."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = f"{url}/_control/acknowledge"
        self._headers = {_CONTROL_TOKEN_HEADER: token}

    async def acknowledge(self, position: int) -> None:
        """Everything up to this position is done."""
        async with self._session.post(self._url, json={"position": position}, headers=self._headers) as answer:
            if answer.status != 200:
                raise Unavailable(f"The simulator refused to move its tape: {await answer.text()}.")
