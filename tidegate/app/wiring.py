"""Which concrete part fills which port: the only file that knows every stage and every venue."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tidegate.accounts.model import TradingAccount
from tidegate.app.settings import Settings
from tidegate.domain.errors import Forbidden, Invalid, Unavailable
from tidegate.domain.ids import AccountId, Environment
from tidegate.domain.ports import MarketSource, Venue
from tidegate.kit.bus import Bus, RedisBus
from tidegate.kit.clock import SECOND_US, Clock, SystemClock

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
