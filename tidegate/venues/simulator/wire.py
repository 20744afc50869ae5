"""Requests as Binance reads them: parameters, and errors with its codes and sentences."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

DECIMALS_MAX = 8
_DECIMAL = re.compile(r"\d{1,20}(\.\d{1,20})?")
_CLIENT_ID = re.compile(r"[a-zA-Z0-9-_]{1,36}")
_SYMBOL = re.compile(r"[A-Z0-9-_.]{1,20}")
Choice = TypeVar("Choice", bound=StrEnum)


class WireError(Exception):
    """An answer of `{code, msg}` with an HTTP status; the request changed nothing unless the code says so."""

    def __init__(self, code: int, message: str, *, status: int = 400, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def body(self) -> dict[str, object]:
        return {"code": self.code, "msg": self.message}


def missing(name: str) -> WireError:
    """-1102, for what is absent or unreadable."""
    return WireError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> WireError:
    """-1100, for characters that the parameter may not have."""
    return WireError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


class Params:
    """The parameters of one request, all text, read with the venue's own complaints."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """Whether it was sent at all."""
        return name in self._values

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self._values.get(name, "")
        if not value:
            raise missing(name)
        return value

    def text_or(self, name: str, default: str) -> str:
        """A text that may be left out, but not sent empty."""
        value = self._values.get(name)
        if value == "":
            raise WireError(-1105, f"Parameter '{name}' was empty.")
        return default if value is None else value

    def decimal(self, name: str) -> Decimal:
        """A positive decimal of at most eight places that must be there."""
        value = self.decimal_or_none(name)
        if value is None:
            raise missing(name)
        return value

    def decimal_or_none(self, name: str) -> Decimal | None:
        """A positive decimal of at most eight places, or None when it was not sent."""
        if name not in self._values:
            return None
        text = self.text_or(name, "")
        if not _DECIMAL.fullmatch(text):
            raise illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        value = Decimal(text)
        if -int(value.normalize().as_tuple().exponent) > DECIMALS_MAX:
            raise WireError(-1111, f"Parameter '{name}' has too much precision.")
        if value == 0:
            raise WireError(-1102 if name != "price" else -1013, f"Invalid {name}.")
        return value

    def integer(self, name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
        """A whole number; bounds are the venue's."""
        if name not in self._values:
            return default
        text = self.text_or(name, "")
        if not re.fullmatch(r"\d{1,20}", text):
            raise illegal(name, "^[0-9]{1,20}$")
        value = int(text)
        if not least <= value <= most:
            raise WireError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return value

    def integer_or_none(self, name: str) -> int | None:
        """A whole number, or None when it was not sent."""
        return self.integer(name, 0) if name in self._values else None

    def time_or_none(self, name: str) -> int | None:
        """A time in ms or µs as µs, or None when it was not sent."""
        value = self.integer_or_none(name)
        if value is None:
            return None
        return value if value >= 100_000_000_000_000 else value * 1_000

    def choice(self, name: str, words: Mapping[str, Choice], *, code: int, called: str) -> Choice:
        """One of the venue's words."""
        text = self.text(name)
        found = words.get(text)
        if found is None:
            raise WireError(code, f"Invalid {called}.")
        return found

    def client_id_or_none(self, name: str) -> str | None:
        """A client's own id, or None when it was not sent."""
        if name not in self._values:
            return None
        text = self.text_or(name, "")
        if not _CLIENT_ID.fullmatch(text):
            raise illegal(name, "^[a-zA-Z0-9-_]{1,36}$")
        return text

    def flag(self, name: str) -> bool:
        """`true` or `false`, false when it was not sent."""
        text = self.text_or(name, "false").lower()
        if text not in {"true", "false"}:
            raise illegal(name, "true, false")
        return text == "true"

    def wire_symbol(self, name: str = "symbol") -> str:
        """A symbol's spelling; whether it exists is another question."""
        text = self.text(name)
        if not _SYMBOL.fullmatch(text):
            raise illegal(name, "^[A-Z0-9-_.]{1,20}$")
        return text


def decimal_of(text: str) -> Decimal | None:
    """The finite decimal that a text says, or None."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
