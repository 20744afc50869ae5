"""`/`: one page that a server writes and a browser only shows; it works without JavaScript and renews itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tidegate.accounts.callers import SESSION_COOKIE, RequestCallers
from tidegate.accounts.cookies import forget_session, remember_session
from tidegate.accounts.service import Accounts
from tidegate.app.overview import ORDERS_MAX, Overview
from tidegate.domain.errors import TidegateError
from tidegate.kit.http import Caller, Unauthenticated, provided
from tidegate.kit.ids import secret_token

REFRESH_S = 5
_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
router = APIRouter(include_in_schema=False)
People = Annotated[Accounts, Depends(provided(Accounts))]
Callers = Annotated[RequestCallers, Depends(provided(RequestCallers))]
Field = Annotated[str, Form(max_length=300)]


@router.get("/")
async def show(
    request: Request, people: People, callers: Callers, overview: Annotated[Overview, Depends(provided(Overview))]
) -> Response:
    """The overview; a form for who is not logged in, or for the first owner."""
    caller = await _caller(request, callers)
    if caller is not None:
        return _html("overview.html", {**await overview.of(caller.tenant_id), "orders_max": ORDERS_MAX}, REFRESH_S)
    return _entry(is_setup=await people.needs_setup())


@router.post("/setup")
async def set_up(
    request: Request, people: People, callers: Callers, *, token: Field, email: Field, password: Field
) -> Response:
    """Make the first owner and log in."""
    try:
        callers.check_origin(request)
        user = await people.set_up(token.strip(), email, password)
    except TidegateError as error:
        return _entry(is_setup=await people.needs_setup(), said=str(error), email=email)
    return _welcome(request, await people.open_session(user))


@router.post("/login")
async def log_in(request: Request, people: People, callers: Callers, email: Field, password: Field) -> Response:
    """Begin a session."""
    try:
        callers.check_origin(request)
        user = await people.log_in(email, password)
    except TidegateError as error:
        return _entry(is_setup=False, said=str(error), email=email)
    return _welcome(request, await people.open_session(user))


@router.post("/logout")
async def log_out(request: Request, people: People, callers: Callers) -> Response:
    """End this session."""
    callers.check_origin(request)
    await people.close_session(request.cookies.get(SESSION_COOKIE, ""))
    answer = RedirectResponse("/", 303)
    forget_session(answer)
    return answer


async def _caller(request: Request, callers: RequestCallers) -> Caller | None:
    try:
        return await callers.caller_of(request)
    except Unauthenticated:
        return None


def _welcome(request: Request, token: str) -> Response:
    answer = RedirectResponse("/", 303)
    remember_session(answer, request, token)
    return answer


def _entry(*, is_setup: bool, said: str = "", email: str = "") -> Response:
    status = 400 if said else 200
    return _html("entry.html", {"is_setup": is_setup, "said": said, "email": email}, None, status)


def _html(template: str, shown: Mapping[str, Any], refresh_s: int | None, status: int = 200) -> Response:
    nonce = secret_token(12)
    body = _pages.get_template(template).render(**shown, refresh_s=refresh_s, nonce=nonce)
    headers = {
        "content-security-policy": (
            f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self';"
            " frame-ancestors 'none'; base-uri 'none'"
        ),
        # Under `no-referrer` browsers send no origin with a form, and without one a session changes nothing.
        "referrer-policy": "same-origin",
    }
    return HTMLResponse(body, status, headers=headers)
