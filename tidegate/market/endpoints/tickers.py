"""/api/v1/tickers"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.market.reader import MarketReader
from tidegate.market.schemas import TickerQuery, TickerView, ticker_view

router = APIRouter()


@router.get("")
async def list_tickers(
    query: Annotated[TickerQuery, Query()],
    reader: Annotated[MarketReader, Depends(provided(MarketReader))],
    _: CurrentCaller,
) -> Page[TickerView]:
    """Every symbol that is followed: prices, 24 hours, age of the feed."""
    return Page(items=[ticker_view(now) for now in reader.tickers(query.symbol)])
