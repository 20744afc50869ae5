"""The life of an order in memory, whatever the order in which the venue tells it."""

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import ACCOUNT, NOON, TRACE, a_fill_report, a_report, an_intent, an_order
from tidegate.domain.ids import Environment, VenueOrderId
from tidegate.domain.messages import OrderAccepted, OrderCancelled, OrderFilled, OrderRejected
from tidegate.domain.orders import OrderStatus
from tidegate.execution.model import FetchOrder, IllegalTransition, Order, PlaceOrder
from tidegate.execution.service import Execution


def an_execution() -> tuple[Execution, Order]:
    """One submitted order whose call was taken."""
    execution = Execution(ACCOUNT, venue="simulator", environment=Environment.SIMULATION)
    submitted = execution.submit(an_intent(), hold_key="h", trace_id=TRACE, at=NOON, fence_at=NOON + 1)
    execution.take()
    return execution, execution.orders.get(submitted.client_order_id)


def test_an_order_is_written_before_its_call_is_planned_and_both_are_taken_once() -> None:
    execution = Execution(ACCOUNT, venue="simulator", environment=Environment.SIMULATION)
    submitted = execution.submit(an_intent(), hold_key="h", trace_id=TRACE, at=NOON, fence_at=NOON + 1)
    changes, calls = execution.take()
    assert list(changes.orders) == [submitted.client_order_id]
    assert [type(call) for call in calls] == [PlaceOrder]
    assert execution.take()[1] == []


def test_the_same_intent_is_never_submitted_twice() -> None:
    execution, _ = an_execution()
    with pytest.raises(AssertionError, match="submitted before"):
        execution.submit(an_intent(), hold_key="h", trace_id=TRACE, at=NOON, fence_at=NOON + 1)


def test_a_filled_order_refuses_more_fills() -> None:
    order = an_order()
    order.fill(Decimal(1), Decimal(100))
    with pytest.raises(IllegalTransition):
        order.fill(Decimal("0.1"), Decimal(100))


def test_a_second_venue_id_for_one_order_is_refused() -> None:
    order = an_order()
    order.accept(VenueOrderId("1"))
    with pytest.raises(IllegalTransition):
        order.accept(VenueOrderId("2"))


def test_a_fill_before_the_answer_is_proof_that_the_order_exists() -> None:
    execution, order = an_execution()
    facts = execution.book_fill(a_fill_report(order, "0.4"), "stream")
    assert [type(fact) for fact in facts] == [OrderAccepted, OrderFilled]
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert execution.report(a_report(order), "answer") == []


def test_the_same_execution_is_booked_once() -> None:
    execution, order = an_execution()
    execution.book_fill(a_fill_report(order, "0.4"), "stream")
    assert execution.book_fill(a_fill_report(order, "0.4"), "answer") == []
    assert order.filled_quantity == Decimal("0.4")


def test_an_end_waits_for_the_fills_that_the_venue_counts_and_we_have_not() -> None:
    execution, order = an_execution()
    cancelled = a_report(order, OrderStatus.CANCELLED, filled_quantity=Decimal("0.4"))
    execution.report(cancelled, "stream")
    assert order.is_live
    assert execution.take()[1] == [FetchOrder(order.intent.symbol, order.client_order_id)]
    facts = execution.book_fill(a_fill_report(order, "0.4"), "look")
    assert [type(fact) for fact in facts] == [OrderFilled, OrderCancelled]
    assert order.status is OrderStatus.CANCELLED


def test_a_late_fill_of_a_cancelled_order_is_booked_and_changes_no_status() -> None:
    execution, order = an_execution()
    execution.report(a_report(order, OrderStatus.CANCELLED), "stream")
    facts = execution.book_fill(a_fill_report(order, "0.4"), "stream")
    assert [type(fact) for fact in facts] == [OrderFilled]
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, Decimal("0.4"))


def test_a_rejection_after_a_fill_is_late_news() -> None:
    execution, order = an_execution()
    execution.book_fill(a_fill_report(order, "0.4"), "stream")
    assert execution.reject(order, "venue.refused", "no", NOON, "answer") == []


def test_a_missing_answer_leaves_an_unsettled_order_unknown_and_a_known_one_to_be_asked() -> None:
    execution, order = an_execution()
    execution.doubt(order, "timeout", NOON)
    assert order.status is OrderStatus.UNKNOWN
    known, settled = an_execution()
    known.report(a_report(settled), "stream")
    assert known.doubt(settled, "timeout", NOON) == []
    assert settled.status is OrderStatus.OPEN
    assert known.take()[1] == [FetchOrder(settled.intent.symbol, settled.client_order_id)]


def test_an_unknown_order_is_not_cancelled_but_resolved() -> None:
    execution, order = an_execution()
    execution.doubt(order, "timeout", NOON)
    execution.take()
    execution.cancel(order)
    assert execution.take()[1] == []


def test_cancelling_twice_is_cancelling_once() -> None:
    execution, order = an_execution()
    execution.report(a_report(order), "answer")
    execution.take()
    execution.cancel(order)
    execution.cancel(order)
    assert len(execution.take()[1]) == 1


@pytest.mark.parametrize("story", list(permutations(range(4))))
def test_any_order_of_the_same_reports_ends_in_the_same_order(story: tuple[int, ...]) -> None:
    execution, order = an_execution()
    tell = [
        lambda: execution.report(a_report(order), "answer"),
        lambda: execution.book_fill(a_fill_report(order, "0.4", venue_trade_id="1"), "stream"),
        lambda: execution.book_fill(a_fill_report(order, "0.6", venue_trade_id="2"), "stream"),
        lambda: execution.report(a_report(order, OrderStatus.FILLED, filled_quantity=Decimal(1)), "stream"),
    ]
    facts = [fact for step in story for fact in tell[step]()]
    assert order.status is OrderStatus.FILLED
    assert order.filled_notional == Decimal(100)
    assert [type(fact) for fact in facts].count(OrderAccepted) == 1
    assert [type(fact) for fact in facts].count(OrderFilled) == 2


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), max_size=12))
def test_filled_quantity_never_falls_and_never_exceeds_the_order(fills: list[tuple[int, int]]) -> None:
    execution, order = an_execution()
    before = Decimal(0)
    for trade, tenths in fills:
        report = a_fill_report(order, f"0.{tenths}", venue_trade_id=str(trade))
        try:
            execution.book_fill(report, "stream")
        except IllegalTransition:
            break
        assert before <= order.filled_quantity <= order.intent.quantity
        before = order.filled_quantity


def test_a_rejected_order_never_existed() -> None:
    execution, order = an_execution()
    facts = execution.reject(order, "venue.filter_failed", "too small", NOON, "answer")
    assert [type(fact) for fact in facts] == [OrderRejected]
    assert execution.orders.live() == []
