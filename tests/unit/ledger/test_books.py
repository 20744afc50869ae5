"""The books of one account: what every verb moves, and what it refuses."""

from decimal import Decimal
from itertools import count

import pytest

from tidegate.domain.errors import Conflict, Invalid
from tidegate.domain.ids import AccountId, ClientOrderId, FillId, IntentKey, TraceId, VenueOrderId
from tidegate.domain.messages import OrderFilled
from tidegate.domain.money import Money
from tidegate.domain.orders import BalanceReport, OrderStatus, Side
from tidegate.ledger.model import AccountKind, AssetCheck, Books, LedgerAccount, Shortage, TransferKind, check

AT = 1_700_000_000_000_000


def books_with(**quantities: str) -> Books:
    numbers = count(1)
    books = Books(AccountId("a1"), draw_id=lambda: f"t{next(numbers)}")
    for asset, quantity in quantities.items():
        books.open_balance(asset, Decimal(quantity), AT)
    return books


def fill(
    side: Side = Side.BUY,
    quantity: str = "1",
    price: str = "100",
    *,
    fee: str = "0",
    fee_asset: str = "USDT",
    number: int = 1,
) -> OrderFilled:
    return OrderFilled(
        trace_id=TraceId("trace"),
        occurred_at=AT,
        account_id=AccountId("a1"),
        client_order_id=ClientOrderId("o1"),
        symbol="BTC/USDT",
        fill_id=FillId(f"sim:a1:BTC/USDT:7:{number}"),
        venue_order_id=VenueOrderId("7"),
        intent_key=IntentKey("i1"),
        bot_id=None,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Money(Decimal(fee), fee_asset),
        is_maker=False,
        status=OrderStatus.FILLED,
    )


def usdt(quantity: str) -> Money:
    return Money(Decimal(quantity), "USDT")


def standing(books: Books) -> dict[str, Decimal]:
    return {str(balance.account): balance.quantity for balance in books.balances() if balance.units}


def sums(books: Books) -> set[int]:
    totals: dict[str, int] = {}
    for balance in books.balances():
        totals[balance.account.asset] = totals.get(balance.account.asset, 0) + balance.units
    return set(totals.values())


def test_an_opening_balance_comes_from_outside() -> None:
    books = books_with(USDT="1000.5")
    assert standing(books) == {"free:USDT": Decimal("1000.5"), "external:USDT": Decimal("-1000.5")}


def test_every_booked_asset_is_known_by_name() -> None:
    assert books_with(USDT="1", BTC="2").assets() == ["BTC", "USDT"]


def test_an_opening_balance_of_nothing_moves_nothing() -> None:
    assert books_with(USDT="0").balances() == []


def test_a_hold_moves_free_money_aside() -> None:
    books = books_with(USDT="1000")
    (transfer,) = transfers_of(books, books.hold("i1", usdt("400"), AT))
    assert (str(transfer.debit), str(transfer.credit), transfer.money) == ("held:USDT", "free:USDT", usdt("400"))
    assert (books.free("USDT"), books.held("USDT")) == (Decimal(600), Decimal(400))


def transfers_of(books: Books, answer: object) -> tuple:  # type: ignore[type-arg]
    assert isinstance(answer, tuple), f"{answer} is a refusal"
    return answer


@pytest.mark.parametrize(("needed", "is_covered"), [("999.99999999", True), ("1000", True), ("1000.00000001", False)])
def test_a_hold_is_refused_when_free_does_not_cover_it(needed: str, is_covered: bool) -> None:
    books = books_with(USDT="1000")
    answer = books.hold("i1", usdt(needed), AT)
    assert isinstance(answer, Shortage) is not is_covered
    assert books.held("USDT") == (Decimal(needed) if is_covered else 0)


def test_a_refusal_names_what_is_needed_and_what_is_free() -> None:
    answer = books_with(USDT="5").hold("i1", usdt("7.5"), AT)
    assert isinstance(answer, Shortage)
    assert answer.code == "ledger.balance_too_small"
    assert answer.detail == "The order needs 7.5 USDT, but only 5 USDT is free."


