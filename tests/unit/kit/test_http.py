import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from tidegate.domain.errors import Conflict, Forbidden, Invalid, NotFound, TidegateError, Unavailable
from tidegate.domain.ids import TenantId, UserId
from tidegate.kit.http import (
    BODY_BYTES_MAX,
    PROBLEM_RESPONSES,
    Caller,
    Callers,
    CurrentCaller,
    DecimalText,
    Moment,
    Page,
    PageCursor,
    PageLimit,
    Unauthenticated,
    add_manners,
    provided,
)
from tidegate.kit.metrics import exposition

ERRORS: dict[str, TidegateError] = {
    "missing": NotFound("No such toy.", code="toys.unknown"),
    "taken": Conflict("The toy is taken.", code="toys.taken"),
    "not-yours": Forbidden("The toy is not yours.", code="toys.not_yours"),
    "wrong": Invalid("A toy has no wings.", code="toys.wings"),
    "busy": Unavailable("The toy box is busy.", code="toys.busy"),
}


class ToyIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    price: Decimal = Field(gt=0)


class ToyOut(BaseModel):
    price: DecimalText
    made_at: Moment


class ToyBox:
    def toys(self) -> list[ToyOut]:
        return [ToyOut(price=Decimal("1E+2"), made_at=1_723_075_200_999_999)]


class Bearers:
    async def caller_of(self, request: Request) -> Caller:
        if request.headers.get("authorization") != "Bearer ada":
            raise Unauthenticated("Send a bearer token.")
        return Caller(UserId("ada"), TenantId("home"), "owner")


router = APIRouter()


@router.get("/toys")
async def toys(
    box: Annotated[ToyBox, Depends(provided(ToyBox))], limit: PageLimit = 50, cursor: PageCursor = None
) -> Page[ToyOut]:
    return Page(items=box.toys()[:limit], next_cursor=cursor)


@router.post("/toys")
async def make(toy: ToyIn) -> ToyOut:
    return ToyOut(price=toy.price, made_at=0)


@router.get("/errors/{name}")
async def fail(name: str) -> None:
    raise ERRORS[name]


@router.get("/me")
async def me(caller: CurrentCaller) -> str:
    return caller.user_id


class Client:
    """Asks the application without a socket."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        json: dict[str, object] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://toys") as client:
                return await client.request(method, path, headers=headers, json=json, content=content)

        return asyncio.run(send())

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.request("GET", path, headers=headers)


@pytest.fixture
def client() -> Client:
    app = FastAPI(responses=PROBLEM_RESPONSES)
    add_manners(app)
    app.include_router(router, prefix="/api/v1")
    app.state.provided = {ToyBox: ToyBox(), Callers: Bearers()}
    return Client(app)


@pytest.mark.parametrize(
    ("name", "status"), [("missing", 404), ("taken", 409), ("not-yours", 403), ("wrong", 422), ("busy", 503)]
)
def test_each_kind_of_error_has_its_status_and_keeps_its_code(client: Client, name: str, status: int) -> None:
    answer = client.get(f"/api/v1/errors/{name}", headers={"x-request-id": "r-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["detail"]) == (status, ERRORS[name].code, str(ERRORS[name]))
    assert problem["request_id"] == answer.headers["x-request-id"] == "r-1"


def test_what_is_unavailable_may_be_tried_again_soon(client: Client) -> None:
    assert client.get("/api/v1/errors/busy").headers["retry-after"] == "1"


def test_a_bug_is_a_500_without_its_story(client: Client) -> None:
    answer = client.get("/api/v1/errors/a-key-that-is-not-there")
    assert answer.status_code == 500
    assert answer.json()["code"] == "http.bug"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "KeyError" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ({"price": "0"}, "price", "Input should be greater than 0"),
        ({}, "price", "is required"),
        ({"price": "1", "wings": 2}, "wings", "is not a field of this request; leave it out"),
    ],
)
def test_a_wrong_body_names_the_field_and_the_fix(
    client: Client, body: dict[str, object], field: str, detail: str
) -> None:
    answer = client.request("POST", "/api/v1/toys", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "http.request_invalid"
    assert answer.json()["errors"] == [{"field": field, "detail": detail}]
    assert answer.json()["detail"] == f"{field}: {detail}"


def test_a_wrong_query_names_the_parameter(client: Client) -> None:
    assert client.get("/api/v1/toys?limit=501").json()["errors"] == [
        {"field": "limit", "detail": "Input should be less than or equal to 500"}
    ]


def test_a_body_that_is_no_json_is_a_problem_too(client: Client) -> None:
    answer = client.request("POST", "/api/v1/toys", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "http.json_invalid")
    assert answer.json()["detail"] == "The body is no JSON: it breaks at character 1."


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/api/v1/toys", 405)])
def test_unknown_paths_and_methods_are_problems(client: Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["code"] == {404: "http.not_found", 405: "http.method_not_allowed"}[status]


def test_a_body_above_the_bound_is_refused_whether_it_says_so_or_not(client: Client) -> None:
    large = b'{"price": "1", "padding": "' + b"x" * BODY_BYTES_MAX + b'"}'
    headers = {"content-type": "application/json"}

    async def in_pieces() -> AsyncIterator[bytes]:
        yield large[: 2**19]
        yield large[2**19 :]

    declared = client.request("POST", "/api/v1/toys", content=large, headers=headers)
    streamed = client.request("POST", "/api/v1/toys", content=in_pieces(), headers=headers)
    assert declared.status_code == streamed.status_code == 413
    assert streamed.json()["code"].startswith("http.")


def test_every_answer_carries_safe_headers_and_a_request_id(client: Client) -> None:
    headers = client.get("/api/v1/toys").headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "no-referrer"
    assert len(headers["x-request-id"]) == 36


def test_a_strange_request_id_is_replaced(client: Client) -> None:
    for strange in ("x" * 65, 'a"b', ""):
        assert client.get("/api/v1/toys", headers={"x-request-id": strange}).headers["x-request-id"] != strange


def test_a_page_carries_plain_decimals_and_rfc3339_times(client: Client) -> None:
    assert client.get("/api/v1/toys?cursor=abc").json() == {
        "items": [{"price": "100", "made_at": "2024-08-08T00:00:00.999Z"}],
        "next_cursor": "abc",
    }


def test_a_caller_is_known_or_asked_to_say_who_he_is(client: Client) -> None:
    assert client.get("/api/v1/me", headers={"authorization": "Bearer ada"}).json() == "ada"
    stranger = client.get("/api/v1/me")
    assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, "Bearer")
    assert stranger.json()["code"] == "http.unauthenticated"


def test_requests_are_counted_by_route_not_by_path(client: Client) -> None:
    client.get("/api/v1/errors/taken")
    counted = exposition().decode()
    assert 'route="/api/v1/errors/{name}",status="409"' in counted
    assert "/errors/taken" not in counted


def test_the_contract_says_what_a_problem_looks_like(client: Client) -> None:
    contract = client.get("/openapi.json").json()
    assert {"4XX", "5XX"} <= set(contract["paths"]["/api/v1/toys"]["post"]["responses"])
    assert "Problem" in contract["components"]["schemas"]
    assert "HTTPValidationError" not in contract["components"]["schemas"]
