"""/api/v1/bots: create, start, pause, stop, clone, force an exit, and why a bot did not trade."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from tidegate.bots.desk import BotDesk
from tidegate.bots.model import Bot
from tidegate.bots.reading.repository import BotReader
from tidegate.bots.schemas import (
    BotIn,
    BotOut,
    BotQuery,
    CloneIn,
    DecisionOut,
    DecisionQuery,
    DirectedBotOut,
    StopIn,
    decision_out,
    directed_bot_out,
)
from tidegate.domain.ids import AccountId, BotId
from tidegate.kit.http import CurrentCaller, Page, provided

router = APIRouter()
Reader = Annotated[BotReader, Depends(provided(BotReader))]
Desk = Annotated[BotDesk, Depends(provided(BotDesk))]


@router.get("")
async def list_bots(caller: CurrentCaller, reader: Reader, query: Annotated[BotQuery, Query()]) -> Page[BotOut]:
    """Newest first."""
    found = await reader.bots(
        caller.tenant_id, state=query.state, symbol=query.symbol, limit=query.limit, cursor=query.cursor
    )
    return Page(items=[BotOut.of(bot) for bot in found.items], next_cursor=found.next_cursor)


@router.post("", status_code=201)
async def create_bot(caller: CurrentCaller, desk: Desk, body: BotIn) -> BotOut:
    """A new bot, stopped."""
    account_id = AccountId(body.account_id) if body.account_id else None
    return BotOut.of(await desk.create(caller.tenant_id, account_id, body.config()))


@router.get("/{bot_id}")
async def get_bot(caller: CurrentCaller, reader: Reader, bot_id: str) -> BotOut:
    """One bot."""
    return BotOut.of(await reader.bot(caller.tenant_id, BotId(bot_id)))


@router.get("/{bot_id}/decisions")
async def list_decisions(
    caller: CurrentCaller, reader: Reader, bot_id: str, query: Annotated[DecisionQuery, Query()]
) -> Page[DecisionOut]:
    """One line a closed bar, newest first."""
    found = await reader.decisions(caller.tenant_id, BotId(bot_id), limit=query.limit, cursor=query.cursor)
    return Page(items=[decision_out(row) for row in found.items], next_cursor=found.next_cursor)


@router.post("/{bot_id}/clone", status_code=201)
async def clone_bot(caller: CurrentCaller, desk: Desk, bot_id: str, body: CloneIn | None = None) -> BotOut:
    """A stopped copy."""
    return BotOut.of(await desk.clone(caller.tenant_id, BotId(bot_id), body.name if body else None))


@router.post("/{bot_id}/start")
async def start_bot(caller: CurrentCaller, desk: Desk, response: Response, bot_id: str) -> DirectedBotOut:
    """Let it trade."""
    return _directed(response, await desk.start(caller.tenant_id, BotId(bot_id)))


@router.post("/{bot_id}/pause")
async def pause_bot(caller: CurrentCaller, desk: Desk, response: Response, bot_id: str) -> DirectedBotOut:
    """No more entries."""
    return _directed(response, await desk.pause(caller.tenant_id, BotId(bot_id)))


@router.post("/{bot_id}/stop")
async def stop_bot(
    caller: CurrentCaller, desk: Desk, response: Response, bot_id: str, body: StopIn | None = None
) -> DirectedBotOut:
    """End it."""
    positions = (body or StopIn()).positions
    return _directed(response, await desk.stop(caller.tenant_id, BotId(bot_id), positions))


@router.post("/{bot_id}/force-exit")
async def force_exit(caller: CurrentCaller, desk: Desk, response: Response, bot_id: str) -> DirectedBotOut:
    """Sell its position at market."""
    return _directed(response, await desk.force_exit(caller.tenant_id, BotId(bot_id)))


def _directed(response: Response, directed: tuple[Bot, bool]) -> DirectedBotOut:
    bot, is_decided = directed
    response.status_code = 200 if is_decided else 202
    return directed_bot_out(bot, is_decided)
