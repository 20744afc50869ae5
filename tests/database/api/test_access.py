"""Every route, generated from the application: nobody gets in without a caller, nobody sees another tenant's things."""

import pytest

from tests.database.api.product import Product
from tidegate.accounts.model import Scope, TradingAccount
from tidegate.accounts.repository import Founding
from tidegate.accounts.service import ApiKeys
from tidegate.domain.ids import AccountId, Environment, TenantId
from tidegate.kit.clock import SystemClock

pytestmark = pytest.mark.anyio
# Whoever adds a route here says that it needs no caller.
OPEN = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/api/v1/health"),
    ("get", "/api/v1/setup"),
    ("post", "/api/v1/setup"),
    ("post", "/api/v1/sessions"),
    ("post", "/api/v1/tokens"),
}


def routes(product: Product) -> list[tuple[str, str]]:
    paths = product.api.app.openapi()["paths"]
    return sorted((method, path) for path, methods in paths.items() for method in methods)


async def test_every_route_but_the_listed_ones_needs_a_caller(lone: Product) -> None:
    known = routes(lone)
    assert set(known) >= OPEN
    for method, path in known:
        answer = await lone.client.request(method, path.replace("{", "").replace("}", ""), json={})
        if (method, path) in OPEN:
            assert answer.status_code != 401, (method, path)
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "http.unauthenticated"), (method, path)


async def test_another_tenant_finds_nothing_of_ours_by_any_id(lone: Product) -> None:
    await lone.start_engine()
    await lone.log_in()
    await lone.quote("100")
    order_id = (await lone.place()).json()["client_order_id"]
    await lone.open_at("100")
    body = {"name": "b", "symbol": "BTC/USDT", "timeframe": "1m", "strategy": "ema_cross"}
    bot_id = (await lone.client.post("/api/v1/bots", json=body)).json()["bot_id"]
    ids = {
        "account_id": lone.account.account_id,
        "bot_id": bot_id,
        "client_order_id": order_id,
        "fill_id": (await lone.client.get("/api/v1/fills")).json()["items"][0]["fill_id"],
        "key_id": (await lone.client.get("/api/v1/api-keys")).json()["items"][0]["key_id"],
        "trade_id": "any",
        "transfer_id": (await lone.client.get("/api/v1/ledger")).json()["items"][0]["id"],
        "name": "ema_cross",
    }
    stranger = await a_stranger(lone)
    for method, path in routes(lone):
        if "{" not in path or path == "/api/v1/strategies/{name}":
            continue
        answer = await lone.client.request(method, path.format(**ids), json={}, headers=stranger)
        # Keys are the owner's business: a stranger's trading key may not even ask.
        assert answer.status_code == (403 if "api-keys" in path else 404), (method, path, answer.text)
    for path in ("orders", "fills", "positions", "trades", "bots", "balances", "ledger", "risk"):
        shown = (await lone.client.get(f"/api/v1/{path}", headers=stranger)).json()["items"]
        assert all(ids["account_id"] != each.get("account_id") for each in shown), path
    assert (await lone.order(order_id))["status"] == "filled"


async def a_stranger(product: Product) -> dict[str, str]:
    """The key of another tenant; the session cookie is put away."""
    clock, tenant = SystemClock(), TenantId("00000000-ffff")
    account = TradingAccount(AccountId("theirs"), tenant, "theirs", "simulator", Environment.SIMULATION, clock.now_us())
    await Founding(product.database).found(tenant, "Others", [account], clock.now_us())
    _, secret = await ApiKeys(product.database, clock=clock).issue(tenant, "theirs", Scope.TRADE)
    return {"authorization": f"Bearer {secret}"}
