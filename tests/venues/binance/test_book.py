"""The order book: whatever is lost, repeated or late, a book that calls itself synced equals the venue's."""

import json
from copy import copy
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.venues.binance.recorded import capture_frames, needs_data
from tidegate.domain.ports import BookSnapshot
from tidegate.venues.binance import parse
from tidegate.venues.binance.book import BookState, BookSync
from tidegate.venues.binance.errors import PayloadUnreadable
from tidegate.venues.binance.market import read_depth
from tidegate.venues.binance.payloads import DepthEvent

BTC = "BTC/USDT"
Levels = dict[Decimal, Decimal]
BIDS = st.tuples(st.just("bids"), st.integers(1, 12))
ASKS = st.tuples(st.just("asks"), st.integers(13, 24))
CHANGES = st.lists(st.tuples(st.one_of(BIDS, ASKS), st.integers(0, 3)), min_size=1, max_size=5)


def event(first_id: int, last_id: int, bids: Levels | None = None, asks: Levels | None = None) -> DepthEvent:
    return DepthEvent(
        event_ms=last_id,
        symbol="BTCUSDT",
        first_id=first_id,
        last_id=last_id,
        bids=list((bids or {}).items()),
        asks=list((asks or {}).items()),
    )


def snapshot(update_id: int, bids: Levels, asks: Levels) -> BookSnapshot:
    return BookSnapshot(
        symbol=BTC,
        update_id=update_id,
        bids=tuple(sorted(bids.items(), reverse=True)),
        asks=tuple(sorted(asks.items())),
    )


def prices(*levels: int) -> Levels:
    return {Decimal(level): Decimal(1) for level in levels}


class Venue(RuleBasedStateMachine):
    """A full book whose changes travel over a line that loses and repeats; its snapshots may come late."""

    def __init__(self) -> None:
        super().__init__()
        self.sync = BookSync(BTC)
        self.books: dict[int, tuple[Levels, Levels]] = {0: ({}, {})}  # what is true after each update
        self.update_id = 0
        self.under_way: list[DepthEvent] = []
        self.delivered: list[DepthEvent] = []
        self.snapshots: list[BookSnapshot] = []

    @rule(changes=CHANGES)
    def change(self, changes: list[tuple[tuple[str, int], int]]) -> None:
        first, sides = self.update_id + 1, {"bids": {}, "asks": {}}  # type: tuple[int, dict[str, Levels]]
        for (side, price), quantity in changes:
            bids, asks = (copy(levels) for levels in self.books[self.update_id])
            levels = bids if side == "bids" else asks
            levels.pop(Decimal(price), None)
            if quantity:
                levels[Decimal(price)] = Decimal(quantity)
            sides[side][Decimal(price)] = Decimal(quantity)
            self.update_id += 1
            self.books[self.update_id] = (bids, asks)
        self.under_way.append(event(first, self.update_id, sides["bids"], sides["asks"]))

    @precondition(lambda self: self.under_way)
    @rule()
    def deliver(self) -> None:
        self.delivered.append(self.under_way.pop(0))
        self.sync.on_event(self.delivered[-1])

    @precondition(lambda self: self.under_way)
    @rule()
    def lose(self) -> None:
        self.under_way.pop(0)

    @precondition(lambda self: self.delivered)
    @rule(back=st.integers(1, 3))
    def repeat(self, back: int) -> None:
        for again in self.delivered[-back:]:
            self.sync.on_event(again)

    @rule(age=st.integers(0, 12))
    def ask_for_a_snapshot(self, age: int) -> None:
        update_id = max(0, self.update_id - age)
        self.snapshots.append(snapshot(update_id, *self.books[update_id]))

    @precondition(lambda self: self.snapshots and self.sync.state is BookState.NEEDS_SNAPSHOT)
    @rule()
    def answer_with_a_snapshot(self) -> None:
        self.sync.on_snapshot(self.snapshots.pop(0))

    @rule()
    def reconnect(self) -> None:
        self.under_way.clear()
        self.sync.on_loss()

    @invariant()
    def a_synced_book_equals_the_venues(self) -> None:
        if self.sync.state is BookState.SYNCED:
            told = self.sync.best(50)
            assert (dict(told.bids), dict(told.asks)) == self.books[told.update_id]
            assert list(told.bids) == sorted(told.bids, reverse=True)
            assert list(told.asks) == sorted(told.asks)

    def teardown(self) -> None:
        """Once nothing is lost any more, one snapshot is enough."""
        self.under_way.clear()
        self.change([(("bids", 3), 1)])
        self.deliver()
        if self.sync.state is BookState.NEEDS_SNAPSHOT:
            self.sync.on_snapshot(snapshot(self.update_id, *self.books[self.update_id]))
        for _ in range(2):
            self.change([(("asks", 20), 2)])
            self.deliver()
        assert self.sync.state is BookState.SYNCED
        assert self.sync.best(1).update_id == self.update_id


