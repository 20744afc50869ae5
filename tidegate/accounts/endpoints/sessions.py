"""/api/v1/sessions: logging in and out with a cookie."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from tidegate.accounts.callers import SESSION_COOKIE
from tidegate.accounts.cookies import forget_session, remember_session
from tidegate.accounts.schemas import LoginIn, UserOut
from tidegate.accounts.service import Accounts
from tidegate.kit.http import CurrentCaller, provided

router = APIRouter()
Service = Annotated[Accounts, Depends(provided(Accounts))]


@router.post("", status_code=201)
async def log_in(request: Request, response: Response, accounts: Service, body: LoginIn) -> UserOut:
    """Begin a session; the answer sets its cookie."""
    user = await accounts.log_in(body.email, body.password.get_secret_value())
    remember_session(response, request, await accounts.open_session(user))
    return UserOut.model_validate(user)


@router.get("/current")
async def get_current_user(caller: CurrentCaller, accounts: Service) -> UserOut:
    """Who is logged in."""
    return UserOut.model_validate(await accounts.user(caller))


@router.delete("/current", status_code=204)
async def log_out(caller: CurrentCaller, request: Request, response: Response, accounts: Service) -> None:
    """End this session."""
    await accounts.close_session(request.cookies.get(SESSION_COOKIE, ""))
    forget_session(response)


@router.delete("", status_code=204)
async def log_out_everywhere(caller: CurrentCaller, response: Response, accounts: Service) -> None:
    """End every session and access token of the caller."""
    await accounts.close_all_sessions(caller)
    forget_session(response)
