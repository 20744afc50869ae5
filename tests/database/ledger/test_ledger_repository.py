"""Books survive: what is written is loaded as the same books, and pages read it back."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from httpx import ASGITransport, AsyncClient

from tests.database.ledger.places import DURABLE, EVERYWHERE, make_place, store_at
from tidegate.domain.errors import Invalid, NotFound
from tidegate.domain.ids import (
    AccountId,
    ClientOrderId,
    FillId,
    IntentKey,
    TenantId,
    TraceId,
    TransferId,
    UserId,
    VenueOrderId,
)
from tidegate.domain.messages import OrderFilled
from tidegate.domain.money import Money
from tidegate.domain.orders import BalanceReport, OrderStatus, Side
from tidegate.kit.db import Database, DuplicateKey, Store, WriteSet
from tidegate.kit.http import Caller, Callers, add_manners
from tidegate.kit.ids import SeededIds
from tidegate.ledger.endpoints.balances import router as balances_router
from tidegate.ledger.endpoints.ledger import router as ledger_router
from tidegate.ledger.model import Books, TransferKind
from tidegate.ledger.repository import LedgerReader, TransferFilter, load, write
from tidegate.ledger.tables import balances, holds, transfers

AT = 1_700_000_000_000_000
OURS, THEIRS = TenantId("t1"), TenantId("t2")
ACCOUNT = AccountId("a1")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return make_place(request, tmp_path, [transfers, balances, holds])


everywhere = pytest.mark.parametrize("place", EVERYWHERE, indirect=True)
durable = pytest.mark.parametrize("place", DURABLE, indirect=True)


class OneTenant:
    """Account a1 belongs to t1, nothing to anybody else."""

    async def visible_to(self, tenant_id: TenantId) -> frozenset[AccountId]:
        return frozenset({ACCOUNT}) if tenant_id == OURS else frozenset()


def new_books(seed: int = 1, scales: dict[str, int] | None = None) -> Books:
    return Books(ACCOUNT, draw_id=SeededIds(seed).draw, scales=scales)


def bought(number: int, price: str = "100") -> OrderFilled:
    return OrderFilled(
        trace_id=TraceId("trace"),
        occurred_at=AT + number,
        account_id=ACCOUNT,
        client_order_id=ClientOrderId("o1"),
        symbol="BTC/USDT",
        fill_id=FillId(f"sim:a1:BTC/USDT:7:{number}"),
        venue_order_id=VenueOrderId("7"),
        intent_key=IntentKey("i1"),
        bot_id=None,
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(price),
        fee=Money(Decimal("0.001"), "BTC"),
        is_maker=False,
        status=OrderStatus.PARTIALLY_FILLED,
    )


def busy_books() -> Books:
    """An opening balance, one closed hold, and one open hold with a fill."""
    books = new_books()
    books.open_balance("USDT", Decimal("1000.5"), AT)
    books.hold("closed", Money(Decimal(10), "USDT"), AT)
    books.release("closed", AT)
    books.hold("open", Money(Decimal(400), "USDT"), AT)
    books.book_fill(bought(1), "open")
    return books


async def commit(store: Store, books: Books, trace: str = "trace") -> None:
    write_set = WriteSet()
    write(write_set, books.account_id, books.take(), TraceId(trace))
    await store.commit(write_set)


async def loaded(store: Store, seed: int = 2) -> Books:
    books = new_books(seed)
    await load(store, books)
    return books


def with_store(place: str, act: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        store = store_at(place)
        try:
            await act(store)
        finally:
            await store.close()

    asyncio.run(run())


@everywhere
def test_what_is_written_is_loaded_as_the_same_books(place: str) -> None:
    async def act(store: Store) -> None:
        books = busy_books()
        await commit(store, books)
        again = await loaded(store)
        assert sorted(again.balances(), key=str) == sorted(books.balances(), key=str)
        assert dict(again.open_holds) == dict(books.open_holds)
        assert not again.take()

    with_store(place, act)


@everywhere
def test_a_fill_of_an_open_order_is_known_after_a_restart(place: str) -> None:
    async def act(store: Store) -> None:
        await commit(store, busy_books())
        again = await loaded(store)
        assert again.book_fill(bought(1), "open") == ()
        assert again.book_fill(bought(2), "open") != ()

    with_store(place, act)


@everywhere
def test_a_fill_of_a_closed_order_that_comes_once_more_is_refused_by_its_key(place: str) -> None:
    async def act(store: Store) -> None:
        books = busy_books()
        books.release("open", AT)
        await commit(store, books)
        again = await loaded(store)
        before = await store.load(balances)
        again.book_fill(bought(1), "open")
        with pytest.raises(DuplicateKey, match="ledger_transfers"):
            await commit(store, again)
        assert await store.load(balances) == before

    with_store(place, act)


@everywhere
def test_an_asset_keeps_the_scale_it_was_booked_in(place: str) -> None:
    async def act(store: Store) -> None:
        books = new_books(scales={"SHIB": 2})
        books.open_balance("SHIB", Decimal(10**12), AT)
        await commit(store, books)
        again = await loaded(store)
        again.hold("i1", Money(Decimal("0.01"), "SHIB"), AT)
        assert again.held("SHIB") == Decimal("0.01")
        assert again.take().transfers[0].scale == 2

    with_store(place, act)


@everywhere
def test_a_hold_that_was_used_up_is_loaded_as_closed(place: str) -> None:
    async def act(store: Store) -> None:
        books = busy_books()
        await commit(store, books)
        books.release("open", AT)
        await commit(store, books)
        assert not (await loaded(store)).open_holds

    with_store(place, act)


def with_reader(place: str, act: Callable[[LedgerReader], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        store, database = store_at(place), Database(place)
        try:
            books = busy_books()
            await commit(store, books)
            books.adjust("drift:1", "USDT", Decimal("-0.5"), reason="unexplained", at=AT + 9)
            await commit(store, books, trace="another")
            await act(LedgerReader(database, OneTenant()))
        finally:
            await database.close()
            await store.close()

    asyncio.run(run())


@durable
def test_transfers_are_read_newest_first_page_by_page(place: str) -> None:
    async def act(reader: LedgerReader) -> None:
        seen, cursor = [], None
        for _ in range(10):
            page, cursor = await reader.transfers(OURS, TransferFilter(), limit=3, cursor=cursor)
            seen += [posted.transfer.kind.value for posted in page]
            if cursor is None:
                break
        assert seen == ["adjustment", "fee", "fill", "fill", "hold", "release", "hold", "opening"]

    with_reader(place, act)


@durable
@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (TransferFilter(account_id=ACCOUNT), 8),
        (TransferFilter(asset="BTC"), 2),
        (TransferFilter(kind=TransferKind.FILL), 2),
        (TransferFilter(hold_key="open"), 4),
        (TransferFilter(trace_id=TraceId("another")), 1),
        (TransferFilter(first_at=AT + 1), 4),
        (TransferFilter(end_at=AT + 1), 4),
        (TransferFilter(asset="BTC", kind=TransferKind.FEE), 1),
    ],
)
def test_transfers_can_be_filtered(place: str, wanted: TransferFilter, count: int) -> None:
    async def act(reader: LedgerReader) -> None:
        found, _ = await reader.transfers(OURS, wanted, limit=100, cursor=None)
        assert len(found) == count

    with_reader(place, act)


@durable
def test_a_transfer_reads_back_exactly(place: str) -> None:
    async def act(reader: LedgerReader) -> None:
        (page, _) = await reader.transfers(OURS, TransferFilter(kind=TransferKind.FEE), limit=1, cursor=None)
        posted = await reader.transfer(OURS, page[0].transfer.id)
        assert (posted.account_id, posted.trace_id) == (ACCOUNT, "trace")
        assert posted.transfer.money == Money(Decimal("0.001"), "BTC")
        assert (str(posted.transfer.debit), str(posted.transfer.credit)) == ("fees:BTC", "free:BTC")
        assert (posted.transfer.fill_id, posted.transfer.at) == ("sim:a1:BTC/USDT:7:1", AT + 1)

    with_reader(place, act)


@durable
def test_another_tenant_sees_nothing(place: str) -> None:
    async def act(reader: LedgerReader) -> None:
        page, _ = await reader.transfers(OURS, TransferFilter(), limit=1, cursor=None)
        assert await reader.transfers(THEIRS, TransferFilter(), limit=9, cursor=None) == ([], None)
        assert await reader.balances(THEIRS, None) == []
        for question in (
            reader.transfer(THEIRS, page[0].transfer.id),
            reader.transfer(OURS, TransferId("nobody")),
            reader.transfers(THEIRS, TransferFilter(account_id=ACCOUNT), limit=9, cursor=None),
            reader.balances(THEIRS, ACCOUNT),
            reader.check_own(THEIRS, ACCOUNT),
        ):
            with pytest.raises(NotFound):
                await question

    with_reader(place, act)


@durable
def test_balances_show_free_and_held(place: str) -> None:
    async def act(reader: LedgerReader) -> None:
        shown = {balance.asset: (balance.free, balance.held) for balance in await reader.balances(OURS, None)}
        assert shown == {
            "BTC": (Decimal("0.999"), Decimal(0)),
            "USDT": (Decimal(600), Decimal(300)),
        }
        assert [report.asset for report in await reader.holdings(ACCOUNT)] == ["BTC", "USDT"]

    with_reader(place, act)


@durable
def test_stored_books_equal_the_venue_and_the_fold_of_their_transfers(place: str) -> None:
    async def act(reader: LedgerReader) -> None:
        venue = [
            BalanceReport(asset="USDT", free=Decimal(600), held=Decimal(300)),
            BalanceReport(asset="BTC", free=Decimal("0.999"), held=Decimal(0)),
        ]
        assert all(line.is_balanced for line in await reader.check(ACCOUNT, venue))
        venue[0] = BalanceReport(asset="USDT", free=Decimal(600), held=Decimal(299))
        lines = {line.asset: line for line in await reader.check(ACCOUNT, venue)}
        assert (lines["USDT"].is_balanced, lines["USDT"].difference) == (False, Decimal(-1))

    with_reader(place, act)


@durable
def test_a_balance_that_was_tampered_with_is_found(place: str) -> None:
    async def run() -> None:
        store, database = store_at(place), Database(place)
        await commit(store, busy_books())
        write_set = WriteSet()
        for kind, units in (("free", 1), ("external", -1)):
            write_set.upsert(balances, account_id=ACCOUNT, kind=kind, asset="USDT", units=units, scale=8)
        await store.commit(write_set)
        lines = {line.asset: line for line in await LedgerReader(database, OneTenant()).check(ACCOUNT, None)}
        assert not lines["USDT"].is_balanced
        assert lines["USDT"].drift > 0
        assert lines["BTC"].is_balanced
        await database.close()
        await store.close()

    asyncio.run(run())


class Owner:
    """Every request comes from t1."""

    async def caller_of(self, request: Request) -> Caller:
        return Caller(UserId("u1"), OURS, "owner")


@durable
def test_the_api_shows_transfers_balances_and_checks(place: str) -> None:
    async def act(reader: LedgerReader) -> None:
        app = FastAPI()
        add_manners(app)
        app.state.provided = {Callers: Owner(), LedgerReader: reader}
        app.include_router(ledger_router, prefix="/ledger")
        app.include_router(balances_router, prefix="/balances")
        async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
            (fee,) = (await client.get("/ledger?kind=fee&since=2023-11-14T22:13:20Z")).json()["items"]
            assert (fee["debit"], fee["quantity"], fee["occurred_at"]) == (
                "fees:BTC",
                "0.001",
                "2023-11-14T22:13:20.000Z",
            )
            assert (await client.get(f"/ledger/{fee['id']}")).json() == fee
            assert (await client.get("/ledger?limit=2")).json()["next_cursor"]
            checks = (await client.get("/ledger/checks?account_id=a1")).json()["items"]
            assert [(line["asset"], line["sum"], line["venue"], line["is_balanced"]) for line in checks] == [
                ("BTC", "0", None, True),
                ("USDT", "0", None, True),
            ]
            btc, usdt = (await client.get("/balances")).json()["items"]
            assert (btc["free"], usdt["held"], usdt["total"]) == ("0.999", "300", "900")
            unknown = await client.get("/ledger?colour=red")
            assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "colour")
            reverse = await client.get("/ledger?since=2024-01-01T00:00:00Z&until=2023-01-01T00:00:00Z")
            assert reverse.json()["code"] == "ledger.time_range_invalid"
            assert (await client.get("/balances?account_id=a2")).status_code == 404

    with_reader(place, act)


@durable
def test_a_time_range_that_ends_before_it_begins_is_refused(place: str) -> None:
    async def act(reader: LedgerReader) -> None:
        with pytest.raises(Invalid, match="until must be later than since"):
            await reader.transfers(OURS, TransferFilter(first_at=5, end_at=5), limit=1, cursor=None)

    with_reader(place, act)
