"""How much to enter: fixed, a share of equity, or by what may be lost; fees counted, rounded down to whole lots."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from enum import StrEnum

from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import Instrument
from tidegate.domain.money import ZERO, plain
from tidegate.domain.orders import Side

_HUNDRED = Decimal(100)
_DOWN = Context(prec=40, rounding=ROUND_DOWN)  # a quotient must never round up over a lot


class SizingKind(StrEnum):
    """What `value` of a sizing rule means."""

    FIXED = "fixed"  # base
    PERCENT = "percent"  # of equity, spent on the entry with its fee
    RISK = "risk"  # percent of equity, lost when the stop is hit, with both fees


@dataclass(frozen=True, slots=True)
class SizingRule:
    """How a bot sizes its entries."""

    kind: SizingKind
    value: Decimal
    notional_max: Decimal = ZERO  # quote per entry; 0 sets no cap

    def __post_init__(self) -> None:
        if not self.value.is_finite() or self.value <= 0:
            raise Invalid(f"sizing value must be above 0, not {plain(self.value)}.", code="strategies.sizing_invalid")
        if self.kind is not SizingKind.FIXED and self.value > _HUNDRED:
            raise Invalid(
                f"sizing value is a percentage of equity and must be at most 100, not {plain(self.value)}.",
                code="strategies.sizing_invalid",
            )
        if not self.notional_max.is_finite() or self.notional_max < 0:
            raise Invalid(
                f"sizing notional_max must be 0 (no cap) or more, not {plain(self.notional_max)}.",
                code="strategies.sizing_invalid",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known when an entry is sized; money in quote, fee rates as fractions."""

    instrument: Instrument
    side: Side
    price: Decimal
    stop_price: Decimal | None
    equity: Decimal
    available: Decimal
    fee_rate_in: Decimal
    fee_rate_out: Decimal


@dataclass(frozen=True, slots=True)
class Sized:
    """A quantity the instrument accepts, or 0 and the reason in a sentence."""

    quantity: Decimal
    objection: str = ""


def size(rule: SizingRule, entry: Entry) -> Sized:
    """Percent and risk are cut to what is available; a fixed quantity stays what it is, and risk denies it."""
    objection = _objection(rule, entry)
    if objection:
        return Sized(ZERO, objection)
    quantity = entry.instrument.snap_quantity(_wanted(rule, entry))
    notional = quantity * entry.price
    refused = entry.instrument.objection(quantity, None, notional)
    if refused is None:
        return Sized(quantity)
    sentence = f"{rule.kind.value} sizing gives {plain(quantity)} {entry.instrument.base}, but {refused}."
    return Sized(ZERO, sentence)


def risk_quantity(
    risk: Decimal, price: Decimal, stop_price: Decimal, fee_rate_in: Decimal, fee_rate_out: Decimal
) -> Decimal:
    """The base quantity that loses `risk` (quote) between price and stop, both fees included; not rounded to lots."""
    loss_per_unit = abs(price - stop_price) + fee_rate_in * price + fee_rate_out * stop_price
    return _DOWN.divide(risk, loss_per_unit)


def breakeven_price(side: Side, price: Decimal, fee_rate_in: Decimal, fee_rate_out: Decimal) -> Decimal:
    """Where leaving an entry of this side neither wins nor loses after both fees, without funding."""
    if side is Side.BUY:
        return price * (1 + fee_rate_in) / (1 - fee_rate_out)
    return price * (1 - fee_rate_in) / (1 + fee_rate_out)


def _objection(rule: SizingRule, entry: Entry) -> str:
    if entry.price <= 0:
        return f"the entry price must be above 0, not {plain(entry.price)}."
    if rule.kind is SizingKind.FIXED:
        return ""
    if entry.equity <= 0 or entry.available <= 0:
        return f"nothing is available: equity {plain(entry.equity)}, free {plain(entry.available)}."
    if rule.kind is SizingKind.PERCENT:
        return ""
    stop = entry.stop_price
    if stop is None or stop <= 0:
        return "risk sizing needs a stop price, and there is none."
    if stop >= entry.price if entry.side is Side.BUY else stop <= entry.price:
        place = "below" if entry.side is Side.BUY else "above"
        return f"the stop of a {entry.side.value} must be {place} {plain(entry.price)}, not {plain(stop)}."
    return ""


def _wanted(rule: SizingRule, entry: Entry) -> Decimal:
    cap = _DOWN.divide(rule.notional_max, entry.price) if rule.notional_max else None
    if rule.kind is SizingKind.FIXED:
        return rule.value if cap is None else min(rule.value, cap)
    share = entry.equity * rule.value / _HUNDRED
    cost_per_unit = entry.price * (1 + entry.fee_rate_in)
    if rule.kind is SizingKind.PERCENT or entry.stop_price is None:
        quantity = _DOWN.divide(share, cost_per_unit)
    else:
        quantity = risk_quantity(share, entry.price, entry.stop_price, entry.fee_rate_in, entry.fee_rate_out)
    affordable = _DOWN.divide(entry.available, cost_per_unit)
    return min(quantity, affordable) if cap is None else min(quantity, affordable, cap)
