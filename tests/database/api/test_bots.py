"""Bots: five verbs with their legal transitions, through the real engine."""

from typing import Any

import pytest

from tests.database.api.product import Product

pytestmark = pytest.mark.anyio


async def a_bot(product: Product, **changes: Any) -> dict[str, Any]:
    body = {"name": "one", "symbol": "BTC-USDT", "timeframe": "5m", "strategy": "ema_cross"} | changes
    made = await product.client.post("/api/v1/bots", json=body)
    assert made.status_code == 201, made.text
    shown: dict[str, Any] = made.json()
    return shown


async def test_a_bot_is_created_stopped_then_started_paused_and_stopped(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    bot = await a_bot(product, parameters={"fast": 5, "slow": 9}, sizing={"kind": "fixed", "value": "0.5"})
    assert (bot["state"], bot["symbol"], bot["sizing"]["value"]) == ("stopped", "BTC/USDT", "0.5")
    path = f"/api/v1/bots/{bot['bot_id']}"
    for verb, state in (("start", "running"), ("pause", "paused"), ("start", "running"), ("stop", "stopped")):
        answer = await product.client.post(f"{path}/{verb}")
        assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
    again = await product.client.post(f"{path}/stop")
    assert (again.status_code, again.json()["code"]) == (409, "bots.illegal_transition")
    assert (await product.client.get(path)).json()["parameters"] == {"fast": 5, "slow": 9}
    assert (await product.client.get(f"{path}/decisions")).json() == {"items": [], "next_cursor": None}


async def test_a_clone_is_a_stopped_copy_under_another_name(product: Product) -> None:
    await product.log_in()
    bot = await a_bot(product, take_profit_pct=None)
    copy = (await product.client.post(f"/api/v1/bots/{bot['bot_id']}/clone")).json()
    assert (copy["name"], copy["state"], copy["take_profit_pct"]) == ("one copy", "stopped", None)
    taken = await product.client.post(f"/api/v1/bots/{bot['bot_id']}/clone", json={"name": "one"})
    assert (taken.status_code, taken.json()["code"]) == (409, "bots.name_taken")
    names = [each["name"] for each in (await product.client.get("/api/v1/bots")).json()["items"]]
    assert names == ["one copy", "one"]


WRONG_BOTS: list[tuple[dict[str, Any], str]] = [
    ({"symbol": "ABC/USDT"}, "ABC/USDT"),
    ({"timeframe": "7x"}, "timeframe"),
    ({"strategy": "martingale"}, "martingale"),
    ({"parameters": {"fats": 3}}, "fats"),
    ({"stop_loss_pct": "150"}, "stop_loss_pct"),
    ({"sizing": {"kind": "percent", "value": "200"}}, "sizing value"),
    ({"stop_loss": "1"}, "stop_loss: is not a field"),
    ({"name": ""}, "name"),
]


async def test_a_wrong_bot_is_refused_in_a_sentence_that_names_what_is_wrong(lone: Product) -> None:
    await lone.log_in()
    for changes, named in WRONG_BOTS:
        body = {"name": "one", "symbol": "BTC/USDT", "timeframe": "5m", "strategy": "ema_cross"} | changes
        refused = await lone.client.post("/api/v1/bots", json=body)
        assert refused.status_code in (404, 422), refused.text
        assert named in refused.json()["detail"]
