import pytest

from tidegate.domain.errors import Invalid
from tidegate.kit.clock import ManualClock, SystemClock, from_rfc3339, rfc3339


def test_a_manual_clock_moves_only_when_told_and_never_back() -> None:
    clock = ManualClock(1_000_000)
    clock.advance_to(2_500_000)
    assert (clock.now_us(), clock.monotonic_s()) == (2_500_000, 2.5)
    with pytest.raises(ValueError, match="cannot go back to 2499999"):
        clock.advance_to(2_499_999)


def test_the_system_clock_counts_microseconds_since_the_epoch() -> None:
    assert 1_700_000_000_000_000 < SystemClock().now_us() < 4_000_000_000_000_000


@pytest.mark.parametrize(
    ("at_us", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1_723_075_200_999_999, "2024-08-08T00:00:00.999Z")],
)
def test_times_leave_as_rfc3339_with_milliseconds(at_us: int, text: str) -> None:
    assert rfc3339(at_us) == text


def test_an_offset_is_understood_and_microseconds_are_kept() -> None:
    assert from_rfc3339("2024-08-08T02:00:00.000001+02:00", "start") == 1_723_075_200_000_001


@pytest.mark.parametrize("text", ["yesterday", "2024-08-08T00:00:00"])
def test_a_time_without_offset_or_sense_is_refused_by_field(text: str) -> None:
    with pytest.raises(Invalid, match=r"^start must be a time with offset"):
        from_rfc3339(text, "start")
