"""/api/v1/book"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.kit.http import CurrentCaller, provided
from tidegate.market.reader import MarketReader
from tidegate.market.schemas import BookQuery, BookView, book_view

router = APIRouter()


@router.get("")
async def read_book(
    query: Annotated[BookQuery, Query()],
    reader: Annotated[MarketReader, Depends(provided(MarketReader))],
    _: CurrentCaller,
) -> BookView:
    """The best levels of a symbol as the venue has them now."""
    return book_view(await reader.book(query.symbol, query.depth))
