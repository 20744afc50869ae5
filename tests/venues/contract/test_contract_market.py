"""V40-V44: what every venue says about its market."""

from collections.abc import Callable
from itertools import pairwise

from tests.venues.contract.conftest import Play
from tests.venues.contract.worlds import BTC, World
from tidegate.domain.candles import Candle, duration_us
from tidegate.domain.messages import CandleClosed, MarketMessage, QuoteChanged, TradePrinted

FAST = 20.0  # tape seconds a second
SECOND_US = duration_us("1s")


async def listen(world: World, has_enough: Callable[[list[MarketMessage]], bool]) -> list[MarketMessage]:
    """What the stream says until there is enough of it."""
    heard: list[MarketMessage] = []
    async for message in world.market.stream([BTC], ["1s"]):
        heard.append(message)
        if has_enough(heard):
            break
    return heard


def candles_of(heard: list[MarketMessage]) -> list[Candle]:
    return [message.candle for message in heard if isinstance(message, CandleClosed)]


def test_v40_the_stream_tells_closed_candles_in_order_quotes_and_trades(play: Play) -> None:
    async def case(world: World) -> None:
        heard = await listen(
            world,
            lambda told: (
                len(candles_of(told)) >= 10
                and {type(one) for one in told} >= {CandleClosed, QuoteChanged, TradePrinted}
            ),
        )
        opened = [candle.opened_at for candle in candles_of(heard)]
        assert [later - earlier for earlier, later in pairwise(opened)] == [SECOND_US] * (len(opened) - 1)
        assert all(message.bid_price < message.ask_price for message in heard if isinstance(message, QuoteChanged))
        assert all(message.occurred_at > 0 for message in heard)

    play(case, speed=FAST)


def test_v41_a_candle_of_the_stream_equals_the_same_candle_asked_for(play: Play) -> None:
    async def case(world: World) -> None:
        told = candles_of(await listen(world, lambda heard: len(candles_of(heard)) >= 10))
        asked = await world.market.candles(BTC, "1s", told[0].opened_at, told[-1].closes_at)
        assert len(asked) == len(told)
        assert all(one.has_same_numbers(other) for one, other in zip(told, asked, strict=True))

    play(case, speed=FAST)


def test_v42_history_is_paged_closed_and_in_order(play: Play) -> None:
    async def case(world: World) -> None:
        (last,) = candles_of(await listen(world, lambda heard: bool(candles_of(heard))))
        end = last.opened_at // duration_us("1m") * duration_us("1m")
        start = end - 1_200 * duration_us("1m")
        history = await world.market.candles(BTC, "1m", start, end)
        assert [candle.opened_at for candle in history] == list(range(start, end, duration_us("1m")))
        everything = await world.market.candles(BTC, "1m", end - 5 * duration_us("1m"), end + duration_us("1d"))
        assert everything[:5] == history[-5:]
        assert all(candle.closes_at <= last.closes_at + 60 * SECOND_US for candle in everything)

    play(case, speed=FAST)


def test_v43_the_stream_goes_on_after_its_connection_is_lost(play: Play) -> None:
    async def case(world: World) -> None:
        dropped = False
        candles_after = 0
        async for message in world.market.stream([BTC], ["1s"]):
            if not isinstance(message, CandleClosed):
                continue
            if not dropped:
                dropped = True
                await world.control.drop_connections()
            else:
                candles_after += 1
            if candles_after == 5:
                break

    play(case, speed=FAST)


def test_v44_the_book_is_in_order_and_not_crossed(play: Play) -> None:
    async def case(world: World) -> None:
        book = await world.market.book(BTC, 20)
        assert len(book.bids) == len(book.asks) == 20
        assert [price for price, _ in book.bids] == sorted((price for price, _ in book.bids), reverse=True)
        assert [price for price, _ in book.asks] == sorted(price for price, _ in book.asks)
        assert book.bids[0][0] < book.asks[0][0]
        assert all(quantity > 0 for _, quantity in (*book.bids, *book.asks))

    play(case)
