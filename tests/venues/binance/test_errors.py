"""Error classes: the code decides before the status, and what is not known is unknown."""

import msgspec
import pytest

from tidegate.venues.binance.errors import FailureClass, failure_of

UNKNOWN = (-1000, -1001, -1006, -1007, -1008, -1016)
DEFINITE = (-1013, -1014, -1020, -1021, -1022, -1100, -1121, -1165, -2010)


def body(code: int, message: str = "") -> bytes:
    return msgspec.json.encode({"code": code, "msg": message})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        *((400, code, FailureClass.UNKNOWN) for code in UNKNOWN),
        *((503, code, FailureClass.UNKNOWN) for code in UNKNOWN),
        *((400, code, FailureClass.DEFINITE) for code in DEFINITE),
        (503, -1013, FailureClass.DEFINITE),
        (429, -1003, FailureClass.THROTTLED),
        (400, -1015, FailureClass.THROTTLED),
        (418, -1003, FailureClass.THROTTLED),
        *((400, code, FailureClass.NOT_AUTHORISED) for code in (-1002, -2014, -2015)),
        *((400, code, FailureClass.CANCEL_RACE) for code in (-2011, -2013, -2026)),
        (400, -9999, FailureClass.UNKNOWN),
        (409, -2021, FailureClass.UNKNOWN),
    ],
)
def test_a_code_of_the_venue_decides_the_class(status: int, code: int, kind: FailureClass) -> None:
    failure = failure_of(status, body(code))
    assert (failure.kind, failure.venue_code, failure.status) == (kind, code, status)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 502, 503, 504])
@pytest.mark.parametrize("text", [b"", b"<html>Bad Gateway</html>", b"{}", b"[]", b"\xff\xfe", b'{"code":"x","msg":1}'])
def test_an_answer_without_a_code_is_unknown(status: int, text: bytes) -> None:
    assert failure_of(status, text).kind is FailureClass.UNKNOWN


@pytest.mark.parametrize("status", [418, 429])
def test_too_many_requests_were_refused_whatever_the_body(status: int) -> None:
    assert failure_of(status, b"<html></html>").kind is FailureClass.THROTTLED


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Account has insufficient balance for requested action.", "venue.balance_too_small"),
        ("Order would trigger immediately.", "venue.would_trigger"),
        ("Stop price would trigger immediately.", "venue.would_trigger"),
        ("Order would immediately match and take.", "venue.would_match"),
        ("Market is closed.", "venue.market_closed"),
        ("This symbol is not permitted for this account.", "venue.not_permitted"),
        ("Something that nobody has seen yet.", "venue.refused"),
    ],
)
def test_a_refusal_of_the_engine_is_named_by_its_message(message: str, code: str) -> None:
    failure = failure_of(400, body(-2010, message))
    assert (failure.kind, failure.code) == (FailureClass.DEFINITE, code)


def test_a_duplicate_order_is_a_class_of_its_own_because_it_means_that_ours_lives() -> None:
    assert failure_of(400, body(-2010, "Duplicate order sent.")).kind is FailureClass.DUPLICATE
