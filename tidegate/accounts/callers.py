"""From the headers of a request to its caller; the one place where reading and changing differ."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from tidegate.accounts.model import Role
from tidegate.accounts.service import Accounts, Identity
from tidegate.domain.errors import Forbidden
from tidegate.kit.http import Caller

SESSION_COOKIE = "tidegate_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER = "bearer "


class RequestCallers:
    """Bearer first, then the session cookie, which counts for changes only on our own pages."""

    def __init__(self, accounts: Accounts, *, origins: Collection[str] = ()) -> None:
        self._accounts = accounts
        self._origins = frozenset(origins)

    async def caller_of(self, request: Request) -> Caller:
        """The caller, or `Unauthenticated`; a viewer changes nothing."""
        is_safe = request.method in _SAFE_METHODS
        identity = await self.identify(request, needs_origin=not is_safe)
        if not is_safe and identity.caller.role == Role.VIEWER:
            raise Forbidden("This key or user may only read.", code="accounts.read_only")
        return identity.caller

    async def identify(self, connection: HTTPConnection, *, needs_origin: bool, bearer: str | None = None) -> Identity:
        """Who opened a connection; `bearer` is a token that came another way than in the headers."""
        given = connection.headers.get("authorization", "")
        if bearer is None and given[: len(_BEARER)].lower() == _BEARER:
            bearer = given[len(_BEARER) :].strip()
        session = connection.cookies.get(SESSION_COOKIE)
        identity = await self._accounts.identify(bearer=bearer, session=session)
        if bearer is None and needs_origin:
            self.check_origin(connection)
        return identity

    def check_origin(self, connection: HTTPConnection) -> None:
        """`Forbidden` unless the browser says that one of our own pages asks."""
        origin = connection.headers.get("origin", "")
        is_ours = urlsplit(origin).netloc == connection.headers.get("host") and origin not in ("", "null")
        if not is_ours and origin not in self._origins:
            raise Forbidden(
                f"Requests of a session must come from Tidegate's own pages, not from {origin or 'nowhere'!r};"
                " programs use an API key.",
                code="accounts.origin_refused",
            )
