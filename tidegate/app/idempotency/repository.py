"""Keys in the database; what a key did is told by the inbox."""

import hashlib

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from tidegate.app.idempotency.tables import idempotency_keys as keys
from tidegate.domain.errors import Conflict
from tidegate.domain.ids import TenantId
from tidegate.kit.clock import Clock
from tidegate.kit.db import Database


class IdempotencyKeys:
    """Remembers each key with the hash of its request."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, tenant_id: TenantId, key: str, body: bytes) -> None:
        """New, or the same request again; `Conflict` when the key was used for another one."""
        body_hash = hashlib.sha256(body).hexdigest()
        row = {"tenant_id": tenant_id, "key": key, "body_hash": body_hash, "claimed_at": self._clock.now_us()}
        try:
            async with self._database.transaction() as connection:
                await connection.execute(insert(keys).values(row))
        except IntegrityError:
            query = select(keys.c.body_hash).where(keys.c.tenant_id == tenant_id, keys.c.key == key)
            if (await self._database.fetch(query))[0]["body_hash"] != body_hash:
                raise Conflict(
                    f"Idempotency-Key {key!r} was used for another request; take a new one.",
                    code="http.idempotency_key_reused",
                ) from None
