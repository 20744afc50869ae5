"""What pages get: candles over store and stream, tickers, books, prints and instruments, through HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import sqlalchemy
from fastapi import FastAPI, Request

from tests.unit.market.stage import BTC, ETH, MINUTE, ScriptedVenue, candle, closed, quote, trade
from tidegate.domain.ids import TenantId, UserId
from tidegate.domain.messages import MarketMessage
from tidegate.kit.bus import MemoryBus
from tidegate.kit.clock import ManualClock, rfc3339
from tidegate.kit.db.database import Database
from tidegate.kit.http import Caller, Callers, Unauthenticated, add_manners
from tidegate.market.archive import DayArchive
from tidegate.market.endpoints import book, candles, instruments, prints, tickers
from tidegate.market.model import Series, candle_trace_id
from tidegate.market.reader import MarketReader
from tidegate.market.repository import CandleStore
from tidegate.market.streams import BusPublisher, ask_for
from tidegate.market.tables import market_candles

FIRST = 28_800_000  # minutes since the epoch, a midnight


class Anybody:
    """Lets everybody in who says who he is."""

    async def caller_of(self, request: Request) -> Caller:
        if "authorization" not in request.headers:
            raise Unauthenticated("Log in first.")
        return Caller(UserId("u"), TenantId("t"), "owner")


class Pages:
    """A running API over one store, one bus and one scripted venue."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'test.db'}"
        engine = sqlalchemy.create_engine(url)
        market_candles.create(engine)
        engine.dispose()
        self._database = Database(url)
        self.store = CandleStore(self._database, DayArchive(folder / "candles"), venue="sim")
        self.venue = ScriptedVenue()
        self.clock = ManualClock(0)
        self._bus = MemoryBus()
        self._reader = MarketReader(self._bus, self.store, self.venue, venue="sim", clock=self.clock)
        app = FastAPI()
        add_manners(app)
        for noun in (book, candles, instruments, prints, tickers):
            app.include_router(noun.router, prefix=f"/api/v1/{noun.__name__.rpartition('.')[2]}")
        app.state.provided = {MarketReader: self._reader, Callers: Anybody()}
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test/api/v1", headers={"authorization": "Bearer x"}
        )

    async def hear(self, messages: Sequence[MarketMessage]) -> None:
        publisher = BusPublisher(self._bus)
        await ask_for(self._bus, [Series(BTC, "2m")])
        for message in messages:
            await publisher.send(message)
        await publisher.flush()
        await self._reader.catch_up()

    async def get(self, path: str, **query: str | int) -> httpx.Response:
        return await self.http.get(path, params=query)

    async def close(self) -> None:
        await self.http.aclose()
        await self._database.close()


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Pages], Awaitable[None]]], None]:
    def run_story(story: Callable[[Pages], Awaitable[None]]) -> None:
        async def whole() -> None:
            pages = Pages(tmp_path)
            await story(pages)
            await pages.close()

        asyncio.run(whole())

    return run_story


Run = Callable[[Callable[[Pages], Awaitable[None]]], None]


def test_candles_come_newest_first_from_stream_and_store_with_their_trace(run: Run) -> None:
    async def story(pages: Pages) -> None:
        await pages.store.keep([candle(FIRST + number, str(number + 1)) for number in range(5)])
        await pages.hear([closed(candle(FIRST + 4, "7.50", revision=1)), closed(candle(FIRST + 5, "6"))])
        body = (await pages.get("/candles", symbol="btc-usdt", limit=3)).json()
        assert [(item["opened_at"], item["close"], item["revision"]) for item in body["items"]] == [
            (rfc3339((FIRST + 5) * MINUTE), "6", 0),
            (rfc3339((FIRST + 4) * MINUTE), "7.5", 1),
            (rfc3339((FIRST + 3) * MINUTE), "4", 0),
        ]
        assert body["items"][0]["trace_id"] == candle_trace_id("sim", Series(BTC, "1m"), (FIRST + 5) * MINUTE)
        rest = (await pages.get("/candles", symbol="BTC/USDT", limit=3, cursor=body["next_cursor"])).json()
        assert [item["close"] for item in rest["items"]] == ["3", "2", "1"]
        assert rest["next_cursor"] is None

    run(story)


def test_candles_of_a_longer_timeframe_are_merged_and_bounded_by_start_and_end(run: Run) -> None:
    async def story(pages: Pages) -> None:
        await pages.store.keep([candle(FIRST + number, str(number + 1)) for number in range(12)])
        bounds = {"start": rfc3339((FIRST + 2) * MINUTE), "end": rfc3339((FIRST + 8) * MINUTE)}
        body = (await pages.get("/candles", symbol="BTC-USDT", timeframe="2m", **bounds)).json()
        assert [(item["open"], item["close"], item["source"]) for item in body["items"]] == [
            ("7", "8", "merged"),
            ("5", "6", "merged"),
            ("3", "4", "merged"),
        ]
        assert body["next_cursor"] is None

    run(story)


