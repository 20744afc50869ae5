"""What this stage does when others ask: it serves every series that appears on `market:wanted`."""

import asyncio

import structlog

from tidegate.domain.errors import Invalid, NotFound, Unavailable
from tidegate.kit.bus import FROM_START, Bus
from tidegate.market.model import Series
from tidegate.market.service import Ingest
from tidegate.market.streams import WANTED_STREAM, wanted_series

_BLOCK_MS = 1_000
_PAUSE_S = 1.0

_log = structlog.get_logger(__name__)


async def serve_wanted(bus: Bus, ingest: Ingest) -> None:
    """Run beside `Ingest.run`: what was asked for before this start, then what is asked for, until cancelled."""
    cursor = FROM_START
    wanted: set[Series] = set()
    while True:
        entries = await bus.read({WANTED_STREAM: cursor}, _BLOCK_MS)
        if entries:
            cursor = entries[-1].id
            wanted |= {wanted_series(entry.payload) for entry in entries}
        try:
            await _serve(ingest, wanted)
            wanted.clear()
        except Unavailable as error:
            _log.warning("market.series_waiting", series=len(wanted), reason=str(error))
            await asyncio.sleep(_PAUSE_S)


async def _serve(ingest: Ingest, wanted: set[Series]) -> None:
    """All at once, so that they share a stream; one by one if one of them is wrong, so that it harms no other."""
    try:
        await ingest.want(wanted)
    except (NotFound, Invalid) as error:
        if len(wanted) == 1:
            _log.warning("market.series_refused", reason=str(error))
            return
        for series in sorted(wanted):
            await _serve(ingest, {series})