TestBookSync = Venue.TestCase
TestBookSync.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def synced(*, full: int = 100) -> BookSync:
    sync = BookSync(BTC, snapshot_levels=full)
    sync.on_snapshot(snapshot(10, prices(1, 2, 3), prices(5, 6, 7)))
    return sync


def test_a_missing_update_makes_the_book_ask_for_a_snapshot() -> None:
    sync = synced()
    sync.on_event(event(12, 13, prices(4)))
    assert (sync.state, sync.restarts) == (BookState.NEEDS_SNAPSHOT, 1)


def test_a_snapshot_older_than_the_first_kept_update_is_refused() -> None:
    sync = BookSync(BTC)
    sync.on_event(event(12, 13, prices(4)))
    states = []
    for update_id in (10, 11):
        sync.on_snapshot(snapshot(update_id, prices(1), prices(5)))
        states.append(sync.state)
    assert states == [BookState.NEEDS_SNAPSHOT, BookState.SYNCED]
    assert sync.best(5).update_id == 13


def test_a_book_that_crosses_itself_is_thrown_away() -> None:
    sync = synced()
    sync.on_event(event(11, 11, prices(5)))
    assert sync.state is BookState.NEEDS_SNAPSHOT


def test_a_change_that_cannot_be_true_is_refused_whole() -> None:
    sync = synced()
    before = sync.best(5)
    with pytest.raises(PayloadUnreadable):
        sync.on_event(event(11, 11, prices(4), {Decimal(6): Decimal("NaN")}))
    assert sync.best(5) == before


def test_levels_beyond_a_snapshot_that_was_cut_off_are_not_shown() -> None:
    sync = synced(full=3)
    sync.on_event(event(11, 11, {Decimal("0.5"): Decimal(9)}, prices(8)))
    assert [price for price, _ in sync.best(10).bids] == [3, 2, 1]
    assert [price for price, _ in sync.best(10).asks] == [5, 6, 7]


@needs_data
def test_a_real_book_follows_the_venues_own_best_prices_for_six_minutes() -> None:
    sync = BookSync(BTC)
    tickers: list[dict[str, str]] = []
    compared = 0
    for raw in capture_frames():
        if raw.startswith(b'{"stream":"btcusdt@depth'):
            sync.on_event(read_depth(raw, BTC))
        elif raw.startswith(b'{"stream":"btcusdt@bookTicker'):
            tickers.append(json.loads(raw)["data"])
        elif b"lastUpdateId" in raw:
            told = json.loads(raw)
            sync.on_snapshot(parse.book(json.dumps(told).encode(), BTC))
        if sync.state is not BookState.SYNCED or not raw.startswith(b'{"stream":"btcusdt@depth'):
            continue
        best = sync.best(1)
        known = [ticker for ticker in tickers if int(ticker["u"]) <= best.update_id]
        if known:
            newest = known[-1]
            assert best.bids[0] == (Decimal(newest["b"]), Decimal(newest["B"]))
            assert best.asks[0] == (Decimal(newest["a"]), Decimal(newest["A"]))
            tickers = [newest, *tickers[len(known) :]]
            compared += 1
    assert sync.restarts == 0
    assert compared > 3_000
