"""Orders by hand, through the api to the real engine and back."""

from typing import Any

import pytest

from tests.database.api.product import BTC, Product

pytestmark = pytest.mark.anyio


async def test_an_order_by_hand_fills_and_is_read_back_everywhere_by_its_ids(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    await product.quote("100")
    await product.until_live()
    placed = await product.place()
    assert placed.status_code == 201, placed.text
    order_id = placed.json()["client_order_id"]
    assert placed.headers["location"] == f"/api/v1/orders/{order_id}"
    await product.open_at("100")
    order = await product.order(order_id)
    assert (order["status"], order["filled_quantity"], order["average_price"]) == ("filled", "0.1", "100")
    assert [state["status"] for state in order["states"]][-1] == "filled"
    (fill,) = order["fills"]
    by_id = (await product.client.get(f"/api/v1/fills/{fill['fill_id']}")).json()
    assert by_id == fill
    positions = (await product.client.get("/api/v1/positions")).json()["items"]
    assert [(each["symbol"], each["direction"]) for each in positions] == [(BTC, "long")]
    transfers = (await product.client.get("/api/v1/ledger", params={"trace_id": fill["trace_id"]})).json()["items"]
    assert any(transfer["fill_id"] == fill["fill_id"] for transfer in transfers)
    checks = await product.client.get("/api/v1/ledger/checks", params={"account_id": product.account.account_id})
    assert all(line["is_balanced"] for line in checks.json()["items"])
    assert (await product.client.get("/api/v1/risk")).status_code == 200


async def test_the_same_key_places_one_order_and_another_body_is_refused(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    await product.quote("100")
    first, again = await product.place("k"), await product.place("k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await product.place("k", quantity="0.2")
    assert (other.status_code, other.json()["code"]) == (409, "http.idempotency_key_reused")
    assert len((await product.client.get("/api/v1/orders")).json()["items"]) == 1


async def test_a_denial_is_a_409_with_its_code(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    await product.quote("100")
    locked = await product.client.post("/api/v1/kill-switch", json={"is_on": True, "reason": "lunch"})
    assert locked.status_code == 200, locked.text
    denied = await product.place()
    assert (denied.status_code, denied.json()["code"]) == (409, "risk.kill_switch_on")
    switch = (await product.client.get("/api/v1/risk")).json()["items"][0]["switch"]
    assert (switch["is_on"], switch["reason"]) == (True, "lunch")


async def test_without_an_engine_the_answer_is_202_and_the_decision_is_told_when_the_key_is_shown_again(
    lone: Product,
) -> None:
    await lone.log_in()
    placed = await lone.place()
    assert (placed.status_code, placed.json()["is_decided"]) == (202, False)
    await lone.start_engine()
    await lone.until_decided()
    again = await lone.place()
    assert (again.status_code, again.json()["code"]) == (409, "risk.mark_price_unknown")
    assert (await lone.client.get("/api/v1/orders")).json()["items"] == []


async def test_an_open_order_is_cancelled_by_its_id(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    await product.quote("100")
    placed = await product.place(type="limit", limit_price="90")
    order_id = placed.json()["client_order_id"]
    assert placed.status_code == 201, placed.text
    gone = await product.client.delete(f"/api/v1/orders/{order_id}")
    assert (gone.status_code, gone.json()["is_decided"]) == (202, True)
    await product.until_status(order_id, "cancelled")


WRONG_ORDERS: list[tuple[dict[str, Any], str]] = [
    ({"quantity": 0.1}, "quantity: must be written as a decimal string"),
    ({"quantity": "much"}, "quantity must be a decimal number"),
    ({"quantity": "-1"}, "quantity: Input should be greater than 0"),
    ({"symbol": "BTCUSDT"}, "symbol must look like BTC/USDT"),
    ({"symbol": "ABC/USDT"}, "simulator lists no symbol ABC/USDT."),
    ({"type": "limit"}, "limit_price is needed by a limit order."),
    ({"limit_price": "5"}, "limit_price makes no sense in a market order."),
    ({"post_only": True}, "post_only is only possible in a limit order."),
    ({"is_paper": False}, "is_paper: is not a field of this request; leave it out"),
    ({"account_id": "somebody-else"}, "No account 'somebody-else'."),
]


async def test_a_wrong_order_is_refused_in_a_sentence_that_names_the_field(lone: Product) -> None:
    await lone.log_in()
    for changes, sentence in WRONG_ORDERS:
        refused = await lone.place(**changes)
        assert refused.status_code in (404, 422)
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["detail"].startswith(sentence)


async def test_an_order_needs_an_idempotency_key(lone: Product) -> None:
    await lone.log_in()
    body = {"symbol": BTC, "side": "buy", "type": "market", "quantity": "0.1"}
    refused = await lone.client.post("/api/v1/orders", json=body)
    assert (refused.status_code, refused.json()["detail"]) == (422, "idempotency-key: is required")


async def test_pages_of_orders_neither_repeat_nor_lose_any(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    await product.quote("100")
    made = [
        (await product.place(f"k{number}", type="limit", limit_price="90", quantity="0.1")).json()["client_order_id"]
        for number in range(5)
    ]
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await product.client.get("/api/v1/orders", params=params)).json()
        seen += [order["client_order_id"] for order in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)
    one = await product.client.get("/api/v1/orders", params={"cursor": "x"})
    assert (one.status_code, one.json()["code"]) == (422, "execution.cursor_invalid")
