"""/api/v1/fills: single executions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.execution.reading.repository import FillReader
from tidegate.execution.schemas import FillOut, FillQuery, fill_out
from tidegate.kit.http import CurrentCaller, Page, provided

router = APIRouter()
Reader = Annotated[FillReader, Depends(provided(FillReader))]


@router.get("")
async def list_fills(caller: CurrentCaller, reader: Reader, query: Annotated[FillQuery, Query()]) -> Page[FillOut]:
    """Newest first."""
    found = await reader.fills(caller.tenant_id, query.wanted(), limit=query.limit, cursor=query.cursor)
    return Page(items=[fill_out(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{fill_id:path}")
async def get_fill(caller: CurrentCaller, reader: Reader, fill_id: str) -> FillOut:
    """One fill; its id may hold slashes as they are."""
    return fill_out(await reader.fill(caller.tenant_id, fill_id))
