"""Which concrete part fills which port: the only file that knows every stage and every venue."""

import aiohttp
import msgspec

from tidegate.accounts.model import TradingAccount
from tidegate.app.settings import Settings
from tidegate.domain.errors import Forbidden, Invalid, Unavailable
from tidegate.domain.ids import Environment
from tidegate.domain.instruments import stream_symbol
from tidegate.domain.messages import TapeAdvanced
from tidegate.kit.bus import Bus, RedisBus
from tidegate.kit.clock import MILLISECOND_US, Clock
from tidegate.kit.db import Database
from tidegate.market.archive import DayArchive
from tidegate.market.model import Series
from tidegate.market.repository import CandleStore
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.hosts import HostClass, Hosts, simulator_hosts
from tidegate.venues.binance.market import BinanceMarket
from tidegate.venues.binance.venue import BinanceVenue

SIMULATOR = "simulator"
_SHOWN = 10  # symbols in a sentence
_CONTROL_TOKEN_HEADER = "X-Control-Token"
_RECV_WINDOW_MS_MAX = 5_000
_ENGINE_ALLOWANCE_MS = 1_000  # from the venue's gateway to its matching engine


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


class _DayTicker(msgspec.Struct):
    """Statistics of the last 24 hours, which end now."""

    closeTime: int  # ms, market time


class TapeClock:
    """Market time of a venue whose tape does not run with our clock: a replay."""

    def __init__(self, clock: Clock, offset_us: int) -> None:
        self._clock = clock
        self._offset_us = offset_us

    def now_us(self) -> int:
        return self._clock.now_us() + self._offset_us

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


class StepClock:
    """Market time in lockstep: it moves with the tape's marks, however long a step takes."""

    def __init__(self, clock: Clock, at: int) -> None:
        self._clock = clock
        self._at = at

    def now_us(self) -> int:
        return self._at

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    def move(self, mark: TapeAdvanced) -> None:
        """The tape has come so far; a mark that is told again changes nothing."""
        self._at = max(self._at, mark.occurred_at)


async def market_clock(client: RestClient, settings: Settings) -> TapeClock | StepClock:
    """The clock of market time: ours at a venue, that of the tape where a simulator plays one."""
    symbol = stream_symbol(settings.symbols[0])
    ticker = msgspec.json.decode(await client.get(f"/api/v3/ticker/24hr?symbol={symbol}", weight=2), type=_DayTicker)
    at = ticker.closeTime * MILLISECOND_US
    if settings.lockstep:
        return StepClock(client.clock, at)
    return TapeClock(client.clock, at - client.clock.now_us())


def hosts_of(settings: Settings) -> Hosts:
    """Where the simulator of these settings is; `Invalid` when it is not named."""
    if not settings.simulator_url:
        raise Invalid("TIDEGATE_SIMULATOR_URL is not set; `tidegate up` starts a simulator of its own.")
    url = settings.simulator_url
    stream = url.replace("http", "ws", 1)
    return simulator_hosts(url, stream, f"{stream}/ws-api/v3")


async def refuse_unlisted_symbols(client: RestClient, settings: Settings) -> None:
    """`Invalid` names the configured symbols that the venue does not have, and some that it has."""
    listed = [instrument.symbol for instrument in await client.instruments()]
    unlisted = [symbol for symbol in settings.symbols if symbol not in listed]
    if unlisted:
        raise Invalid(
            f"TIDEGATE_SYMBOLS names {', '.join(unlisted)}, which the venue does not list; it lists "
            f"{', '.join(listed[:_SHOWN])}{' …' if len(listed) > _SHOWN else ''}.",
            code="settings.symbol_unknown",
        )


def client_of(settings: Settings, clock: Clock) -> RestClient:
    """The one client of this process; a request older than its window cannot arrive behind the fence."""
    window_ms = max(1, min(_RECV_WINDOW_MS_MAX, settings.fence_ms - _ENGINE_ALLOWANCE_MS))
    return RestClient(hosts_of(settings), clock=clock, recv_window_ms=window_ms)


def open_market(client: RestClient, settings: Settings) -> BinanceMarket:
    """Public market data."""
    return BinanceMarket(client, is_lockstep=settings.lockstep)


def open_venue(account: TradingAccount, settings: Settings, client: RestClient) -> BinanceVenue:
    """Where an account trades, if it may."""
    refuse_real_money(account, settings)
    if client.hosts.host_class is not HostClass.SIMULATOR:
        raise Forbidden(f"{client.hosts.name} is a real venue: it serves public data only.", code="wiring.live_closed")
    return BinanceVenue(
        client,
        api_key=settings.simulator_key.get_secret_value(),
        secret=settings.simulator_secret.get_secret_value(),
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