def test_money_that_is_held_cannot_be_held_again() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("700"), AT)
    assert isinstance(books.hold("i2", usdt("400"), AT), Shortage)


def test_an_asset_never_seen_cannot_be_held() -> None:
    assert isinstance(books_with(USDT="1").hold("i1", Money(Decimal(1), "BTC"), AT), Shortage)


def test_an_open_hold_key_is_not_used_again() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("10"), AT)
    with pytest.raises(Conflict) as refused:
        books.hold("i1", usdt("10"), AT)
    assert refused.value.code == "ledger.hold_exists"


@pytest.mark.parametrize("quantity", ["0", "-1"])
def test_a_hold_of_nothing_is_refused(quantity: str) -> None:
    with pytest.raises(Invalid, match="hold must be above 0"):
        books_with(USDT="1000").hold("i1", usdt(quantity), AT)


def test_a_hold_rounds_up_to_the_minor_unit() -> None:
    books = books_with(USDT="1")
    books.hold("i1", usdt("0.000000001"), AT)
    assert books.held("USDT") == Decimal("0.00000001")


def test_a_released_hold_gives_the_rest_back_once() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("400"), AT)
    books.book_fill(fill(quantity="1", price="150"), "i1")
    (transfer,) = books.release("i1", AT)
    assert (transfer.kind, transfer.money) == (TransferKind.RELEASE, usdt("250"))
    assert books.release("i1", AT) == ()
    assert (books.free("USDT"), books.held("USDT")) == (Decimal(850), Decimal(0))


def test_releasing_an_unknown_hold_moves_nothing() -> None:
    assert books_with(USDT="1").release("nobody", AT) == ()


def test_a_used_up_hold_closes_without_a_transfer() -> None:
    books = books_with(USDT="100")
    books.hold("i1", usdt("100"), AT)
    books.book_fill(fill(price="100"), "i1")
    books.take()
    assert books.release("i1", AT) == ()
    changes = books.take()
    assert changes
    assert not changes.transfers
    assert not changes.holds["i1"].is_open


def test_a_buy_exchanges_held_quote_for_free_base_and_pays_the_fee_from_it() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("210"), AT)
    transfers = books.book_fill(fill(quantity="2", price="100", fee="0.002", fee_asset="BTC"), "i1")
    assert [(str(each.debit), str(each.credit), each.money.quantity) for each in transfers] == [
        ("trading:USDT", "held:USDT", Decimal(200)),
        ("free:BTC", "trading:BTC", Decimal(2)),
        ("fees:BTC", "free:BTC", Decimal("0.002")),
    ]
    assert standing(books) == {
        "free:USDT": Decimal(790),
        "held:USDT": Decimal(10),
        "external:USDT": Decimal(-1000),
        "trading:USDT": Decimal(200),
        "free:BTC": Decimal("1.998"),
        "trading:BTC": Decimal(-2),
        "fees:BTC": Decimal("0.002"),
    }


def test_a_sell_exchanges_held_base_for_free_quote_and_pays_the_fee_from_it() -> None:
    books = books_with(BTC="3")
    books.hold("i1", Money(Decimal(2), "BTC"), AT)
    books.book_fill(fill(Side.SELL, "2", "100", fee="0.2"), "i1")
    assert (books.free("BTC"), books.held("BTC"), books.free("USDT")) == (Decimal(1), Decimal(0), Decimal("199.8"))


def test_a_fee_in_a_third_asset_comes_out_of_free() -> None:
    books = books_with(USDT="100", BNB="1")
    books.hold("i1", usdt("100"), AT)
    books.book_fill(fill(fee="0.01", fee_asset="BNB"), "i1")
    assert (books.free("BTC"), books.free("BNB")) == (Decimal(1), Decimal("0.99"))


def test_a_fee_in_the_held_asset_is_taken_from_the_hold() -> None:
    books = books_with(USDT="101")
    books.hold("i1", usdt("101"), AT)
    books.book_fill(fill(fee="1"), "i1")
    assert (books.held("USDT"), books.free("USDT"), books.is_overdrawn) == (Decimal(0), Decimal(0), False)


