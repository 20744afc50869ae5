"""Commands on their way to the engine that owns the account, and the decision on its way back."""

import asyncio
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy import select

from tidegate.app.channels import DECISIONS, commands_stream_of
from tidegate.domain.errors import Conflict, Invalid, NotFound, TidegateError
from tidegate.domain.ids import CommandId
from tidegate.domain.messages import Request, encode, from_json
from tidegate.kit.bus import Bus
from tidegate.kit.clock import Clock
from tidegate.kit.db import Database, inbox

DECISION_S = 2.0
_DONE, _REFUSED = "done", "refused"
_COMMANDS_KEPT = 100_000
# A refusal tells its kind by the end of its code; anything else is a state that forbids what was asked.
_KINDS: tuple[tuple[str, type[TidegateError]], ...] = (("not_found", NotFound), ("invalid", Invalid))


@dataclass(frozen=True, slots=True)
class Decision:
    """What an engine answered: done, denied or refused."""

    command_id: CommandId
    status: str
    code: str = ""
    detail: str = ""


class CommandBus:
    """One for a process; `run` listens for decisions, and what it misses stands in the inbox."""

    def __init__(
        self, bus: Bus, database: Database, clock: Clock, *, shards: int, decision_s: float = DECISION_S
    ) -> None:
        self._clock = clock
        self._bus = bus
        self._database = database
        self._shards = shards
        self._decision_s = decision_s
        self._waiting: dict[CommandId, asyncio.Future[Decision]] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        async for notice in self._bus.listen(DECISIONS):
            decision = from_json(notice, Decision)
            waiting = self._waiting.get(decision.command_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(decision)

    async def send(self, command: Request) -> bool:
        """True when it is done, False when nobody has decided in time; a denial or refusal raises its coded error."""
        decision = await self._in_inbox(command.command_id)
        if decision is None:
            decision = await self._asked(command)
        if decision is None:
            return False
        if decision.status == _DONE:
            return True
        raise _kind(decision)(decision.detail, code=decision.code)

    async def _asked(self, command: Request) -> Decision | None:
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[command.command_id] = answer
        try:
            stream = commands_stream_of(command.account_id, self._shards)
            sent = replace(command, sent_at=self._clock.now_us())
            await self._bus.publish(stream, [encode(sent)], maxlen=_COMMANDS_KEPT)
            async with asyncio.timeout(self._decision_s):
                return await answer
        except TimeoutError:
            return await self._in_inbox(command.command_id)
        finally:
            del self._waiting[command.command_id]

    async def _in_inbox(self, command_id: CommandId) -> Decision | None:
        rows = await self._database.fetch(select(inbox.c.answer).where(inbox.c.command_id == command_id))
        return from_json(rows[0]["answer"], Decision) if rows else None


def _kind(decision: Decision) -> type[TidegateError]:
    if decision.status != _REFUSED:
        return Conflict
    return next((kind for ending, kind in _KINDS if decision.code.endswith(ending)), Conflict)
