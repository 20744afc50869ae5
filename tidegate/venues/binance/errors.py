"""What an answer that is no success means: the venue's code decides first, the HTTP status second."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from tidegate.domain.errors import Unavailable


class FailureClass(StrEnum):
    """What may be concluded from a failure."""

    DEFINITE = "definite"  # the venue refused: nothing happened
    UNKNOWN = "unknown"  # it may have happened
    THROTTLED = "throttled"  # refused for being too many: nothing happened, wait
    NOT_AUTHORISED = "not_authorised"  # refused for the key: nothing happened, repeating is in vain
    CANCEL_RACE = "cancel_race"  # no such open order: filled, dead or never there
    DUPLICATE = "duplicate"  # an open order has this client order id: it is ours and lives


_UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007, -1008, -1016})
_THROTTLED_CODES = frozenset({-1003, -1015})
_KEY_CODES = frozenset({-1002, -2014, -2015})
_RACE_CODES = frozenset({-2011, -2013, -2026})
_DEFINITE_CODES = frozenset({-1013, -1014, -1020, -1021, -1022, -2010, -2039})
_THROTTLED_STATUSES = frozenset({418, 429})
CLOCK_SKEWED = -1021
ORDER_UNKNOWN_CODES = frozenset({-2013, -2026})

_DUPLICATE = "duplicate order"
_ENGINE_REFUSALS = (
    ("insufficient balance", "venue.balance_too_small"),
    ("trigger immediately", "venue.would_trigger"),
    ("immediately match", "venue.would_match"),
    ("market is closed", "venue.market_closed"),
    ("not permitted", "venue.not_permitted"),
)
_OUR_CODES = {
    FailureClass.DEFINITE: "venue.refused",
    FailureClass.UNKNOWN: "venue.outcome_unknown",
    FailureClass.THROTTLED: "venue.throttled",
    FailureClass.NOT_AUTHORISED: "venue.not_authorised",
    FailureClass.CANCEL_RACE: "venue.order_not_open",
    FailureClass.DUPLICATE: "venue.order_duplicate",
}


class _Body(msgspec.Struct):
    code: int
    msg: str


_decoder = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Failure:
    """One answer that was no success, or its absence (status 0)."""

    kind: FailureClass
    code: str  # ours, stable
    detail: str
    status: int = 0
    venue_code: int | None = None


class RequestFailed(Unavailable):
    """A request got no good answer; `failure` says what that means."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail, code=failure.code)
        self.failure = failure


class PayloadUnreadable(Unavailable):
    """The venue sent something that lacks a field, or whose numbers cannot be true."""

    code = "venue.payload_unreadable"


def failure_of(status: int, body: bytes) -> Failure:
    """What an HTTP answer other than 2xx means."""
    try:
        told = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _failure(_class_by_status(status), status, None, f"HTTP {status} without a code of the venue")
    return told_failure(status, told.code, told.msg)


def told_failure(status: int, code: int, message: str) -> Failure:
    """What the venue's own code and message mean."""
    return _failure(_class_by_code(status, code, message), status, code, message)


def no_answer(detail: str) -> Failure:
    """A request that left, and no answer came."""
    return _failure(FailureClass.UNKNOWN, 0, None, detail)


def never_sent(detail: str) -> Failure:
    """A request that was held back here because of the venue's limits."""
    return _failure(FailureClass.THROTTLED, 0, None, detail)


def _failure(kind: FailureClass, status: int, code: int | None, message: str) -> Failure:
    detail = message if code is None else f"{message} ({code})"
    return Failure(kind, _our_code(kind, code, message.lower()), detail, status, code)


def _class_by_code(status: int, code: int, message: str) -> FailureClass:
    if code in _UNKNOWN_CODES:
        return FailureClass.UNKNOWN
    if code in _THROTTLED_CODES:
        return FailureClass.THROTTLED
    if code in _KEY_CODES:
        return FailureClass.NOT_AUTHORISED
    if code in _RACE_CODES:
        return FailureClass.CANCEL_RACE
    if code == -2010 and _DUPLICATE in message.lower():
        return FailureClass.DUPLICATE
    if code in _DEFINITE_CODES or -1199 <= code <= -1100:
        return FailureClass.DEFINITE
    return _class_by_status(status)


def _class_by_status(status: int) -> FailureClass:
    return FailureClass.THROTTLED if status in _THROTTLED_STATUSES else FailureClass.UNKNOWN


def _our_code(kind: FailureClass, code: int | None, message: str) -> str:
    if kind is not FailureClass.DEFINITE:
        return _OUR_CODES[kind]
    if code == CLOCK_SKEWED:
        return "venue.clock_skewed"
    if code == -1013:
        return "venue.filter_failed"
    if code == -2010:
        return next((ours for words, ours in _ENGINE_REFUSALS if words in message), _OUR_CODES[kind])
    return _OUR_CODES[kind]
