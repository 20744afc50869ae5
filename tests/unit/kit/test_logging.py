import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from tidegate.kit.logging import HIDDEN, configure_logging


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    before = logging.getLogger().handlers[:]
    stream = io.StringIO()
    configure_logging("INFO", levels={"tidegate.market": "DEBUG"}, secrets=["canary-7"], stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.basicConfig(level="WARNING", handlers=before, force=True)


def test_an_event_is_one_line_of_json_with_its_time_level_and_context(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("tidegate.risk").info("order.denied", quantity="0.1")
    (line,) = lines.getvalue().splitlines()
    event = json.loads(line)
    assert event.pop("at").endswith("Z")
    assert event == {
        "event": "order.denied",
        "level": "info",
        "logger": "tidegate.risk",
        "quantity": "0.1",
        "request_id": "r1",
    }


def test_a_module_may_have_its_own_level(lines: io.StringIO) -> None:
    structlog.get_logger("tidegate.market.service").debug("candle.closed")
    structlog.get_logger("tidegate.risk").debug("order.allowed")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["candle.closed"]


def test_other_libraries_use_the_same_sink(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("slow %s", "client")
    assert json.loads(lines.getvalue())["event"] == "slow client"


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/v3/order?symbol=BTCUSDT&signature=canary&timestamp=1",
        "{'X-MBX-APIKEY': 'canary'}",
        '{"api_key": "canary"}',
        "Authorization: Bearer canary",
        "password=canary",
        "postgresql://tidegate:canary@127.0.0.1/tidegate",
        "the secret is canary-7",
    ],
)
def test_a_secret_in_a_text_is_struck_out(lines: io.StringIO, text: str) -> None:
    structlog.get_logger("tidegate").warning(text)
    line = lines.getvalue()
    assert "canary" not in line
    assert HIDDEN in json.loads(line)["event"]


def test_a_secret_under_its_own_name_is_struck_out_whatever_it_looks_like(lines: io.StringIO) -> None:
    structlog.get_logger("tidegate").warning("login", password='a"canary', refresh_token=12345, user="ada")
    event = json.loads(lines.getvalue())
    assert (event["password"], event["refresh_token"], event["user"]) == (HIDDEN, HIDDEN, "ada")


def test_a_secret_in_a_stack_trace_is_struck_out(lines: io.StringIO) -> None:
    try:
        raise ValueError("https://venue/order?signature=canary")
    except ValueError:
        structlog.get_logger("tidegate").exception("venue.failed")
    line = lines.getvalue()
    assert "canary" not in line
    assert "ValueError" in json.loads(line)["exception"]


def test_what_is_no_secret_stays(lines: io.StringIO) -> None:
    structlog.get_logger("tidegate").info("GET /api/v1/orders?limit=5", url="redis://127.0.0.1:6379/0")
    event = json.loads(lines.getvalue())
    assert (event["event"], event["url"]) == ("GET /api/v1/orders?limit=5", "redis://127.0.0.1:6379/0")
