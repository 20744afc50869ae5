"""/api/v1/candles"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.market.model import Series
from tidegate.market.reader import MarketReader
from tidegate.market.schemas import CandleQuery, CandleView, candle_view

router = APIRouter()


@router.get("")
async def list_candles(
    query: Annotated[CandleQuery, Query()],
    reader: Annotated[MarketReader, Depends(provided(MarketReader))],
    _: CurrentCaller,
) -> Page[CandleView]:
    """Closed candles of any timeframe, newest first."""
    series = Series(query.symbol, query.timeframe)
    page = await reader.candles(series, start=query.start, before=query.before, limit=query.limit)
    items = [candle_view(candle, trace_id) for candle, trace_id in page.items]
    return Page(items=items, next_cursor=None if page.next_before is None else str(page.next_before))
