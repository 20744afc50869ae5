"""Set-up, sessions, tokens and keys: who is let in, and for how long."""

import pytest

from tests.database.api.product import EMAIL, ORIGIN, PASSWORD, Product

pytestmark = pytest.mark.anyio


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


async def test_the_set_up_token_makes_one_owner_and_no_second(product: Product) -> None:
    assert (await product.client.get("/api/v1/setup")).json() == {"is_needed": True}
    body = {"token": "guessed", "email": EMAIL, "password": PASSWORD}
    assert (await product.client.post("/api/v1/setup", json=body)).status_code == 403
    made = await product.client.post("/api/v1/setup", json=body | {"token": product.setup_token})
    assert (made.status_code, made.json()["role"]) == (201, "owner")
    again = await product.client.post("/api/v1/setup", json=body | {"token": product.setup_token})
    assert (again.status_code, again.json()["code"]) == (409, "accounts.set_up_already")
    assert (await product.client.get("/api/v1/setup")).json() == {"is_needed": False}


async def test_a_wrong_set_up_is_refused_in_a_sentence(lone: Product) -> None:
    right = {"token": lone.setup_token, "email": EMAIL, "password": PASSWORD}
    for changes, sentence in (
        ({"email": "nobody"}, "email must be an address such as you@example.org."),
        ({"password": "short"}, "password must have 10 to 256 characters."),
        ({"role": "owner"}, "role: is not a field of this request; leave it out"),
    ):
        refused = await lone.client.post("/api/v1/setup", json=right | changes)
        assert (refused.status_code, refused.json()["detail"]) == (422, sentence)


async def test_a_session_ends_with_its_log_out(product: Product) -> None:
    await product.log_in()
    cookie = dict(product.client.cookies)
    assert (await product.client.get("/api/v1/sessions/current")).json()["email"] == EMAIL
    assert (await product.client.delete("/api/v1/sessions/current")).status_code == 204
    product.client.cookies.update(cookie)
    refused = await product.client.get("/api/v1/sessions/current")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")


async def test_the_session_cookie_is_kept_from_scripts_and_other_sites(lone: Product) -> None:
    body = {"token": lone.setup_token, "email": EMAIL, "password": PASSWORD}
    await lone.client.post("/api/v1/setup", json=body)
    opened = await lone.client.post("/api/v1/sessions", json={"email": EMAIL, "password": PASSWORD})
    cookie = opened.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_a_session_changes_nothing_for_another_sites_page(lone: Product) -> None:
    await lone.log_in()
    for origin in ("http://evil.example", "null", ""):
        refused = await lone.client.post("/api/v1/api-keys", json={"name": "k"}, headers={"origin": origin})
        assert (refused.status_code, refused.json()["code"]) == (403, "accounts.origin_refused")
    allowed = await lone.client.post("/api/v1/api-keys", json={"name": "k"}, headers={"origin": ORIGIN})
    assert allowed.status_code == 201


async def test_the_wrong_password_and_the_wrong_address_get_the_same_answer(lone: Product) -> None:
    await lone.log_in()
    wrong = [{"email": EMAIL, "password": "not the password"}, {"email": "other@example.org", "password": PASSWORD}]
    answers = [await lone.client.post("/api/v1/sessions", json=body) for body in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["detail"] for answer in answers}) == 1


async def test_an_access_token_ends_when_its_user_logs_out_everywhere(product: Product) -> None:
    await product.log_in()
    made = await product.client.post("/api/v1/tokens", json={"email": EMAIL, "password": PASSWORD})
    token = made.json()["access_token"]
    assert made.json()["expires_in_s"] <= 600
    assert (await product.client.delete("/api/v1/sessions", headers=bearer(token))).status_code == 204
    product.client.cookies.clear()
    assert (await product.client.get("/api/v1/orders", headers=bearer(token))).status_code == 401


async def test_a_key_that_may_read_changes_nothing_and_ends_when_it_is_revoked(product: Product) -> None:
    await product.log_in()
    made = (await product.client.post("/api/v1/api-keys", json={"name": "graphs"})).json()
    listed = (await product.client.get("/api/v1/api-keys")).json()["items"]
    assert "secret" not in str(listed)
    cookies = dict(product.client.cookies)
    product.client.cookies.clear()
    key = bearer(made["secret"])
    assert (await product.client.get("/api/v1/orders", headers=key)).status_code == 200
    refused = await product.client.post("/api/v1/kill-switch", json={"is_on": True}, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "accounts.read_only")
    product.client.cookies.update(cookies)
    assert (await product.client.delete(f"/api/v1/api-keys/{made['key_id']}")).status_code == 204
    product.client.cookies.clear()
    assert (await product.client.get("/api/v1/orders", headers=key)).status_code == 401


async def test_a_key_that_trades_makes_no_other_keys(lone: Product) -> None:
    await lone.log_in()
    made = (await lone.client.post("/api/v1/api-keys", json={"name": "bot", "scope": "trade"})).json()
    lone.client.cookies.clear()
    refused = await lone.client.post("/api/v1/api-keys", json={"name": "more"}, headers=bearer(made["secret"]))
    assert (refused.status_code, refused.json()["code"]) == (403, "accounts.owner_needed")


async def test_nothing_that_was_given_is_stored_as_it_was(lone: Product) -> None:
    await lone.log_in()
    made = (await lone.client.post("/api/v1/api-keys", json={"name": "k"})).json()
    session = lone.client.cookies["tidegate_session"]
    folder = lone.settings.data_dir
    stored = b"".join(file.read_bytes() for file in folder.glob("tidegate.db*"))
    for secret in (PASSWORD, made["secret"], session, lone.setup_token):
        assert secret.encode() not in stored
