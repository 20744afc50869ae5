"""The way from the command line to the running product: its HTTP API, with the key of this machine or a given one."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

import typer

from tidegate.app.running import running_in
from tidegate.app.settings import Settings, load_settings
from tidegate.domain.errors import Conflict, Forbidden, Invalid, NotFound, TidegateError, Unavailable

ANSWER_WITHIN_S = 10.0
Url = Annotated[str | None, typer.Option("--url", help="The running Tidegate; without it the one of the data folder.")]
_KINDS: dict[int, type[TidegateError]] = {
    HTTPStatus.UNAUTHORIZED: Forbidden,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.UNPROCESSABLE_ENTITY: Invalid,
    HTTPStatus.BAD_REQUEST: Invalid,
}
_NO_KEY = (
    "There is no access: this data folder ({folder}) has no key of the command line; run it where `tidegate up` runs,"
    " or set TIDEGATE_API_KEY to an API key."
)


class Product:
    """One running Tidegate."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self._headers = {"authorization": f"Bearer {api_key}", "accept": "application/json"}

    def get(self, *path: str, **query: object) -> Any:
        """The JSON of one resource; each part of `path` is quoted, parameters that are None are left out."""
        return self._send("GET", path, query, None)

    def post(self, *path: str, body: object = None) -> Any:
        """The JSON of the answer."""
        return self._send("POST", path, {}, body if body is not None else {})

    def items(self, *path: str, count_max: int, **query: object) -> Iterator[dict[str, Any]]:
        """The items of a list over its pages, at most so many."""
        cursor = None
        while count_max > 0:
            page = self.get(*path, limit=min(count_max, 200), cursor=cursor, **query)
            yield from page["items"][:count_max]
            count_max -= len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _send(self, method: str, path: tuple[str, ...], query: dict[str, object], body: object) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        address = "/".join((f"{self.url}/api/v1", *(quote(part, safe="") for part in path)))
        address = f"{address}?{urlencode(given)}" if given else address
        payload = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({"content-type": "application/json"} if payload is not None else {})
        request = Request(address, data=payload, headers=headers, method=method)
        try:
            with urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
                raw = answer.read()
        except HTTPError as refusal:
            with refusal:
                raise _error_of(refusal.code, refusal.read(), self.url) from None
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise Unavailable(
                f"Tidegate does not answer at {self.url} ({reason}): start it with `tidegate up`, or name another URL.",
                code="cli.not_running",
            ) from None
        try:
            return json.loads(raw) if raw else None
        except ValueError:
            raise Unavailable(
                f"{self.url} answers, but it is no Tidegate: check the URL.", code="cli.foreign"
            ) from None


def connect(url: str | None) -> Product:
    """The product that runs on this data folder, or the one at `url`."""
    settings = load_settings(needs_secrets=False)
    return Product(checked_url(url) if url else product_url(settings), _api_key(settings))


def product_url(settings: Settings) -> str:
    """Where the product of this data folder listens, or would."""
    running = running_in(settings.data_dir)
    return running.url if running else url_of(settings.host, settings.port)


def url_of(host: str, port: int) -> str:
    """The address for somebody on the same machine: a server on all interfaces is reached on this one."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"


def checked_url(text: str) -> str:
    """`http://host:port`, from a URL with or without a path behind it."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Invalid(f"url must look like http://127.0.0.1:8000, not {text!r}.", code="cli.url_invalid")
    return f"{parts.scheme}://{parts.netloc}"


def _api_key(settings: Settings) -> str:
    from tidegate.app.first_start import read_cli_key

    given = settings.api_key.get_secret_value() or read_cli_key(Path(settings.data_dir))
    if not given:
        raise Invalid(_NO_KEY.format(folder=settings.data_dir), code="cli.no_key")
    return given


def _error_of(status: int, raw: bytes, url: str) -> TidegateError:
    kind = _KINDS.get(status, Unavailable)
    try:
        problem = json.loads(raw)
        return kind(str(problem["detail"]), code=str(problem["code"]))
    except (ValueError, KeyError, TypeError):
        return kind(f"{url} answers with HTTP {status} and says no more: check the URL.", code="cli.foreign")
