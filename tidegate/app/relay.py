"""The relay: reads the committed log by cursor and tells the screens; a leased singleton.

Each account's events leave in their order. A crash repeats what was told after the last cursor, so that listeners see
every event at least once; the sequence in each notice tells a repetition.
"""

import asyncio

from sqlalchemy import and_, or_, select

from tidegate.app.channels import COMMITTED, EVENTS
from tidegate.domain.ids import AccountId
from tidegate.kit.bus import Bus
from tidegate.kit.clock import Clock
from tidegate.kit.db import Database, Store, WriteSet, event_cursors, event_heads, events
from tidegate.kit.db.statements import Row
from tidegate.kit.ids import new_id

_CONSUMER = "screens"
_BATCH = 500
_LOOK_S = 0.5  # a lost notice costs so much
_LEASE = "relay"
_LEASE_US = 5_000_000


class Relay:
    """One consumer of the log."""

    def __init__(self, database: Database, store: Store, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._bus = bus
        self._clock = clock
        self._holder = f"relay:{new_id()}"
        self._lease_ends_at = 0  # µs, wall time
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            while True:
                self._news.clear()
                if not await self._is_ours() or not await self.tell():
                    try:
                        async with asyncio.timeout(_LOOK_S):
                            await self._news.wait()
                    except TimeoutError:
                        continue

    async def _is_ours(self) -> bool:
        """Whether this relay is the one that tells; the others wait until its lease runs out."""
        now = self._clock.now_us()
        if now + _LEASE_US // 2 < self._lease_ends_at:
            return True
        if await self._store.acquire_lease(_LEASE, self._holder, now, _LEASE_US) is None:
            return False
        self._lease_ends_at = now + _LEASE_US
        return True

    async def tell(self) -> int:
        """Tell one batch of every account with news; how many events that were."""
        behind = await self._database.fetch(
            select(event_heads.c.account_id, event_heads.c.sequence, event_cursors.c.sequence.label("told"))
            .outerjoin(
                event_cursors,
                and_(event_cursors.c.account_id == event_heads.c.account_id, event_cursors.c.consumer == _CONSUMER),
            )
            .where(or_(event_cursors.c.sequence.is_(None), event_cursors.c.sequence < event_heads.c.sequence))
        )
        return sum([await self._tell_account(AccountId(row["account_id"]), row["told"] or 0) for row in behind])

    async def _tell_account(self, account_id: AccountId, told: int) -> int:
        rows = await self._database.fetch(
            select(events)
            .where(events.c.account_id == account_id, events.c.sequence > told)
            .order_by(events.c.sequence)
            .limit(_BATCH)
        )
        for row in rows:
            await self._bus.notify(EVENTS, notice(dict(row)))
        if rows:
            told_to = WriteSet()
            told_to.upsert(event_cursors, consumer=_CONSUMER, account_id=account_id, sequence=rows[-1]["sequence"])
            await self._store.commit(told_to)
        return len(rows)

    async def _listen(self) -> None:
        async for _ in self._bus.listen(COMMITTED):
            self._news.set()


def notice(row: Row) -> bytes:
    """One event as listeners get it: account, sequence and the message as it was logged."""
    return f'{{"account_id":"{row["account_id"]}","sequence":{row["sequence"]},"message":{row["payload"]}}}'.encode()
