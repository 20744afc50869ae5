"""The session cookie: no script reads it, no other site sends it with a change."""

from starlette.requests import Request
from starlette.responses import Response

from tidegate.accounts.callers import SESSION_COOKIE
from tidegate.accounts.service import SESSION_S


def remember_session(response: Response, request: Request, token: str) -> None:
    """Set the cookie; over HTTPS it never travels without."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=SESSION_S,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def forget_session(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
