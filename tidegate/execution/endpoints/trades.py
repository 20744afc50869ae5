"""/api/v1/trades: round trips, from the entry to the exit."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.execution.reading.repository import TradeReader
from tidegate.execution.schemas import TradeOut, TradeQuery, trade_out
from tidegate.kit.http import CurrentCaller, Page, provided

router = APIRouter()
Reader = Annotated[TradeReader, Depends(provided(TradeReader))]


@router.get("")
async def list_trades(caller: CurrentCaller, reader: Reader, query: Annotated[TradeQuery, Query()]) -> Page[TradeOut]:
    """Last closed first."""
    found = await reader.trades(caller.tenant_id, query.wanted(), limit=query.limit, cursor=query.cursor)
    return Page(items=[trade_out(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{trade_id:path}")
async def get_trade(caller: CurrentCaller, reader: Reader, trade_id: str) -> TradeOut:
    """One round trip."""
    return trade_out(await reader.trade(caller.tenant_id, trade_id))