def test_a_rebate_is_received() -> None:
    books = books_with(USDT="100")
    books.hold("i1", usdt("100"), AT)
    transfers = books.book_fill(fill(fee="-0.05"), "i1")
    assert (transfers[-1].kind, str(transfers[-1].credit)) == (TransferKind.REBATE, "fees:USDT")
    assert books.free("USDT") == Decimal("0.05")


def test_a_fill_is_booked_once_whatever_is_repeated() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("400"), AT)
    books.book_fill(fill(), "i1")
    before = standing(books)
    assert books.book_fill(fill(), "i1") == ()
    assert standing(books) == before
    assert books.book_fill(fill(number=2), "i1") != ()


def test_what_the_hold_does_not_cover_comes_out_of_free() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("100"), AT)
    books.book_fill(fill(price="130"), "i1")
    assert (books.held("USDT"), books.free("USDT"), books.is_overdrawn) == (Decimal(0), Decimal(870), False)


def test_money_that_moved_at_the_venue_is_booked_even_if_it_overdraws() -> None:
    books = books_with(USDT="100")
    books.hold("i1", usdt("100"), AT)
    books.book_fill(fill(price="130"), "i1")
    assert (books.free("USDT"), books.is_overdrawn) == (Decimal(-30), True)
    assert isinstance(books.hold("i2", usdt("1"), AT), Shortage)


def test_a_late_fill_of_a_closed_hold_is_paid_from_free() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("100"), AT)
    books.release("i1", AT)
    books.book_fill(fill(), "i1")
    assert (books.free("USDT"), books.held("USDT")) == (Decimal(900), Decimal(0))


def test_a_fill_takes_nothing_from_the_hold_of_another_order() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("100"), AT)
    books.hold("i2", usdt("100"), AT)
    books.book_fill(fill(), "i2")
    assert {key: hold.remaining for key, hold in books.open_holds.items()} == {"i1": 100 * 10**8, "i2": 0}


def test_both_legs_of_a_list_share_one_hold() -> None:
    books = books_with(BTC="2")
    books.hold("list", Money(Decimal(2), "BTC"), AT)
    books.book_fill(fill(Side.SELL, "0.5", "110", number=1), "list")
    books.book_fill(fill(Side.SELL, "1.5", "90", number=2), "list")
    assert (books.held("BTC"), books.free("BTC"), books.free("USDT")) == (Decimal(0), Decimal(0), Decimal(190))


def test_what_is_below_a_minor_unit_rounds_against_us_and_is_booked() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("100"), AT)
    books.book_fill(fill(quantity="0.00003", price="0.00123"), "i1")  # 0.0000000369 USDT
    stands = standing(books)
    assert (stands["held:USDT"], stands["rounding:USDT"]) == (Decimal("99.99999996"), Decimal("0.00000001"))
    assert stands["trading:USDT"] == Decimal("0.00000003")
    books.book_fill(fill(Side.SELL, "0.00003", "0.00123", number=2), None)
    stands = standing(books)
    assert (stands["free:USDT"], stands["rounding:USDT"]) == (Decimal("900.00000003"), Decimal("0.00000002"))
    assert sums(books) == {0}


def test_an_asset_keeps_its_own_scale() -> None:
    books = Books(AccountId("a1"), draw_id=lambda: "t", scales={"JPY": 0})
    books.open_balance("JPY", Decimal("1000"), AT)
    books.hold("i1", Money(Decimal("10.5"), "JPY"), AT)
    assert (books.free("JPY"), books.held("JPY")) == (Decimal(989), Decimal(11))


def test_an_asset_that_could_overflow_is_refused_by_name() -> None:
    books = books_with()
    with pytest.raises(Invalid, match=r"SHIB cannot be booked with 8 decimals.*smaller scale"):
        books.open_balance("SHIB", Decimal(10**12), AT)
    assert books.balances() == []


@pytest.mark.parametrize(("difference", "free"), [("3", "103"), ("-3", "97")])
def test_an_adjustment_brings_free_to_what_the_venue_says(difference: str, free: str) -> None:
    books = books_with(USDT="100")
    (transfer,) = books.adjust("drift:1", "USDT", Decimal(difference), reason="airdrop", at=AT)
    assert (transfer.money, transfer.reason) == (usdt("3"), "airdrop")
    assert books.free("USDT") == Decimal(free)
    assert sums(books) == {0}


