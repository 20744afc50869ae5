"""What health asks, and what counts as well."""

from collections.abc import Mapping, Sequence

import aiohttp
from sqlalchemy import func, literal, select

from tidegate.app.health import Check, Condition, Status
from tidegate.kit.bus import Bus
from tidegate.kit.clock import SECOND_US, Clock
from tidegate.kit.connections import guard
from tidegate.kit.db import Database, leases
from tidegate.market.reader import MarketReader
from tidegate.market.streams import WANTED_STREAM

FEED_AGE_S_MAX = 10.0


def database_check(database: Database) -> Check:
    """One question, answered."""

    async def check() -> Mapping[str, Condition]:
        await database.fetch(select(literal(1).label("one")))
        return {"database": Condition(Status.OK)}

    return check


def bus_check(bus: Bus) -> Check:
    """One question, answered."""

    async def check() -> Mapping[str, Condition]:
        await bus.last_ids([WANTED_STREAM])
        return {"bus": Condition(Status.OK)}

    return check


def engine_check(database: Database, *, lease_s: int, clock: Clock) -> Check:
    """Some engine has renewed the lease of some shard lately."""

    async def check() -> Mapping[str, Condition]:
        query = select(func.max(leases.c.expires_at).label("expires_at")).where(leases.c.name.like("shard:%"))
        expires_at = (await database.fetch(query))[0]["expires_at"]
        if expires_at is None:
            return {"engine": Condition(Status.DOWN, "no engine has ever taken a lease")}
        age_s = (clock.now_us() - expires_at) / SECOND_US + lease_s
        if age_s > lease_s:
            return {"engine": Condition(Status.DOWN, "no engine holds a lease", age_s)}
        return {"engine": Condition(Status.OK, age_s=max(age_s, 0.0))}

    return check


def feed_check(market: MarketReader, symbols: Sequence[str]) -> Check:
    """Every configured symbol has said something lately."""

    async def check() -> Mapping[str, Condition]:
        ages = {now.ticker.symbol: now.age_s for now in market.tickers()}
        return {f"feed:{symbol}": _feed(ages.get(symbol)) for symbol in symbols}

    return check


def venue_check(url: str) -> Check:
    """The venue answers a ping."""

    async def check() -> Mapping[str, Condition]:
        guard()
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v3/ping") as answer:
                if answer.status == 200:
                    return {"venue": Condition(Status.OK)}
                return {"venue": Condition(Status.DEGRADED, f"it answers with status {answer.status}")}
        except aiohttp.ClientError as error:
            return {"venue": Condition(Status.DOWN, str(error))}

    return check


def _feed(age_s: float | None) -> Condition:
    if age_s is None:
        return Condition(Status.DEGRADED, "nothing heard yet")
    if age_s > FEED_AGE_S_MAX:
        return Condition(Status.DEGRADED, f"silent for more than {FEED_AGE_S_MAX:g} s", age_s)
    return Condition(Status.OK, age_s=age_s)
