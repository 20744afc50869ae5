"""/api/v1/prints"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.market.reader import MarketReader
from tidegate.market.schemas import PrintQuery, PrintView, print_view

router = APIRouter()


@router.get("")
async def list_prints(
    query: Annotated[PrintQuery, Query()],
    reader: Annotated[MarketReader, Depends(provided(MarketReader))],
    _: CurrentCaller,
) -> Page[PrintView]:
    """Trades of anybody at the venue, newest first; the last 500 of a symbol."""
    page = reader.prints_page(query.symbol, after=query.cursor, limit=query.limit)
    return Page(items=[print_view(trade) for trade in page.items], next_cursor=page.next_after)
