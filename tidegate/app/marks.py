"""The price that each symbol is worth now, and how old that knowledge is."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.messages import QuoteChanged


@dataclass(slots=True)
class _Mark:
    price: Decimal
    at: int  # µs, market time
    received_at: int  # µs, wall time


class Marks:
    """Mid of the best bid and ask where quotes come, else the last close."""

    def __init__(self) -> None:
        self.at = 0  # µs, the newest market time that was heard
        self._marks: dict[str, _Mark] = {}
        self._quoted: set[str] = set()

    def on_quote(self, quote: QuoteChanged, received_at: int) -> None:
        """Take the mid price over."""
        self.at = max(self.at, quote.occurred_at)
        self._quoted.add(quote.symbol)
        self._marks[quote.symbol] = _Mark((quote.bid_price + quote.ask_price) / 2, quote.occurred_at, received_at)

    def on_close(self, symbol: str, close: Decimal, at: int, received_at: int) -> None:
        """Take a close over, unless quotes tell more."""
        self.at = max(self.at, at)
        if symbol not in self._quoted:
            self._marks[symbol] = _Mark(close, at, received_at)

    def price(self, symbol: str) -> Decimal | None:
        """Quote per base, or None when nothing is known."""
        mark = self._marks.get(symbol)
        return None if mark is None else mark.price

    def age_ms(self, symbol: str, now: int) -> int | None:
        """Milliseconds of wall time since anything was heard, or None when nothing ever was."""
        mark = self._marks.get(symbol)
        return None if mark is None else (now - mark.received_at) // 1_000
