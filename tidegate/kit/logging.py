"""One JSON line an event to standard error, with secrets struck out of the finished line."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from tidegate.kit.clock import SystemClock, rfc3339

HIDDEN = "[hidden]"
_SECRET_NAME = re.compile(
    r"[\w-]*(?:secret|password|passphrase|token|api[_-]?key|signature|authorization|cookie|credential)[\w-]*", re.I
)
# What looks like a secret inside a text: a signed URL, a header, a dict that somebody printed.
_NAMED = re.compile(
    rf"(?P<name>{_SECRET_NAME.pattern}\\?[\"']?\s*[:=]\s*)"
    r"(?:(?P<quote>\\?[\"'])(?:(?!(?P=quote)).)*(?P=quote)|(?:Bearer |Basic )?[^\s&\"'\\,;)}\]]+)",
    re.I,
)
_BEARER = re.compile(r"\bBearer [\w.~+/=-]+", re.I)
_URL_PASSWORD = re.compile(r"(://[^\s:/@\"]*:)[^\s@/\"]+(?=@)")
_clock = SystemClock()


_QUIET = {"alembic": "WARNING", "uvicorn": "WARNING"}  # libraries that tell each step of theirs


def configure_logging(
    level: str = "INFO",
    *,
    levels: Mapping[str, str] | None = None,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every logger's events to one sink; `levels` by module name, `secrets` are struck out wherever they stand."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        _Redacting(
            secrets,
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _stamp,
                _hide_named,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, level_of_module in {**_QUIET, **(levels or {})}.items():
        logging.getLogger(name).setLevel(level_of_module)


class _Redacting(structlog.stdlib.ProcessorFormatter):
    """The last step before the stream: nothing passes that looks like a secret or is known to be one."""

    def __init__(self, secrets: Iterable[str], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        line = _NAMED.sub(_without_value, line)
        line = _BEARER.sub(f"Bearer {HIDDEN}", line)
        return _URL_PASSWORD.sub(rf"\1{HIDDEN}", line)


def _without_value(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{found['name']}{quote}{HIDDEN}{quote}"


def _stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["at"] = rfc3339(_clock.now_us())
    return event


def _hide_named(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: HIDDEN if _SECRET_NAME.fullmatch(name) else value for name, value in event.items()}
