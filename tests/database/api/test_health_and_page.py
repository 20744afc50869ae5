"""What health says when something breaks, and what the page shows to whom."""

import re

import pytest

from tests.database.api.product import BTC, EMAIL, PASSWORD, Product
from tests.waiting import eventually
from tidegate.app.health import HealthMonitor

pytestmark = pytest.mark.anyio


async def test_readiness_needs_database_and_bus_and_nothing_else(lone: Product) -> None:
    assert (await lone.client.get("/healthz")).json() == {"status": "ok"}
    ready = await lone.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    health = (await lone.client.get("/api/v1/health")).json()
    found = {each["name"]: each["status"] for each in health["components"]}
    assert found == {"bus": "ok", "database": "ok", "engine": "down", f"feed:{BTC}": "degraded"}


async def test_an_engine_that_leases_and_a_feed_that_speaks_make_the_whole_well(lone: Product) -> None:
    await lone.start_engine()
    await lone.quote("100")
    await lone.until_live()
    monitor: HealthMonitor = lone.api.app.state.provided[HealthMonitor]
    await monitor.look()
    assert (await lone.client.get("/readyz")).json() == {"status": "ok"}


async def test_a_visitor_is_asked_to_set_up_and_then_to_log_in(lone: Product) -> None:
    first = await lone.client.get("/")
    assert "Set-up token" in first.text
    wrong = {"token": "x", "email": "<b>@example.org", "password": PASSWORD}
    refused = await lone.client.post("/setup", data=wrong)
    assert refused.status_code == 400
    assert "<b>" not in refused.text
    made = await lone.client.post("/setup", data=wrong | {"token": lone.setup_token, "email": EMAIL})
    assert (made.status_code, made.headers["location"]) == (303, "/")
    assert "No bot yet" in (await lone.client.get("/")).text
    await lone.client.post("/logout")
    assert "Log in" in (await lone.client.get("/")).text
    assert (await lone.client.post("/login", data={"email": EMAIL, "password": PASSWORD})).status_code == 303


async def test_the_page_shows_candles_bots_orders_books_and_renews_itself_without_a_script(product: Product) -> None:
    await product.start_engine()
    await product.log_in()
    await product.quote("100")
    for minute in range(3):
        await product.candle(minute, f"10{minute}")
    await product.until_live()
    body = {"name": "<i>mine</i>", "symbol": BTC, "timeframe": "1m", "strategy": "ema_cross"}
    assert (await product.client.post("/api/v1/bots", json=body)).status_code == 201
    await product.place()
    await product.open_at("100")
    page = await product.client.get("/")
    assert page.status_code == 200
    assert 'http-equiv="refresh"' in page.text
    assert "<script" not in page.text
    assert "&lt;i&gt;mine&lt;/i&gt;" in page.text
    assert "filled" in page.text
    assert "books balanced" in page.text
    assert page.text.count("<rect x=") == 3
    assert "s old" in page.text
    policy = page.headers["content-security-policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None
    assert f'<style nonce="{nonce[1]}">' in page.text
    assert "script-src" not in policy
    assert page.headers["referrer-policy"] == "same-origin"


async def test_a_form_of_another_site_logs_nobody_in(lone: Product) -> None:
    await lone.log_in()
    lone.client.cookies.clear()
    answer = await lone.client.post(
        "/login", data={"email": EMAIL, "password": PASSWORD}, headers={"origin": "http://evil.example"}
    )
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


async def test_services_stop_in_the_reverse_of_the_order_in_which_they_started(lone: Product) -> None:
    services = lone.api.services
    await eventually(lambda: len(services.started) == 5, what="all services run")
    assert services.started == ["market", "decisions", "market channels", "account channels", "health monitor"]
