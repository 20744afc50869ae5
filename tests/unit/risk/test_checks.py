"""Every check at, below and above its bound, and with its input missing."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.errors import Invalid
from tidegate.domain.ids import AccountId, IntentKey
from tidegate.domain.orders import OrderIntent, OrderPurpose, OrderType, Side
from tidegate.risk.model import CHECKS, Limits, RiskView, Usage, first_denial, tightest, usage

KNOWN: dict[str, Any] = {
    "is_kill_switch_on": False,
    "data_age_ms": 0,
    "mark_price": Decimal(100),
    "position_quantity": Decimal(0),
    "pending_buy_quantity": Decimal(0),
    "pending_sell_quantity": Decimal(0),
    "open_orders": 0,
    "daily_pnl": Decimal(0),
}
ALL_LIMITS = Limits(
    order_notional_max=Decimal(1000),
    position_notional_max=Decimal(2000),
    open_orders_max=5,
    price_collar_bps=Decimal(100),
    data_age_ms_max=3000,
    daily_loss_max=Decimal(50),
)


def intent(side: Side = Side.BUY, quantity: str = "1", **changes: Any) -> OrderIntent:
    fields: dict[str, Any] = {
        "key": IntentKey("i1"),
        "account_id": AccountId("a1"),
        "symbol": "BTC/USDT",
        "side": side,
        "type": OrderType.MARKET,
        "quantity": Decimal(quantity),
        "purpose": OrderPurpose.ENTRY,
    }
    return OrderIntent(**(fields | changes))


def view(limits: Limits | None = None, **changes: Any) -> RiskView:
    return RiskView(limits=Limits() if limits is None else limits, **(KNOWN | changes))


def code(wanted: OrderIntent, known: RiskView) -> str | None:
    denial = first_denial(wanted, known)
    return denial.code if denial else None


def limit_at(price: str, **changes: Any) -> OrderIntent:
    return intent(type=OrderType.LIMIT, limit_price=Decimal(price), **changes)


def test_an_order_within_every_limit_passes() -> None:
    assert first_denial(intent(), view(ALL_LIMITS)) is None


def test_limits_that_are_not_set_need_no_input() -> None:
    unknown: dict[str, Any] = dict.fromkeys(KNOWN) | {"is_kill_switch_on": False}
    assert first_denial(intent(), RiskView(limits=Limits(), **unknown)) is None


@pytest.mark.parametrize(
    ("is_on", "expected"), [(False, None), (True, "risk.kill_switch_on"), (None, "risk.kill_switch_unknown")]
)
def test_nothing_enters_while_the_kill_switch_is_on_or_unknown(is_on: bool | None, expected: str | None) -> None:
    assert code(intent(), view(is_kill_switch_on=is_on)) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [(2999, None), (3000, None), (3001, "risk.data_too_old"), (None, "risk.data_age_unknown")],
)
def test_data_must_be_young_enough(age: int | None, expected: str | None) -> None:
    assert code(intent(), view(Limits(data_age_ms_max=3000), data_age_ms=age)) == expected


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("100.99", None),
        ("101", None),
        ("101.01", "risk.price_outside_collar"),
        ("99", None),
        ("98.99", "risk.price_outside_collar"),
    ],
)
def test_a_limit_price_stays_in_the_collar(price: str, expected: str | None) -> None:
    assert code(limit_at(price), view(Limits(price_collar_bps=Decimal(100)))) == expected


def test_a_stop_price_stays_in_the_collar() -> None:
    stop = intent(type=OrderType.STOP, stop_price=Decimal(102))
    assert code(stop, view(Limits(price_collar_bps=Decimal(100)))) == "risk.price_outside_collar"
    assert code(stop, view(Limits(price_collar_bps=Decimal(200)))) is None


@pytest.mark.parametrize("wanted", [intent(), limit_at("100")])
@pytest.mark.parametrize("mark", [None, Decimal(0)])
def test_a_collar_needs_a_mark_price(wanted: OrderIntent, mark: Decimal | None) -> None:
    assert code(wanted, view(Limits(price_collar_bps=Decimal(100)), mark_price=mark)) == "risk.mark_price_unknown"


@pytest.mark.parametrize(
    ("quantity", "expected"), [("9.99", None), ("10", None), ("10.01", "risk.order_notional_above_max")]
)
@pytest.mark.parametrize("price", [None, Decimal(50), Decimal(200)])
def test_an_order_is_measured_at_its_own_price_or_else_at_the_mark(
    quantity: str, expected: str | None, price: Decimal | None
) -> None:
    limits = Limits(order_notional_max=10 * (price or Decimal(100)))
    assert code(intent(quantity=quantity, limit_price=price), view(limits)) == expected


def test_a_market_order_of_unknown_worth_is_denied() -> None:
    known = view(Limits(order_notional_max=Decimal(1000)), mark_price=None)
    assert code(intent(), known) == "risk.mark_price_unknown"
    assert code(limit_at("100"), known) is None


@pytest.mark.parametrize(
    ("quantity", "expected"), [("2.99", None), ("3", None), ("3.01", "risk.position_notional_above_max")]
)
def test_a_position_counts_with_its_pending_entries(quantity: str, expected: str | None) -> None:
    known = view(
        Limits(position_notional_max=Decimal(1000)),
        position_quantity=Decimal(5),
        pending_buy_quantity=Decimal(2),
        pending_sell_quantity=Decimal(100),
    )
    assert code(intent(quantity=quantity), known) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("3", None), ("3.01", "risk.position_notional_above_max")])
def test_a_short_position_counts_with_its_pending_sells(quantity: str, expected: str | None) -> None:
    known = view(
        Limits(position_notional_max=Decimal(1000)),
        position_quantity=Decimal(-5),
        pending_sell_quantity=Decimal(2),
        pending_buy_quantity=Decimal(100),
    )
    assert code(intent(Side.SELL, quantity), known) == expected


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("position_quantity", "risk.position_unknown"),
        ("pending_buy_quantity", "risk.position_unknown"),
        ("mark_price", "risk.mark_price_unknown"),
    ],
)
def test_a_position_that_is_not_known_grows_no_further(missing: str, expected: str) -> None:
    known = view(Limits(position_notional_max=Decimal(1000)), **{missing: None})
    assert code(limit_at("100"), known) == expected


@pytest.mark.parametrize(
    ("open_orders", "expected"),
    [(3, None), (4, None), (5, "risk.open_orders_above_max"), (None, "risk.open_orders_unknown")],
)
def test_open_orders_count_the_new_one(open_orders: int | None, expected: str | None) -> None:
    assert code(intent(), view(Limits(open_orders_max=5), open_orders=open_orders)) == expected


@pytest.mark.parametrize(
    ("pnl", "expected"),
    [
        ("100", None),
        ("-49.99", None),
        ("-50", "risk.daily_loss_reached"),
        ("-50.01", "risk.daily_loss_reached"),
        (None, "risk.daily_pnl_unknown"),
    ],
)
def test_a_loss_that_reached_its_bound_ends_the_day(pnl: str | None, expected: str | None) -> None:
    known = view(Limits(daily_loss_max=Decimal(50)), daily_pnl=None if pnl is None else Decimal(pnl))
    assert code(intent(), known) == expected


def locked_view(**changes: Any) -> RiskView:
    """Every check objects to an entry."""
    unknown: dict[str, Any] = dict.fromkeys(KNOWN) | {"position_quantity": Decimal(2), "is_kill_switch_on": True}
    return RiskView(limits=ALL_LIMITS, **(unknown | changes))


REDUCING = [
    {"purpose": OrderPurpose.EXIT},
    {"purpose": OrderPurpose.STOP_LOSS},
    {"purpose": OrderPurpose.TAKE_PROFIT},
    {"reduce_only": True},
]


@pytest.mark.parametrize("changes", REDUCING)
def test_what_reduces_a_position_passes_every_limit_and_the_kill_switch(changes: dict[str, Any]) -> None:
    assert code(intent(Side.SELL, "2", **changes), locked_view()) is None
    assert code(intent(Side.BUY, "2", **changes), locked_view(position_quantity=Decimal(-2))) is None


@pytest.mark.parametrize("changes", REDUCING)
def test_an_exit_passes_while_the_position_is_not_known(changes: dict[str, Any]) -> None:
    assert code(intent(Side.SELL, "2", **changes), locked_view(position_quantity=None)) is None


@pytest.mark.parametrize("changes", REDUCING)
@pytest.mark.parametrize(("side", "quantity"), [(Side.SELL, "2.01"), (Side.BUY, "1")])
def test_an_order_that_only_claims_to_reduce_is_denied(changes: dict[str, Any], side: Side, quantity: str) -> None:
    assert code(intent(side, quantity, **changes), locked_view()) == "risk.nothing_to_reduce"


def test_the_first_check_that_objects_decides() -> None:
    assert [check.__name__ for check in CHECKS] == [
        "check_kill_switch",
        "check_data_age",
        "check_price_collar",
        "check_order_notional",
        "check_position_notional",
        "check_open_orders",
        "check_daily_loss",
    ]
    known = view(ALL_LIMITS, data_age_ms=9999, open_orders=99)
    assert code(intent(), known) == "risk.data_too_old"


def test_a_denial_tells_what_was_seen_and_what_is_allowed() -> None:
    denial = first_denial(intent(quantity="12"), view(Limits(order_notional_max=Decimal(1000))))
    assert denial is not None
    assert (denial.observed, denial.bound) == (Decimal(1200), Decimal(1000))
    assert denial.detail == "The order's notional would be worth 1200, allowed is 1000."


def test_the_tightest_of_all_levels_is_in_force() -> None:
    platform = Limits(order_notional_max=Decimal(1000), open_orders_max=10)
    account = Limits(order_notional_max=Decimal(500), daily_loss_max=Decimal(50))
    bot = Limits(order_notional_max=Decimal(700), open_orders_max=0)
    assert tightest(platform, account, bot) == Limits(
        order_notional_max=Decimal(500), open_orders_max=0, daily_loss_max=Decimal(50)
    )
    assert tightest() == Limits()


def test_a_negative_limit_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="open_orders_max must be 0 or more, not -1"):
        Limits(open_orders_max=-1)


def test_usage_shows_each_limit_that_is_set_and_what_is_unknown_as_unknown() -> None:
    limits = Limits(open_orders_max=4, daily_loss_max=Decimal(50), position_notional_max=Decimal(100))
    lines = usage(limits, open_orders=1, position_notional=None, daily_pnl=Decimal(-20))
    assert lines == (
        Usage("position_notional_max", None, Decimal(100)),
        Usage("open_orders_max", Decimal(1), Decimal(4)),
        Usage("daily_loss_max", Decimal(20), Decimal(50)),
    )
    assert [line.share for line in lines] == [None, Decimal("0.25"), Decimal("0.4")]


def test_a_profit_uses_nothing_of_the_loss_limit() -> None:
    (line,) = usage(Limits(daily_loss_max=Decimal(50)), open_orders=None, position_notional=None, daily_pnl=Decimal(9))
    assert line.used == 0


@given(
    st.lists(
        st.tuples(st.decimals("0.01", "20", places=2), st.sampled_from(["pending", "filled", "dead"])), max_size=30
    )
)
def test_open_unknown_and_filled_orders_together_never_exceed_the_position_limit(
    wanted: list[tuple[Decimal, str]],
) -> None:
    position = pending = Decimal(0)
    for quantity, fate in wanted:
        known = view(
            Limits(position_notional_max=Decimal(1000)), position_quantity=position, pending_buy_quantity=pending
        )
        if first_denial(intent(quantity=str(quantity)), known) is not None:
            assert (position + pending + quantity) * 100 > 1000
            continue
        position += quantity if fate == "filled" else 0
        pending += quantity if fate == "pending" else 0
        assert (position + pending) * 100 <= 1000
