from itertools import pairwise
from uuid import UUID

from tidegate.kit.clock import ManualClock
from tidegate.kit.ids import SeededIds, SystemIds, new_id, secret_token, seeded_random


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    drawn = UUID(SystemIds(ManualClock(1_723_075_200_000_000)).draw())
    assert (drawn.version, drawn.variant) == (7, "specified in RFC 4122")
    assert drawn.int >> 80 == 1_723_075_200_000


def test_ids_of_one_source_rise_even_if_the_clock_stands_still() -> None:
    ids = SystemIds(ManualClock(1_723_075_200_000_000))
    assert all(earlier < later for earlier, later in pairwise(ids.draw() for _ in range(10_000)))


def test_the_same_seed_draws_the_same_ids() -> None:
    first, second = SeededIds(7), SeededIds(7)
    assert [first.draw() for _ in range(5)] == [second.draw() for _ in range(5)]
    assert SeededIds(7).draw() != SeededIds(8).draw()


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert seeded_random(1).random() == seeded_random(1).random()


def test_tokens_and_ids_are_drawn_once() -> None:
    assert len({secret_token() for _ in range(100)} | {new_id() for _ in range(100)}) == 200
    assert len(secret_token(32)) == 43
