"""The request budget: the venue's own count, a fifth for what protects, and silence when told to wait."""

from tidegate.kit.clock import SECOND_US
from tidegate.venues.binance.budget import WeightBudget

NOON = 1_700_000_040 * SECOND_US  # the first second of a minute


def spent(used: int) -> WeightBudget:
    budget = WeightBudget(limit=100)
    budget.begin(1)
    budget.end(1, used, NOON)
    return budget


def test_the_last_fifth_is_kept_for_urgent_requests() -> None:
    at_bound, above = spent(79), spent(80)
    assert at_bound.objection(1, NOON, is_urgent=False) is None
    assert above.objection(1, NOON, is_urgent=False) is not None
    assert above.objection(1, NOON, is_urgent=True) is None
    assert spent(100).objection(1, NOON, is_urgent=True) is not None


def test_what_is_under_way_counts_until_its_answer_tells_the_count() -> None:
    budget = WeightBudget(limit=100)
    budget.begin(75)
    assert budget.objection(10, NOON, is_urgent=False) is not None
    budget.end(75, 0, NOON)  # what succeeds in trading costs nothing
    assert budget.objection(10, NOON, is_urgent=False) is None


def test_a_request_without_an_answer_is_counted_at_its_weight() -> None:
    budget = WeightBudget(limit=100)
    budget.begin(80)
    budget.end(80, None, NOON)
    assert budget.objection(1, NOON, is_urgent=False) is not None


def test_a_new_minute_of_the_venue_begins_at_zero() -> None:
    budget = spent(100)
    assert budget.objection(1, NOON + 59 * SECOND_US, is_urgent=True) is not None
    assert budget.objection(1, NOON + 60 * SECOND_US, is_urgent=False) is None


def test_nothing_leaves_until_the_venues_pause_is_over() -> None:
    budget = WeightBudget()
    budget.pause(30, NOON)
    assert budget.objection(1, NOON + 29 * SECOND_US, is_urgent=True) is not None
    assert budget.objection(1, NOON + 30 * SECOND_US, is_urgent=True) is None
    budget.pause(120, NOON)
    budget.pause(1, NOON)  # a shorter one ends nothing
    assert budget.objection(1, NOON + 119 * SECOND_US, is_urgent=True) is not None


def test_a_pause_of_unsaid_length_lasts_a_minute() -> None:
    budget = WeightBudget()
    budget.pause(None, NOON)
    assert budget.objection(1, NOON + 59 * SECOND_US, is_urgent=True) is not None
