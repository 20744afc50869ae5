"""/api/v1/instruments"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.market.reader import MarketReader
from tidegate.market.schemas import InstrumentQuery, InstrumentView, instrument_view

router = APIRouter()


@router.get("")
async def list_instruments(
    query: Annotated[InstrumentQuery, Query()],
    reader: Annotated[MarketReader, Depends(provided(MarketReader))],
    _: CurrentCaller,
) -> Page[InstrumentView]:
    """What the venue lists, in name order."""
    page = await reader.instruments_page(symbol=query.symbol, quote=query.quote, after=query.cursor, limit=query.limit)
    return Page(items=[instrument_view(each) for each in page.items], next_cursor=page.next_after)