def test_pages_of_candles_reach_over_a_long_gap(run: Run) -> None:
    async def story(pages: Pages) -> None:
        await pages.store.keep([candle(FIRST), candle(FIRST + 1_000)])
        first = (await pages.get("/candles", symbol="BTC-USDT", limit=10)).json()
        second = (await pages.get("/candles", symbol="BTC-USDT", limit=10, cursor=first["next_cursor"])).json()
        assert [len(page["items"]) for page in (first, second)] == [1, 1]
        assert second["next_cursor"] is None

    run(story)


@pytest.mark.parametrize(
    ("path", "query", "code", "sentence"),
    [
        ("/candles", {"symbol": "DOGE-USDT"}, "market.symbol_unknown", "sim lists no symbol DOGE/USDT."),
        ("/candles", {"symbol": "BTC-USDT", "timeframe": "soon"}, "market.timeframe_invalid", "timeframe must be"),
        ("/candles", {"symbol": "BTC-USDT", "colour": "red"}, "http.request_invalid", "colour: is not a field"),
        ("/candles", {"symbol": "BTC-USDT", "start": "noon"}, "tidegate.invalid", "start must be a time"),
        ("/candles", {"symbol": "Bitcoin"}, "market.symbol_invalid", "symbol must look like BTC/USDT"),
        ("/candles", {}, "http.request_invalid", "symbol: is required"),
        ("/book", {"symbol": "BTC-USDT", "depth": "0"}, "http.request_invalid", "depth: "),
        ("/book", {"symbol": "DOGE-USDT"}, "market.symbol_unknown", "sim lists no symbol DOGE/USDT."),
        ("/instruments", {"cursor": "gone"}, "market.cursor_invalid", "cursor 'gone' leads nowhere"),
    ],
)
def test_a_wrong_request_is_answered_with_one_sentence(
    run: Run, path: str, query: dict[str, str], code: str, sentence: str
) -> None:
    async def story(pages: Pages) -> None:
        answer = await pages.get(path, **query)
        body = answer.json()
        assert (answer.status_code, body["code"]) == (404 if code.endswith("unknown") else 422, code)
        assert body["detail"].startswith(sentence)

    run(story)


@pytest.mark.parametrize("path", ["/candles?symbol=BTC-USDT", "/tickers", "/book?symbol=BTC-USDT", "/instruments"])
def test_nobody_reads_the_market_without_saying_who_he_is(run: Run, path: str) -> None:
    async def story(pages: Pages) -> None:
        del pages.http.headers["authorization"]
        assert (await pages.get(path)).status_code == 401

    run(story)


def test_a_ticker_shows_prices_and_the_age_of_its_feed(run: Run) -> None:
    async def story(pages: Pages) -> None:
        await pages.hear(
            [closed(candle(FIRST, "50")), quote(FIRST * 60 + 61, "99.50", "101"), trade(1, FIRST * 60 + 62)]
        )
        pages.clock.advance_to(1_500_000)
        [item] = (await pages.get("/tickers")).json()["items"]
        assert {
            name: item[name] for name in ("symbol", "last_price", "bid_price", "open_price", "change", "feed_age_ms")
        } == {
            "symbol": BTC,
            "last_price": "100",
            "bid_price": "99.5",
            "open_price": "50",
            "change": "1",
            "feed_age_ms": 1_500,
        }
        assert item["changed_at"] == rfc3339((FIRST * 60 + 62) * 1_000_000)

    run(story)


def test_many_pages_that_show_a_book_cost_the_venue_one_question(run: Run) -> None:
    async def story(pages: Pages) -> None:
        answer = await pages.get("/book", symbol="BTC-USDT", depth=2)
        for _ in range(2):
            answer = await pages.get("/book", symbol="BTC-USDT", depth=2)
        body = answer.json()
        assert body["bids"] == [{"price": "1", "quantity": "2"}] * 2
        assert body["taken_at"] is None
        assert pages.venue.books == 1
        pages.clock.advance_to(300_000)
        await pages.get("/book", symbol="BTC-USDT", depth=2)
        assert pages.venue.books == 2

    run(story)


def test_prints_come_newest_first_in_pages(run: Run) -> None:
    async def story(pages: Pages) -> None:
        await pages.hear([trade(number, FIRST * 60) for number in range(1, 6)])
        first = (await pages.get("/prints", symbol="BTC-USDT", limit=3)).json()
        second = (await pages.get("/prints", symbol="BTC-USDT", limit=3, cursor=first["next_cursor"])).json()
        ids = [[item["venue_trade_id"] for item in page["items"]] for page in (first, second)]
        assert ids == [["5", "4", "3"], ["2", "1"]]
        assert second["next_cursor"] is None

    run(story)


def test_instruments_are_listed_by_name_with_their_grid(run: Run) -> None:
    async def story(pages: Pages) -> None:
        body = (await pages.get("/instruments", quote="USDT")).json()
        assert [(item["symbol"], item["tick_size"], item["status"]) for item in body["items"]] == [
            (BTC, "0.01", "trading"),
            (ETH, "0.01", "trading"),
        ]
        one = (await pages.get("/instruments", symbol="ETH-USDT")).json()
        assert [Decimal(item["lot_size"]) for item in one["items"]] == [Decimal("0.00001")]

    run(story)
