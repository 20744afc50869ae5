"""The manners of our HTTP: problems a program can act on, bounded bodies, safe headers, pages, and who is calling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Generic, Protocol, TypeVar

import structlog
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, PlainSerializer
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.domain.errors import Conflict, Forbidden, Invalid, NotFound, TidegateError, Unavailable
from tidegate.domain.ids import TenantId, UserId
from tidegate.kit.clock import SystemClock, rfc3339
from tidegate.kit.ids import new_id
from tidegate.kit.metrics import http_request_seconds

BODY_BYTES_MAX = 1024 * 1024
_REQUEST_ID_LENGTH_MAX = 64
_log = structlog.get_logger(__name__)
_clock = SystemClock()
T = TypeVar("T")

_STATUS: tuple[tuple[type[TidegateError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (Forbidden, 403),
    (Invalid, 422),
    (Unavailable, 503),
)
_SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Unauthenticated(Forbidden):
    """Nobody knows who is calling: answered with 401 instead of 403."""

    code = "http.unauthenticated"


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


DecimalText = Annotated[Decimal, PlainSerializer(_plain, return_type=str)]
"""A decimal that leaves as a string without exponent."""

Moment = Annotated[int, PlainSerializer(rfc3339, return_type=str)]
"""µs since the epoch that leave as RFC 3339 with milliseconds."""

PageLimit = Annotated[int, Query(ge=1, le=500, description="How many items at most.")]
PageCursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]


class Page(BaseModel, Generic[T]):
    """Some items; `next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None = None


class FieldProblem(BaseModel):
    """One field of the request that is wrong."""

    field: str
    detail: str


class Problem(BaseModel):
    """RFC 9457; `code` is stable, `detail` is one sentence for a person."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldProblem] = []
    request_id: str


PROBLEM_RESPONSES: dict[int | str, dict[str, object]] = {
    "4XX": {"model": Problem, "description": "The request cannot be served as it is."},
    "5XX": {"model": Problem, "description": "The request cannot be served now."},
}


# ── who is calling, and what wiring provides ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated user behind a request."""

    user_id: UserId
    tenant_id: TenantId
    role: str


class Callers(Protocol):
    """Knows who sent a request; accounts implements it, wiring provides it under this type."""

    async def caller_of(self, request: Request) -> Caller:
        """The caller, or `Unauthenticated`."""
        ...


def provided(kind: type[T]) -> Callable[[Request], T]:
    """A dependency, `Depends(provided(OrderReader))`: the object that wiring put into `app.state.provided`."""

    def find(request: Request) -> T:
        objects: Mapping[type[T], T] = request.app.state.provided
        return objects[kind]

    return find


async def current_caller(request: Request, callers: Annotated[Callers, Depends(provided(Callers))]) -> Caller:
    """A dependency: the caller, or a 401."""
    return await callers.caller_of(request)


CurrentCaller = Annotated[Caller, Depends(current_caller)]


# ── problems ────────────────────────────────────────────────────────────────────────────────────────────


def add_manners(app: FastAPI) -> None:
    """Problem answers for every error, and the outermost layer of each request."""
    app.add_exception_handler(TidegateError, _on_tidegate_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_bug)
    app.add_middleware(_Manners)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An `application/problem+json` answer."""
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        errors=errors or [],
        request_id=request.scope["state"]["request_id"],
    )
    return JSONResponse(body.model_dump(), status, headers=headers, media_type="application/problem+json")


async def _on_tidegate_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TidegateError)
    headers = {}
    if isinstance(error, Unauthenticated):
        status, headers = 401, {"www-authenticate": "Bearer"}
    else:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if isinstance(error, Unavailable):
        headers = {"retry-after": "1"}
    return problem(request, status, error.code, str(error), headers=headers)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    broken = next((one for one in error.errors() if one["type"] == "json_invalid"), None)
    if broken is not None:
        return problem(
            request, 422, "http.json_invalid", f"The body is no JSON: it breaks at character {broken['loc'][-1]}."
        )
    errors = [_field_problem(one) for one in error.errors()]
    detail = f"{errors[0].field}: {errors[0].detail}"
    return problem(request, 422, "http.request_invalid", detail, errors=errors)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = f"http.{HTTPStatus(error.status_code).name.lower()}"
    return problem(request, error.status_code, code, f"{error.detail}.", headers=error.headers)


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    _log.error("http.bug", path=request.url.path, exc_info=error)
    answer = problem(request, 500, "http.bug", "Something went wrong here; the log knows more under this request id.")
    _add_headers(answer.headers, request.scope["state"]["request_id"])
    return answer


def _field_problem(error: Mapping[str, object]) -> FieldProblem:
    place = error["loc"]
    assert isinstance(place, tuple)
    field = ".".join(str(part) for part in (place[1:] or place))
    if error["type"] == "extra_forbidden":
        return FieldProblem(field=field, detail="is not a field of this request; leave it out")
    if error["type"] == "missing":
        return FieldProblem(field=field, detail="is required")
    return FieldProblem(field=field, detail=str(error["msg"]).removeprefix("Value error, "))


# ── the outermost layer ─────────────────────────────────────────────────────────────────────────────────


class _Manners:
    """Request id, bound on the body, safe headers, and how long it took."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers.get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        started_s, status = _clock.monotonic_s(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, _bounded(receive, headers.get("content-length")), send_with_headers)
            finally:
                seconds = _clock.monotonic_s() - started_s
                http_request_seconds.labels(scope["method"], _route(scope), status).observe(seconds)


def _route(scope: Scope) -> str:
    """The path with its parameters' names for their values: a route knows only the part below its router."""
    if "route" not in scope:
        return "none"
    path: str = scope["path"]
    for name, value in reversed(scope["path_params"].items()):
        path = f"{{{name}}}".join(path.rsplit(str(value), 1))
    return path


def _bounded(receive: Receive, declared: str | None) -> Receive:
    received = int(declared) if declared and declared.isdigit() else 0
    is_declared = received > 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.request" and not is_declared:
            received += len(message.get("body", b""))
        if received > BODY_BYTES_MAX:
            raise HTTPException(413, f"The body is larger than {BODY_BYTES_MAX} bytes")
        return message

    return receive_bounded


def _request_id(given: str | None) -> str:
    is_sane = given is not None and len(given) <= _REQUEST_ID_LENGTH_MAX and given.replace("-", "").isalnum()
    return given if given is not None and is_sane and given.isascii() else new_id()


def _add_headers(headers: MutableHeaders, request_id: str) -> None:
    headers["x-request-id"] = request_id
    for name, value in _SECURITY_HEADERS.items():
        headers.setdefault(name, value)
