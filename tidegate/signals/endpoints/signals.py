"""/api/v1/signals: what was signalled lately."""

from typing import Annotated

from fastapi import APIRouter, Depends

from tidegate.domain.instruments import parse_symbol
from tidegate.kit.http import CurrentCaller, Page, PageCursor, PageLimit, provided
from tidegate.signals.recent import SignalFilter, SignalReader
from tidegate.signals.schemas import SignalView, signal_view

router = APIRouter()


@router.get("")
async def list_signals(
    caller: CurrentCaller,
    reader: Annotated[SignalReader, Depends(provided(SignalReader))],
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    with_bars: bool = False,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> Page[SignalView]:
    """Newest first: armed, disarmed and triggered; `with_bars` adds each evaluated bar with its numbers."""
    wanted = SignalFilter(parse_symbol(symbol) if symbol else None, timeframe, with_bars)
    heard, next_cursor = await reader.recent(wanted, limit=limit, cursor=cursor)
    return Page(items=[signal_view(one) for one in heard], next_cursor=next_cursor)
