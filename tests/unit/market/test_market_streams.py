"""From the ingest over the bus to the pages: names, order, losses, wanted series, tickers."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from tests.unit.market.stage import BTC, DAY, ETH, MINUTE, Heard, ScriptedVenue, candle, closed, mark, quote, trade
from tests.waiting import eventually
from tidegate.domain.errors import Unavailable
from tidegate.domain.messages import MarketMessage, decode
from tidegate.kit.bus import MemoryBus
from tidegate.kit.clock import ManualClock
from tidegate.market.handlers import serve_wanted
from tidegate.market.model import Series, SymbolState
from tidegate.market.service import Ingest, IngestOptions
from tidegate.market.streams import BusPublisher, ask_for, candle_stream


class NotingBus(MemoryBus):
    """Remembers the order of streams, and is away for the first `failing` calls."""

    def __init__(self, failing: int = 0) -> None:
        super().__init__()
        self.failing = failing
        self.order: list[tuple[str, int]] = []

    async def publish(self, stream: str, payloads: Sequence[bytes], maxlen: int = 10_000) -> None:
        if self.failing:
            self.failing -= 1
            raise Unavailable("The bus is away.")
        self.order.append((stream, len(payloads)))
        await super().publish(stream, payloads, maxlen)


async def published(bus: MemoryBus, messages: Sequence[MarketMessage]) -> BusPublisher:
    publisher = BusPublisher(bus)
    for message in messages:
        await publisher.send(message)
    await publisher.flush()
    return publisher


def test_each_message_goes_to_its_stream_in_order_and_a_mark_behind_its_data() -> None:
    bus = NotingBus()
    messages: list[MarketMessage] = [quote(1), closed(candle(1)), quote(2), mark(1, 2), trade(1, 3), mark(2, 3)]
    asyncio.run(published(bus, messages))
    assert bus.order == [
        ("quotes:BTCUSDT", 2),
        ("market:BTCUSDT:1m", 1),
        ("market:tape", 1),
        ("trades:BTCUSDT", 1),
        ("market:tape", 1),
    ]


def test_what_is_read_from_a_stream_is_what_was_sent() -> None:
    async def story() -> list[object]:
        bus = MemoryBus()
        await published(bus, [closed(candle(1)), closed(candle(2, revision=4))])
        return [decode(entry.payload) for entry in await bus.read({"market:BTCUSDT:1m": "0"}, 0)]

    assert asyncio.run(story()) == [closed(candle(1)), closed(candle(2, revision=4))]


def test_while_the_bus_is_away_nothing_is_lost_and_the_order_is_kept() -> None:
    bus = NotingBus(failing=1)
    asyncio.run(published(bus, [closed(candle(1)), closed(candle(2)), mark(1, 200)]))
    assert bus.order == [("market:BTCUSDT:1m", 2), ("market:tape", 1)]


def test_a_stream_keeps_no_more_than_its_bound() -> None:
    async def story() -> int:
        bus = MemoryBus()
        await published(bus, [quote(number) for number in range(3_000)])
        return len(await bus.read({"quotes:BTCUSDT": "0"}, 0))

    assert asyncio.run(story()) == 1_000


def test_a_series_is_served_once_somebody_asks_for_it_and_a_wrong_one_harms_no_other() -> None:
    async def story() -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        bus, venue, heard = MemoryBus(), ScriptedVenue(), Heard()
        ingest = Ingest(venue, heard.send, IngestOptions(venue="test"), clock=ManualClock(0))
        await ask_for(bus, [Series(BTC, "1m"), Series("DOGE/USDT", "1m"), Series(ETH, "soon")])
        tasks = [asyncio.create_task(serve_wanted(bus, ingest)), asyncio.create_task(ingest.run())]
        await eventually(lambda: bool(venue.streams), what="the wanted series has a stream")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return venue.streams

    assert asyncio.run(story()) == [((BTC,), ("1m",))]


def test_the_name_of_a_candle_stream_has_symbol_and_timeframe() -> None:
    assert candle_stream(Series(BTC, "15m")) == "market:BTCUSDT:15m"


def test_a_ticker_covers_the_last_24_hours_and_no_more() -> None:
    state = SymbolState(BTC)
    first = 2 * DAY // MINUTE
    for minute in range(first, first + 1_500):
        state.on_minute(candle(minute, str(minute - first + 1), quote_volume=Decimal(2)))
    state.on_quote(quote(0, "10", "11"))
    state.on_trade(trade(1, 0, "3000"))
    ticker = state.ticker()
    assert [ticker.open_price, ticker.low_price, ticker.high_price] == [61, 61, 1_500]
    assert [ticker.volume, ticker.quote_volume] == [1_440, 2_880]
    assert [ticker.last_price, ticker.bid_price, ticker.ask_price] == [3_000, 10, 11]
    assert ticker.change == Decimal(3_000) / 61 - 1


def test_a_ticker_of_which_nothing_is_known_says_so() -> None:
    ticker = SymbolState(BTC).ticker()
    assert (ticker.last_price, ticker.bid_price, ticker.open_price, ticker.change) == (None,) * 4
