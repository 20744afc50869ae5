"""/api/v1/positions: what is open."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.execution.reading.repository import PositionReader, Wanted
from tidegate.execution.schemas import PositionOut, PositionQuery, position_out
from tidegate.kit.http import CurrentCaller, Page, provided

router = APIRouter()


@router.get("")
async def list_positions(
    caller: CurrentCaller,
    reader: Annotated[PositionReader, Depends(provided(PositionReader))],
    query: Annotated[PositionQuery, Query()],
) -> Page[PositionOut]:
    """Every position that is not flat, on one page."""
    found = await reader.positions(caller.tenant_id, Wanted(**query.model_dump()))
    return Page(items=[position_out(position) for position in found])
