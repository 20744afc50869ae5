"""Exact numbers: decimals in, integers of an asset's minor unit where they are stored."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Context, Decimal, InvalidOperation

from tidegate.domain.errors import Invalid

ZERO = Decimal(0)
EXACT = Context(prec=60)  # products of two NUMERIC(38,18) values stay exact
INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Money:
    """So much of one asset; the sign says nothing, debit and credit do."""

    quantity: Decimal
    asset: str

    def __str__(self) -> str:
        return f"{plain(self.quantity)} {self.asset}"


def decimal_of(text: str | int | Decimal, field: str) -> Decimal:
    """A finite decimal, or `Invalid` that names the field; floats are refused because they have lost the truth."""
    if isinstance(text, float | bool):
        raise Invalid(f"{field} must be written as a decimal string, not {text!r}.", code="money.not_exact")
    try:
        value = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        raise Invalid(f"{field} must be a decimal number, not {text!r}.", code="money.not_a_number") from None
    if not value.is_finite():
        raise Invalid(f"{field} must be a finite number, not {text!r}.", code="money.not_finite")
    return value


def plain(value: Decimal) -> str:
    """Positional notation without trailing zeros: 1E+2 becomes 100, 0.100 becomes 0.1."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`; a step of 0 disables the grid."""
    return _to_grid(value, step, ROUND_DOWN)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`; a step of 0 disables the grid."""
    return _to_grid(value, step, ROUND_UP)


def round_to(value: Decimal, step: Decimal) -> Decimal:
    """The nearest multiple of `step`, ties to even; a step of 0 disables the grid."""
    return _to_grid(value, step, ROUND_HALF_EVEN)


def is_on_grid(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole multiple of `step` (a step of 0 accepts all)."""
    return step == 0 or EXACT.remainder(value, step) == 0


def to_minor(value: Decimal, scale: int) -> tuple[int, Decimal]:
    """Whole minor units (10^-scale), rounded towards zero, and the exact remainder that is left over."""
    scaled = value.scaleb(scale, EXACT)
    units = int(scaled.to_integral_value(ROUND_DOWN))
    return units, EXACT.subtract(value, Decimal(units).scaleb(-scale, EXACT))


def from_minor(units: int, scale: int) -> Decimal:
    """The decimal that so many minor units (10^-scale) stand for, without trailing zeros beyond the scale."""
    return Decimal(units).scaleb(-scale, EXACT)


def _to_grid(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step == 0:
        return value
    return EXACT.multiply(EXACT.divide(value, step).to_integral_value(rounding), step)
