"""One suite for the three stores: whatever the engine may rely on, it may rely on with each of them."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, UniqueConstraint, create_engine

from tidegate.domain.errors import Invalid
from tidegate.domain.ids import AccountId, TraceId
from tidegate.domain.messages import KillSwitchSet, decode
from tidegate.kit.db import (
    Document,
    DuplicateKey,
    Exact,
    FencedOut,
    MemoryStore,
    Minor,
    SequenceGap,
    Store,
    Unstorable,
    WriteSet,
    database_url,
    event_heads,
    events,
    inbox,
    leases,
    open_store,
)

ADA = AccountId("ada")
toys = MetaData()
toy = Table(
    "toy",
    toys,
    Column("id", Text, primary_key=True),
    Column("order", Integer),  # a name that SQL reserves
    Column("label", Text),
    Column("price", Exact),
    Column("units", Minor),
    Column("terms", Document),
    UniqueConstraint("label"),
)

Story = Callable[[Store], Awaitable[None]]
Tell = Callable[[Story], None]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory"
    url = f"sqlite:///{tmp_path}/toys.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[database_url(url).get_backend_name()]
    engine = create_engine(database_url(url).set(drivername=driver))
    toys.create_all(engine)
    for table in (events, event_heads, leases, inbox):
        table.create(engine)
    engine.dispose()
    return url


@pytest.fixture
def tell(url: str) -> Tell:
    async def run(story: Story) -> None:
        store: Store = MemoryStore() if url == "memory" else open_store(url)
        try:
            await story(store)
        finally:
            await store.close()

    return lambda story: asyncio.run(run(story))


def a_set(**values: object) -> WriteSet:
    """A write set with one toy."""
    write_set = WriteSet()
    write_set.insert(toy, **({"id": "1"} | values))
    return write_set


def a_message() -> KillSwitchSet:
    return KillSwitchSet(trace_id=TraceId("t1"), occurred_at=17, account_id=ADA, is_on=True, reason="test")


async def ids(store: Store) -> list[str]:
    return [row["id"] for row in await store.load(toy)]


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_committed_is_loaded_with_every_column(tell: Tell) -> None:
    async def story(store: Store) -> None:
        await store.commit(a_set(order=3, label="x", price=Decimal("0.1"), units=7, terms=b'{"a": 1}'))
        assert await store.load(toy, id="1") == [
            {"id": "1", "order": 3, "label": "x", "price": Decimal("0.1"), "units": 7, "terms": '{"a": 1}'}
        ]

    tell(story)


def test_a_column_left_out_is_null_and_is_found_as_null(tell: Tell) -> None:
    async def story(store: Store) -> None:
        await store.commit(a_set(id="1", label=None))
        await store.commit(a_set(id="2", label="x"))
        assert [row["id"] for row in await store.load(toy, label=None)] == ["1"]
        assert [row["id"] for row in await store.load(toy, label="x", order=None)] == ["2"]

    tell(story)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("12345678901.123456789012345678", "12345678901.123456789012345678"),
        ("-99999999999999999999.999999999999999999", "-99999999999999999999.999999999999999999"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("1E+3", "1000"),
        ("0.1000", "0.1"),
        ("-0.0", "0"),
    ],
)
def test_a_decimal_comes_back_to_the_last_digit_and_reads_the_same_everywhere(
    tell: Tell, given: str, read: str
) -> None:
    async def story(store: Store) -> None:
        await store.commit(a_set(price=Decimal(given)))
        (row,) = await store.load(toy, price=Decimal(given))
        assert row["price"].as_tuple() == Decimal(read).as_tuple()

    tell(story)


@pytest.mark.parametrize("value", [Decimal("1e-19"), Decimal("1e20"), Decimal("NaN"), Decimal("Infinity"), 0.1, "0.1"])
def test_a_value_that_a_column_cannot_hold_exactly_is_refused_by_name(tell: Tell, value: object) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(Unstorable, match=r"^toy\.price (cannot hold|needs a finite Decimal)"):
            await store.commit(a_set(price=value))
        assert await ids(store) == []

    tell(story)


def test_the_largest_number_of_minor_units_is_exact_and_the_next_is_refused_by_name(tell: Tell, url: str) -> None:
    largest = 2**63 - 1 if url.startswith("sqlite") else 10**38 - 1

    async def story(store: Store) -> None:
        await store.commit(a_set(id="1", units=largest))
        await store.commit(a_set(id="2", units=-largest))
        assert [row["units"] for row in await store.load(toy)] == [largest, -largest]
        with pytest.raises(Unstorable, match=rf"^toy\.units cannot hold {largest + 1}"):
            await store.commit(a_set(id="3", units=largest + 1))

    tell(story)


def test_rows_come_in_the_byte_order_of_their_key(tell: Tell) -> None:
    async def story(store: Store) -> None:
        for id_ in ("b", "a-1", "B", "a1"):
            await store.commit(a_set(id=id_))
        assert await ids(store) == ["B", "a-1", "a1", "b"]

    tell(story)


def test_an_unknown_column_is_a_bug_that_writes_nothing(tell: Tell) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(ValueError, match="table toy has no column 'colour'"):
            await store.commit(a_set(colour="red"))
        assert await ids(store) == []

    tell(story)


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_duplicate_key_fails_the_commit_and_leaves_nothing_of_it(tell: Tell) -> None:
    async def story(store: Store) -> None:
        await store.commit(a_set(id="1"))
        write_set = a_set(id="2")
        write_set.append(ADA, 1, a_message())
        write_set.upsert(toy, id="1", label="changed")
        write_set.insert(toy, id="1")
        with pytest.raises(DuplicateKey, match="already in toy"):
            await store.commit(write_set)
        assert [(row["id"], row["label"]) for row in await store.load(toy)] == [("1", None)]
        assert await store.load(events) == []
        assert await store.load(event_heads) == []
        await store.commit(a_set(id="2", label="changed"))

    tell(story)


def test_every_unique_key_counts_and_null_equals_nothing(tell: Tell) -> None:
    async def story(store: Store) -> None:
        await store.commit(a_set(id="1", label="x"))
        await store.commit(a_set(id="2"))
        await store.commit(a_set(id="3"))
        with pytest.raises(DuplicateKey):
            await store.commit(a_set(id="4", label="x"))
        clash = WriteSet()
        clash.upsert(toy, id="2", label="x")
        with pytest.raises(DuplicateKey):
            await store.commit(clash)
        assert await ids(store) == ["1", "2", "3"]

    tell(story)


def test_insert_once_leaves_the_row_that_was_there(tell: Tell) -> None:
    async def story(store: Store) -> None:
        await store.commit(a_set(id="1", label="x"))
        write_set = WriteSet()
        write_set.insert_once(toy, id="1", label="y")
        write_set.insert_once(toy, id="2", label="x")
        write_set.insert_once(toy, id="3", label="z")
        await store.commit(write_set)
        assert [(row["id"], row["label"]) for row in await store.load(toy)] == [("1", "x"), ("3", "z")]

    tell(story)


def test_upsert_replaces_the_given_columns_and_no_others(tell: Tell) -> None:
    async def story(store: Store) -> None:
        await store.commit(a_set(id="1", label="x", order=1))
        write_set = WriteSet()
        write_set.upsert(toy, id="1", label="y")
        write_set.upsert(toy, id="2", label="x")
        write_set.upsert(toy, id="1", order=2)
        await store.commit(write_set)
        assert [(row["id"], row["label"], row["order"]) for row in await store.load(toy)] == [
            ("1", "y", 2),
            ("2", "x", None),
        ]

    tell(story)


# ── fences and leases ───────────────────────────────────────────────────────────────────────────────────


def test_a_commit_with_the_fence_of_an_old_holder_is_refused_inside_the_commit(tell: Tell) -> None:
    async def story(store: Store) -> None:
        old = await store.acquire_lease("shard:3", "engine-a", now_us=0, ttl_us=10)
        assert old is not None
        mine = a_set(id="1")
        mine.fences[3] = old
        await store.commit(mine)
        await store.acquire_lease("shard:3", "engine-b", now_us=10, ttl_us=10)
        late = a_set(id="2")
        late.fences[3] = old
        with pytest.raises(FencedOut, match="shard:3"):
            await store.commit(late)
        assert await ids(store) == ["1"]

    tell(story)


def test_a_commit_for_a_shard_that_nobody_leased_is_refused(tell: Tell) -> None:
    async def story(store: Store) -> None:
        write_set = a_set()
        write_set.fences[3] = 1
        with pytest.raises(FencedOut):
            await store.commit(write_set)

    tell(story)


def test_the_fence_rises_with_each_change_of_holder_and_with_nothing_else(tell: Tell) -> None:
    async def story(store: Store) -> None:
        assert await store.acquire_lease("beat", "a", now_us=0, ttl_us=10) == 1
        assert await store.acquire_lease("beat", "a", now_us=5, ttl_us=10) == 1
        assert await store.acquire_lease("beat", "b", now_us=14, ttl_us=10) is None
        assert await store.acquire_lease("beat", "b", now_us=15, ttl_us=10) == 2
        assert await store.acquire_lease("beat", "a", now_us=25, ttl_us=10) == 3

    tell(story)


def test_a_lease_can_be_renewed_by_its_holder_only(tell: Tell) -> None:
    async def story(store: Store) -> None:
        fence = await store.acquire_lease("beat", "a", now_us=0, ttl_us=10)
        assert fence == 1
        assert await store.renew_lease("beat", "a", fence, now_us=9, ttl_us=10)
        assert not await store.renew_lease("beat", "b", fence, now_us=9, ttl_us=10)
        assert not await store.renew_lease("other", "a", fence, now_us=9, ttl_us=10)
        assert await store.acquire_lease("beat", "b", now_us=18, ttl_us=10) is None
        assert await store.acquire_lease("beat", "b", now_us=19, ttl_us=10) == 2
        assert not await store.renew_lease("beat", "a", fence, now_us=20, ttl_us=10)

    tell(story)


def test_a_lease_that_is_given_back_is_free_at_once(tell: Tell) -> None:
    async def story(store: Store) -> None:
        fence = await store.acquire_lease("beat", "a", now_us=0, ttl_us=1_000)
        assert fence == 1
        assert await store.renew_lease("beat", "a", fence, now_us=5, ttl_us=0)
        assert await store.acquire_lease("beat", "b", now_us=5, ttl_us=10) == 2

    tell(story)


def test_an_empty_set_touches_nothing(tell: Tell) -> None:
    async def story(store: Store) -> None:
        write_set = WriteSet()
        write_set.fences[3] = 99
        assert write_set.is_empty()
        await store.commit(write_set)

    tell(story)


# ── the log ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_is_gapless_and_its_head_is_the_last_event(tell: Tell) -> None:
    async def story(store: Store) -> None:
        for first in (1, 3):
            write_set = WriteSet()
            write_set.append(ADA, first, a_message())
            write_set.append(AccountId("bob"), first // 2 + 1, a_message())
            write_set.append(ADA, first + 1, a_message())
            await store.commit(write_set)
        log = await store.load(events, account_id=ADA)
        assert [row["sequence"] for row in log] == [1, 2, 3, 4]
        assert [(row["account_id"], row["sequence"]) for row in await store.load(event_heads)] == [
            ("ada", 4),
            ("bob", 2),
        ]
        assert (log[0]["name"], log[0]["occurred_at"], log[0]["trace_id"]) == ("risk.kill_switch_set.v1", 17, "t1")
        assert decode(log[0]["payload"]) == a_message()

    tell(story)


@pytest.mark.parametrize("sequence", [1, 3, 4, 6])
def test_events_that_do_not_continue_the_log_fail_the_commit(tell: Tell, sequence: int) -> None:
    async def story(store: Store) -> None:
        write_set = WriteSet()
        for number in (1, 2, 3, 4):
            write_set.append(ADA, number, a_message())
        await store.commit(write_set)
        wrong = a_set()
        wrong.append(ADA, sequence, a_message())
        with pytest.raises(SequenceGap if sequence > 4 else DuplicateKey, match="ada" if sequence > 4 else "events"):
            await store.commit(wrong)
        assert await ids(store) == []
        assert len(await store.load(events)) == 4

    tell(story)


def test_a_log_begins_with_1(tell: Tell) -> None:
    async def story(store: Store) -> None:
        write_set = WriteSet()
        write_set.append(ADA, 2, a_message())
        with pytest.raises(SequenceGap):
            await store.commit(write_set)
        assert await store.load(events) == []

    tell(story)


def test_a_gap_inside_one_set_is_a_bug() -> None:
    write_set = WriteSet()
    write_set.append(ADA, 1, a_message())
    with pytest.raises(ValueError, match="event 3 of account ada follows 1"):
        write_set.append(ADA, 3, a_message())


# ── durability ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_store_says_what_a_finished_commit_survives(tell: Tell, url: str) -> None:
    said = {
        "memory": "memory: nothing survives",
        "sqlite": "sqlite journal_mode=wal synchronous=FULL",
        "postgresql": "postgresql synchronous_commit=on fsync=on",
    }

    async def story(store: Store) -> None:
        assert await store.durability() == said[url.partition(":")[0]]

    tell(story)


def test_a_url_of_another_database_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(Invalid, match="must begin with sqlite:///") as refusal:
        open_store("mysql://root:canary@localhost/tidegate")
    assert "canary" not in str(refusal.value)
