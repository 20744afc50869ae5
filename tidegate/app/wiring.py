"""Which concrete part fills which port: the only file that knows every stage and every venue."""

from collections.abc import Awaitable, Callable

import aiohttp

from tidegate.accounts.model import TradingAccount
from tidegate.app.settings import Settings
from tidegate.domain.candles import CandleSource
from tidegate.domain.errors import Forbidden, Invalid, Unavailable
from tidegate.domain.ids import AccountId, Environment
from tidegate.domain.ports import MarketSource, Venue
from tidegate.kit.bus import Bus, RedisBus
from tidegate.kit.clock import Clock
from tidegate.market.service import IngestOptions

SIMULATOR = "simulator"
BINANCE = "binance"


def open_bus(settings: Settings) -> Bus:
    """The streams between processes; `Unavailable` names the setting when there is none."""
    if settings.redis_url is None:
        raise Unavailable("TIDEGATE_REDIS_URL is not set; `tidegate up` starts a Valkey of its own.")
    return RedisBus(settings.redis_url)


def refuse_real_money(account: TradingAccount, settings: Settings) -> None:
    """Orders go to the simulator alone; real hosts serve public market data."""
    if account.venue == SIMULATOR and account.environment is Environment.SIMULATION:
        return
    if settings.dry_run_mode:
        raise Forbidden(
            f"Account {account.name!r} trades at {account.venue}, which DRY_RUN_MODE forbids.",
            code="wiring.dry_run",
        )
    raise Forbidden(
        f"Account {account.name!r} trades at {account.venue}: trading on real venues is not open yet.",
        code="wiring.live_closed",
    )
