"""Signatures, parameters and limits by themselves; the vectors are those of the venue's documentation."""

import pytest

from tidegate.venues.simulator.limits import Limits
from tidegate.venues.simulator.sign import Credential, check_rest, check_ws, unsigned
from tidegate.venues.simulator.wire import Params, WireError

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
KEY = Credential("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", SECRET)
PAYLOAD = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
)
SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
NOW_MS = 1_499_827_319_559


def params(query: str) -> Params:
    return Params(dict(pair.split("=") for pair in query.split("&")))


@pytest.mark.parametrize("letters", [SIGNATURE, SIGNATURE.upper()])
def test_the_documented_signature_is_accepted_in_query_or_body(letters: str) -> None:
    signed = f"{PAYLOAD}&signature={letters}"
    check_rest(KEY, signed.encode(), b"", params(signed), NOW_MS)
    check_rest(KEY, b"", signed.encode(), params(signed), NOW_MS)


def test_query_and_body_are_joined_without_a_separator() -> None:
    query, body = PAYLOAD[:60], PAYLOAD[60:]
    signed_body = f"{body}&signature={SIGNATURE}"
    check_rest(KEY, query.encode(), signed_body.encode(), params(f"{PAYLOAD}&signature={SIGNATURE}"), NOW_MS)


def test_the_signature_covers_the_bytes_as_they_were_sent() -> None:
    signature = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"
    query = PAYLOAD.replace("LTCBTC", "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96")
    signed = f"{query}&signature={signature}"
    check_rest(KEY, signed.encode(), b"", params(signed), NOW_MS)
    with pytest.raises(WireError, match="Signature"):
        check_rest(KEY, signed.replace("%EF", "%ef").encode(), b"", params(signed), NOW_MS)


def test_the_signature_is_taken_out_wherever_it_stands() -> None:
    assert unsigned(b"a=1&signature=x&b=2") == b"a=1&b=2"
    assert unsigned(b"signature=x&b=2") == b"b=2"
    assert unsigned(b"a=1&signature=x") == b"a=1"
    assert unsigned(b"a=1&mysignature=x") == b"a=1&mysignature=x"


def test_websocket_parameters_are_signed_in_name_order() -> None:
    values = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "newOrderRespType": "ACK",
        "recvWindow": "100",
        "timestamp": "1645423376532",
        "apiKey": KEY.key,
    }
    signature = "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a"
    check_ws(KEY, values | {"signature": signature}, 1_645_423_376_532)
    with pytest.raises(WireError) as refused:
        check_ws(KEY, values | {"signature": signature, "price": "52000.01"}, 1_645_423_376_532)
    assert refused.value.code == -1022


@pytest.mark.parametrize(("late_ms", "is_allowed"), [(5_000, True), (5_001, False), (-999, True), (-1_000, False)])
def test_the_window_is_exact_at_its_bounds(late_ms: int, is_allowed: bool) -> None:
    signed = f"{PAYLOAD}&signature={SIGNATURE}"
    if is_allowed:
        check_rest(KEY, signed.encode(), b"", params(signed), NOW_MS + late_ms)
    else:
        with pytest.raises(WireError) as refused:
            check_rest(KEY, signed.encode(), b"", params(signed), NOW_MS + late_ms)
        assert refused.value.code == -1021


def test_weight_above_the_limit_is_refused_until_the_minute_ends() -> None:
    limits = Limits(1)
    limits.spend(6_000, 60_000)
    with pytest.raises(WireError) as refused:
        limits.spend(1, 90_000)
    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (429, -1003, 30)
    limits.spend(6_000, 120_000)


def test_who_goes_on_regardless_is_banned() -> None:
    limits = Limits(1)
    limits.spend(6_000, 60_000)
    statuses = []
    for _ in range(30):
        with pytest.raises(WireError) as refused:
            limits.spend(1, 60_001)
        statuses.append(refused.value.status)
    assert statuses[0] == 429
    assert statuses[-1] == 418
    limits.spend(1, 60_001 + 120_000)


def test_orders_are_limited_by_account_and_given_back_when_they_fill() -> None:
    limits = Limits(1)
    me, other = KEY.account_id, Credential("other", "").account_id
    limits.count_orders(me, 100, 10_000)
    with pytest.raises(WireError) as refused:
        limits.check_orders(me, 10_001)
    assert (refused.value.status, refused.value.code) == (429, -1015)
    limits.check_orders(other, 10_001)
    limits.count_orders(me, -1, 10_002)
    limits.check_orders(me, 10_003)
    limits.check_orders(me, 20_000)
