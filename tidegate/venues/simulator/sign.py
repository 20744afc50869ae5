"""Who asks: API keys, HMAC signatures over the bytes as they came, and the window in which a request counts."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.ids import AccountId
from tidegate.venues.simulator.wire import Params, WireError, decimal_of, missing

RECEIVE_WINDOW_MS = 5_000
RECEIVE_WINDOW_MS_MAX = 60_000
AHEAD_MS_MAX = 1_000
_SIGNATURE = re.compile(rb"(^|&)signature=[^&]*")
_NO_KEY = WireError(-2014, "API-key format invalid.", status=401)


@dataclass(frozen=True, slots=True)
class Credential:
    """One API key and the account it opens."""

    key: str
    secret: str

    @property
    def account_id(self) -> AccountId:
        """An account here has one key and is named by it."""
        return AccountId(self.key)


class Keys:
    """All API keys of this exchange."""

    def __init__(self, credentials: tuple[Credential, ...]) -> None:
        self._by_key = {credential.key: credential for credential in credentials}

    def credential(self, key: str | None) -> Credential:
        """The credential of a key; -2014 without one, -2015 for one that nobody knows."""
        if not key:
            raise _NO_KEY
        found = self._by_key.get(key)
        if found is None:
            raise WireError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return found


def check_rest(credential: Credential, query: bytes, body: bytes, params: Params, now_ms: int) -> None:
    """The signature of query and body joined without a separator, then the time window."""
    given = params.text("signature") if params.has("signature") else ""
    if not given:
        raise missing("signature")
    _check_signature(credential.secret, unsigned(query) + unsigned(body), given)
    check_window(params, now_ms)


def check_ws(credential: Credential, values: Mapping[str, str], now_ms: int) -> None:
    """The signature of all parameters sorted by name, values raw, then the time window."""
    params = Params(values)
    given = params.text("signature")
    payload = "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")
    _check_signature(credential.secret, payload.encode(), given)
    check_window(params, now_ms)


def unsigned(raw: bytes) -> bytes:
    """A query or body without its signature parameter, otherwise byte for byte."""
    return (
        _SIGNATURE.sub(b"", raw, count=1).lstrip(b"&")
        if raw.startswith(b"signature=")
        else _SIGNATURE.sub(b"", raw, count=1)
    )


def check_window(params: Params, now_ms: int) -> None:
    """-1021 unless the request was made no more than `recvWindow` ms ago and not ahead of the clock."""
    text = params.text_or("recvWindow", str(RECEIVE_WINDOW_MS))
    window = decimal_of(text)
    if window is None or window < 0:
        raise missing("recvWindow")
    if window > RECEIVE_WINDOW_MS_MAX:
        raise WireError(-1131, "recvWindow must be less than 60000.")
    made_at_us = params.time_or_none("timestamp")
    if made_at_us is None:
        raise missing("timestamp")
    made_at = Decimal(made_at_us) / 1_000
    if made_at >= now_ms + AHEAD_MS_MAX:
        raise WireError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - made_at > window:
        raise WireError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _check_signature(secret: str, payload: bytes, given: str) -> None:
    expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.lower().encode()):
        raise WireError(-1022, "Signature for this request is not valid.")
