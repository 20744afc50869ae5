"""The way to the running product, over a server that answers what a test says."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.servers import free_port
from tidegate.app import running
from tidegate.app.cli.client import Product, checked_url, product_url, url_of
from tidegate.app.settings import load_settings
from tidegate.domain.errors import Conflict, Forbidden, Invalid, NotFound, TidegateError, Unavailable

Answer = Callable[[str, str, bytes], tuple[int, object]]  # method, path, body


@contextmanager
def answering(answer: Answer) -> Iterator[Product]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, value = answer(self.command, self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(value if isinstance(value, bytes) else json.dumps(value).encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Product(f"http://127.0.0.1:{server.server_port}", "key")
        finally:
            server.shutdown()
            thread.join()


def test_ids_with_slashes_and_filters_that_are_not_set_reach_the_api_right() -> None:
    with answering(lambda method, path, body: (200, [method, path, body.decode()])) as product:
        assert product.get("fills", "a/b c", symbol="BTC/USDT", status=None) == [
            "GET",
            "/api/v1/fills/a%2Fb%20c?symbol=BTC%2FUSDT",
            "",
        ]
        assert product.post("bots", "1", "start") == ["POST", "/api/v1/bots/1/start", "{}"]


def test_a_list_is_read_over_its_pages_and_no_further_than_asked() -> None:
    pages = {"None": ([{"id": 1}, {"id": 2}], "x"), "x": ([{"id": 3}, {"id": 4}], None)}

    def answer(_: str, path: str, __: bytes) -> tuple[int, object]:
        items, cursor = pages["x" if "cursor=x" in path else "None"]
        return 200, {"items": items, "next_cursor": cursor}

    with answering(answer) as product:
        assert [order["id"] for order in product.items("orders", count_max=10)] == [1, 2, 3, 4]
        assert [order["id"] for order in product.items("orders", count_max=3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Forbidden), (403, Forbidden), (404, NotFound), (409, Conflict), (422, Invalid), (503, Unavailable)],
)
def test_a_problem_becomes_the_error_that_it_was(status: int, kind: type[TidegateError]) -> None:
    problem = {"detail": "No bot 'x'.", "code": "bots.not_found"}
    with answering(lambda *_: (status, problem)) as product, pytest.raises(kind, match="No bot 'x'") as refusal:
        product.get("bots", "x")
    assert type(refusal.value) is kind
    assert refusal.value.code == "bots.not_found"


@pytest.mark.parametrize("answer", [(500, b"<html>"), (200, b"<html>")])
def test_a_stranger_behind_the_address_is_told(answer: tuple[int, object]) -> None:
    with answering(lambda *_: answer) as product, pytest.raises(Unavailable, match="check the URL"):
        product.get("bots")


def test_a_product_that_does_not_run_is_told_with_the_fix() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=rf"^Tidegate does not answer at {url} .*: start it with `tidegate up`"):
        Product(url, "key").get("bots")


def test_the_address_comes_from_what_runs_on_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings(needs_secrets=False, data_dir=tmp_path, port=9_123)
    assert product_url(settings) == "http://127.0.0.1:9123"
    running.note(tmp_path, running.Running(os.getpid(), "http://127.0.0.1:5", "unix://x", "http://127.0.0.1:6"))
    assert product_url(settings) == "http://127.0.0.1:5"
    running.forget(tmp_path)
    assert product_url(settings) == "http://127.0.0.1:9123"


def test_what_a_killed_supervisor_left_behind_does_not_count_as_running(tmp_path: Path) -> None:
    pid_max = 2**22  # of Linux; macOS has fewer
    running.note(tmp_path, running.Running(pid_max + 1, "http://127.0.0.1:5", "unix://x", ""))
    assert running.running_in(tmp_path) is None
    assert running.last_in(tmp_path) is not None


def test_a_server_on_all_interfaces_is_asked_on_this_one() -> None:
    assert url_of("0.0.0.0", 8_000) == "http://127.0.0.1:8000"
    assert url_of("::", 8_000) == "http://[::1]:8000"


def test_an_address_may_be_short_but_must_be_one() -> None:
    assert checked_url("127.0.0.1:8000") == checked_url("http://127.0.0.1:8000/") == "http://127.0.0.1:8000"
    with pytest.raises(Invalid, match="url must look like"):
        checked_url("ftp://x")