def test_a_deposit_is_adjusted_against_the_world_outside() -> None:
    books = books_with(USDT="100")
    books.adjust("deposit:1", "USDT", Decimal(50), reason="deposit", at=AT, against=AccountKind.EXTERNAL)
    assert standing(books) == {"free:USDT": Decimal(150), "external:USDT": Decimal(-150)}


def test_the_keys_of_one_fill_differ() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("0.00000001"), AT)
    keys = [each.key for each in books.book_fill(fill(quantity="0.00003", price="0.00123", fee="0.000000001"), "i1")]
    assert len(keys) == len(set(keys)) == 6


def test_a_transfer_tells_the_log_its_accounts_and_trace() -> None:
    books = books_with(USDT="5")
    (transfer,) = books.take().transfers
    message = transfer.message(AccountId("a1"), TraceId("trace"))
    assert (message.debit, message.credit, message.money, message.kind) == (
        "free:USDT",
        "external:USDT",
        usdt("5"),
        "opening",
    )
    assert (message.key, message.trace_id, message.transfer_id) == ("opening:USDT", "trace", "t1")


def test_changes_are_handed_over_once() -> None:
    books = books_with(USDT="1000")
    books.take()
    books.hold("i1", usdt("400"), AT)
    books.book_fill(fill(price="150"), "i1")
    changes = books.take()
    assert [transfer.kind for transfer in changes.transfers] == ["hold", "fill", "fill"]
    assert changes.balances[LedgerAccount(AccountKind.HELD, "USDT")].quantity == Decimal(250)
    assert changes.holds["i1"].remaining == 250 * 10**8
    assert not books.take()


def reports(**totals: str) -> list[BalanceReport]:
    return [BalanceReport(asset=asset, free=Decimal(total), held=Decimal(0)) for asset, total in totals.items()]


def checks(books: Books, venue: list[BalanceReport] | None) -> dict[str, AssetCheck]:
    return {line.asset: line for line in check(books.balances(), venue)}


def test_books_that_equal_the_venue_are_balanced() -> None:
    books = books_with(USDT="1000")
    books.hold("i1", usdt("400"), AT)
    line = checks(books, [BalanceReport(asset="USDT", free=Decimal(700), held=Decimal(300))])["USDT"]
    assert (line.ours, line.difference, line.is_balanced) == (Decimal(1000), Decimal(0), True)


def test_a_difference_to_the_venue_is_named_by_asset() -> None:
    lines = checks(books_with(USDT="1000", BTC="1"), reports(USDT="999", ETH="2", DUST="0"))
    assert {asset: line.difference for asset, line in lines.items()} == {
        "USDT": Decimal(-1),
        "BTC": Decimal(-1),
        "ETH": Decimal(2),
    }
    assert not any(line.is_balanced for line in lines.values())


def test_less_than_a_minor_unit_at_the_venue_is_no_difference() -> None:
    assert checks(books_with(ETH="1"), reports(ETH="1.000000000123"))["ETH"].is_balanced


def test_a_venue_that_was_not_asked_leaves_the_difference_unknown() -> None:
    line = checks(books_with(USDT="1"), None)["USDT"]
    assert (line.venue, line.difference, line.is_balanced) == (None, None, True)


def test_balances_that_do_not_sum_to_zero_are_not_balanced() -> None:
    one_sided = [balance for balance in books_with(USDT="1").balances() if balance.account.kind is AccountKind.FREE]
    (line,) = check(one_sided, None)
    assert (line.sum, line.is_balanced) == (Decimal(1), False)


def test_balances_that_are_not_the_fold_of_their_transfers_are_not_balanced() -> None:
    books = books_with(USDT="1")
    folded = {balance.account: balance.units for balance in books.balances()}
    assert check(books.balances(), None, folded=folded)[0].is_balanced
    folded[LedgerAccount(AccountKind.FREE, "USDT")] -= 5
    (line,) = check(books.balances(), None, folded=folded)
    assert (line.drift, line.is_balanced) == (Decimal("0.00000005"), False)
