"""Whether a running Tidegate really trades: one story from a candle to a transfer, read back through its public API."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tidegate.kit.clock import MILLISECOND_US, from_rfc3339, rfc3339

_LISTED_MAX = 500  # of each kind
_READ_BACK_MAX = 20  # newest orders and fills, each read again by its id

Shown = dict[str, Any]


class Api(Protocol):
    """The read side of the HTTP API."""

    def get(self, *path: str, **query: object) -> Any:
        """The JSON of one resource."""
        ...

    def items(self, *path: str, count_max: int, **query: object) -> Iterator[Shown]:
        """The items of a list over its pages."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeResult:
    """What was found; `missing` says in a sentence what does not hold, and is empty if all does."""

    candles: int
    signals: int
    orders: int
    fills: int
    transfers: int
    ledger_balanced: bool
    trace_id: str | None  # of a story that has a candle, signal, order, fill and transfer
    missing: str

    @property
    def holds(self) -> bool:
        """Whether the product does what it is for."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class _Lists:
    candles: list[Shown]
    signals: list[Shown]
    orders: list[Shown]
    fills: list[Shown]


def look(api: Api) -> SmokeResult:
    """One look; asks for nothing but reads."""
    seen = _Lists(
        candles=_candles(api),
        signals=list(api.items("signals", count_max=_LISTED_MAX)),
        orders=list(api.items("orders", count_max=_LISTED_MAX)),
        fills=list(api.items("fills", count_max=_LISTED_MAX)),
    )
    unequal = _read_back(api, seen)
    trace_id, transfers = _story(api, seen)
    unbalanced = _unbalanced(api)
    return SmokeResult(
        candles=len(seen.candles),
        signals=len(seen.signals),
        orders=len(seen.orders),
        fills=len(seen.fills),
        transfers=transfers,
        ledger_balanced=not unbalanced,
        trace_id=trace_id,
        missing=unequal or unbalanced or ("" if trace_id else _first_gap(seen)),
    )


def _candles(api: Api) -> list[Shown]:
    """The newest of every symbol that has a price."""
    symbols = [ticker["symbol"] for ticker in api.get("tickers")["items"]]
    return [candle for symbol in symbols for candle in api.items("candles", count_max=60, symbol=symbol)]


def _read_back(api: Api, seen: _Lists) -> str:
    """Every order and fill must be found by its id, and be the same there."""
    for noun, id_name, listed in (
        ("orders", "client_order_id", seen.orders),
        ("fills", "fill_id", seen.fills),
    ):
        for one in listed[:_READ_BACK_MAX]:
            again = api.get(noun, one[id_name])
            # An order lives on between two reads; what it is never changes.
            if any(again[name] != one[name] for name in ("symbol", "side", "quantity", "trace_id")):
                return f"{noun} and {noun}/{one[id_name]} tell different things."
    return ""


def _story(api: Api, seen: _Lists) -> tuple[str | None, int]:
    """The newest trace id under which all five are found, and how many transfers it has."""
    signals = {signal["trace_id"]: signal for signal in reversed(seen.signals)}
    orders = {order["trace_id"] for order in seen.orders}
    for fill in seen.fills:
        trace_id = fill["trace_id"]
        signal = signals.get(trace_id)
        if signal is None or trace_id not in orders:
            continue
        transfers = [api.get("ledger", listed["id"]) for listed in api.items("ledger", count_max=50, trace_id=trace_id)]
        is_booked = any(transfer["fill_id"] == fill["fill_id"] for transfer in transfers)
        if is_booked and _candle_of(api, signal) == trace_id:
            return trace_id, len(transfers)
    return None, 0


def _candle_of(api: Api, signal: Shown) -> str | None:
    """The trace id of the candle that a signal was made of."""
    opened_at = signal["bar_opened_at"]
    end = rfc3339(from_rfc3339(opened_at, "bar_opened_at") + MILLISECOND_US)
    wanted = {"symbol": signal["symbol"], "timeframe": signal["timeframe"], "start": opened_at, "end": end}
    for candle in api.items("candles", count_max=1, **wanted):
        return str(candle["trace_id"])
    return None


def _unbalanced(api: Api) -> str:
    for account in api.get("accounts")["items"]:
        for line in api.get("ledger", "checks", account_id=account["account_id"])["items"]:
            if not line["is_balanced"]:
                return f"The books of account {account['name']} do not add up in {line['asset']}."
    return ""


def _first_gap(seen: _Lists) -> str:
    for what, found, fix in (
        ("candle", seen.candles, "see `tidegate doctor`"),
        ("signal", seen.signals, "start a bot with `tidegate bots apply -f bots.yaml` and wait for its strategy"),
        ("order", seen.orders, "see why with `tidegate bots list` and each bot's decision log"),
        ("fill", seen.fills, "wait until an order meets the market"),
    ):
        if not found:
            return f"There is no {what} yet: {fix}."
    return "No candle, signal, order, fill and transfer share one trace id yet: wait for the next entry of a bot."
